"""Every service of the contract, and the use cases behind it."""

from google.protobuf.descriptor import FileDescriptor

from swipegate.api import tracks as tracks_api
from swipegate.api.ac_systems import AcSystemServicer
from swipegate.api.border import Border
from swipegate.api.bulk_import import BulkImportServicer
from swipegate.api.card_assignments import CardAssignmentServicer
from swipegate.api.card_formats import CardFormatServicer
from swipegate.api.card_requests import CardRequestServicer
from swipegate.api.cards import CardServicer
from swipegate.api.devices import DeviceServicer
from swipegate.api.occupancies import OccupancyServicer
from swipegate.api.outbox import OutboxServicer
from swipegate.api.user_cards import UserCardServicer
from swipegate.api.users import UserServicer
from swipegate.service import clock
from swipegate.service.ac_systems import AcSystems
from swipegate.service.bell import Bell
from swipegate.service.bulk_import import BulkImport
from swipegate.service.card_assignments import CardAssignments
from swipegate.service.card_formats import CardFormats
from swipegate.service.card_requests import CardRequests
from swipegate.service.card_types import CardTypes
from swipegate.service.cards import Cards
from swipegate.service.devices import Devices
from swipegate.service.occupancies import Occupancies
from swipegate.service.outbox import Outbox
from swipegate.service.receivers import Receivers
from swipegate.service.sealing import Sealer
from swipegate.service.tracks import Tracks
from swipegate.service.user_card_events import UserCardEvents
from swipegate.service.user_cards import UserCards
from swipegate.service.users import Users
from swipegate.settings import Settings
from swipegate.store.database import Database
from swipegate.v1 import (
    ac_system_pb2,
    ac_system_pb2_grpc,
    bulk_import_pb2,
    bulk_import_pb2_grpc,
    card_assignment_pb2,
    card_assignment_pb2_grpc,
    card_format_pb2,
    card_format_pb2_grpc,
    card_pb2,
    card_pb2_grpc,
    card_request_pb2,
    card_request_pb2_grpc,
    device_pb2,
    device_pb2_grpc,
    occupancy_pb2,
    occupancy_pb2_grpc,
    outbox_pb2,
    outbox_pb2_grpc,
    track_pb2,
    user_card_pb2,
    user_card_pb2_grpc,
    user_pb2,
    user_pb2_grpc,
)

_FILES = (
    track_pb2.DESCRIPTOR,
    card_request_pb2.DESCRIPTOR,
    card_assignment_pb2.DESCRIPTOR,
    device_pb2.DESCRIPTOR,
    card_format_pb2.DESCRIPTOR,
    user_card_pb2.DESCRIPTOR,
    card_pb2.DESCRIPTOR,
    ac_system_pb2.DESCRIPTOR,
    user_pb2.DESCRIPTOR,
    occupancy_pb2.DESCRIPTOR,
    outbox_pb2.DESCRIPTOR,
    bulk_import_pb2.DESCRIPTOR,
)


class UseCases:
    """What an installation can do."""

    def __init__(self, database: Database, sealer: Sealer, bell: Bell, settings: Settings) -> None:
        now = clock.now
        self.bell = bell
        self.card_formats = CardFormats(database)
        self.tracks = Tracks(self.card_formats)
        self.devices = Devices(database, bell, now, settings.pc_name)
        self.card_requests = CardRequests(database, sealer, bell, now, settings.track_data_time_to_live)
        self.card_assignments = CardAssignments(database, sealer, bell, now, self.card_requests)
        self.user_cards = UserCards(database, sealer, bell, now)
        self.user_card_events = UserCardEvents(database, bell)
        self.cards = Cards(database, bell, now)
        self.card_types = CardTypes(database)
        self.occupancies = Occupancies(database)
        self.users = Users(database, now)
        self.receivers = Receivers(now)
        self.ac_systems = AcSystems(database, sealer, self.receivers, bell, now)
        self.outbox = Outbox(database, self.receivers, bell, now)
        self.bulk_import = BulkImport(database, sealer, bell, now)


def add_all(use: UseCases, border: Border) -> list[str]:
    """Add every service behind the border; their full names."""
    tracks_api.add_to_server(tracks_api.TrackServicer(use.tracks, use.bell), border)
    requests = CardRequestServicer(use.card_requests)
    card_request_pb2_grpc.add_CardRequestServiceServicer_to_server(requests, border)
    assignments = CardAssignmentServicer(use.card_assignments)
    card_assignment_pb2_grpc.add_CardAssignmentServiceServicer_to_server(assignments, border)
    device_pb2_grpc.add_DeviceServiceServicer_to_server(DeviceServicer(use.devices), border)
    formats = CardFormatServicer(use.card_formats)
    card_format_pb2_grpc.add_CardFormatServiceServicer_to_server(formats, border)
    user_cards = UserCardServicer(use.user_cards, use.user_card_events)
    user_card_pb2_grpc.add_UserCardServiceServicer_to_server(user_cards, border)
    card_pb2_grpc.add_CardServiceServicer_to_server(CardServicer(use.cards, use.card_types), border)
    occupancies = OccupancyServicer(use.occupancies)
    occupancy_pb2_grpc.add_OccupancyServiceServicer_to_server(occupancies, border)
    ac_system_pb2_grpc.add_AcSystemServiceServicer_to_server(AcSystemServicer(use.ac_systems), border)
    outbox_pb2_grpc.add_OutboxServiceServicer_to_server(OutboxServicer(use.outbox), border)
    user_pb2_grpc.add_UserServiceServicer_to_server(UserServicer(use.users), border)
    bulk_import = BulkImportServicer(use.bulk_import, use.bell)
    bulk_import_pb2_grpc.add_BulkImportServiceServicer_to_server(bulk_import, border)
    return [name for file in _FILES for name in _full_names(file)]


def _full_names(file: FileDescriptor) -> list[str]:
    return [service.full_name for service in file.services_by_name.values()]
