"""The first schema: databases of it are SQLite files and have a table schema_version."""

from alembic import op
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    func,
    insert,
    text,
)

revision = "0001"
down_revision = None

metadata = MetaData()

_RowId = BigInteger().with_variant(Integer, "sqlite")
_Id = String(36)
_Time = BigInteger

schema_version = Table("schema_version", metadata, Column("version", Integer, primary_key=True))

ac_system = Table(
    "ac_system",
    metadata,
    Column("ac_system_id", _Id, primary_key=True),
    Column("name", String(128), nullable=False, unique=True),
)

user = Table(
    "user_",
    metadata,
    Column("user_id", _Id, primary_key=True),
    Column("name", String(128), nullable=False),
    Column("occupancy_ac_system_id", _Id, ForeignKey("ac_system.ac_system_id")),
)

card_type = Table(
    "card_type",
    metadata,
    Column("card_type", Integer, primary_key=True, autoincrement=False),
    Column("name", String(128), nullable=False, unique=True),
    Column("max_internal_card_number", BigInteger, nullable=False),
    Column("max_facility_code", BigInteger),
    Column("max_issue_code", BigInteger),
    Column("has_serial_number", Boolean, nullable=False),
)

card = Table(
    "card",
    metadata,
    Column("row_id", _RowId, primary_key=True, autoincrement=True),
    Column("card_id", _Id, nullable=False, unique=True),
    Column("ac_system_id", _Id, ForeignKey("ac_system.ac_system_id"), nullable=False),
    Column("card_type", Integer, ForeignKey("card_type.card_type"), nullable=False),
    Column("internal_card_number", BigInteger, nullable=False),
    Column("external_card_number", String(64), nullable=False),
    Column("facility_code", BigInteger),
    Column("issue_code", BigInteger),
    Column("card_serial_number", BigInteger),
    Column("status", String(8), nullable=False),
    Column("create_time", _Time, nullable=False),
    sqlite_autoincrement=True,
)
Index(
    "card_number",
    card.c.ac_system_id,
    card.c.card_type,
    func.coalesce(card.c.facility_code, text("-1")),
    card.c.internal_card_number,
    unique=True,
)

user_card = Table(
    "user_card",
    metadata,
    Column("user_card_id", _Id, primary_key=True),
    Column("card_id", _Id, ForeignKey("card.card_id"), nullable=False),
    Column("user_id", _Id, ForeignKey("user_.user_id"), nullable=False),
    Column("start_time", _Time, nullable=False),
    Column("end_time", _Time),
    Column("activation_time", _Time),
    Column("deactivation_time", _Time),
    Column("card_user_flags", Integer, nullable=False),
    Column("sealed_pin", LargeBinary),
)
_OPEN = user_card.c.end_time.is_(None)
Index("user_card_open", user_card.c.card_id, unique=True, sqlite_where=_OPEN, postgresql_where=_OPEN)
Index("user_card_of_user", user_card.c.user_id)

audit = Table(
    "audit",
    metadata,
    Column("audit_id", _RowId, primary_key=True, autoincrement=True),
    Column("time", _Time, nullable=False),
    Column("subject", String(256), nullable=False),
    Column("client", String(256), nullable=False),
    Column("card_id", _Id, nullable=False),
    Column("user_card_id", _Id, nullable=False),
    Column("previous_user_card_id", _Id),
    Column("previous_user_id", _Id),
    Column("current_user_id", _Id, nullable=False),
    sqlite_autoincrement=True,
)

idempotency = Table(
    "idempotency",
    metadata,
    Column("subject", String(256), primary_key=True),
    Column("method", String(64), primary_key=True),
    Column("request_id", String(64), primary_key=True),
    Column("body_mac", LargeBinary, nullable=False),
    Column("answer", LargeBinary, nullable=False),
    Column("create_time", _Time, nullable=False, index=True),
)

host = Table(
    "host",
    metadata,
    Column("pc_name", String(253), primary_key=True),
    Column("epoch", BigInteger, nullable=False),
    Column("attached", Boolean, nullable=False),
)

device = Table(
    "device",
    metadata,
    Column("device_id", Integer, primary_key=True, autoincrement=False),
    Column("name", String(128), nullable=False),
    Column("pc_name", String(253), nullable=False),
    Column("driver", String(64), nullable=False),
    Column("port", String(1024), nullable=False),
    Column("settings", Text, nullable=False),
    Column("card_formats", Text, nullable=False),
    Column("create_time", _Time, nullable=False),
)

card_format = Table(
    "card_format",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("definition", LargeBinary, nullable=False),
)

card_request = Table(
    "card_request",
    metadata,
    Column("row_id", _RowId, primary_key=True, autoincrement=True),
    Column("card_request_id", _Id, nullable=False, unique=True),
    Column("device_id", Integer, ForeignKey("device.device_id"), nullable=False),
    Column("subject", String(256), nullable=False),
    Column("message", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("active", Boolean, nullable=False),
    Column("epoch", BigInteger),
    Column("failure_reason", Integer),
    Column("device_code", String(64), nullable=False),
    Column("card_format", String(64), nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("create_time", _Time, nullable=False),
    Column("update_time", _Time, nullable=False),
    Column("expire_time", _Time, nullable=False),
    Column("sealed_track_data", LargeBinary),
    Column("wipe_time", _Time),
    sqlite_autoincrement=True,
)
_ACTIVE = card_request.c.active.is_(True)
Index(
    "card_request_active",
    card_request.c.device_id,
    unique=True,
    sqlite_where=_ACTIVE,
    postgresql_where=_ACTIVE,
)
Index("card_request_state", card_request.c.device_id, card_request.c.state, card_request.c.row_id)
Index("card_request_expiry", card_request.c.state, card_request.c.expire_time)
_KEPT = card_request.c.wipe_time.is_not(None)
Index("card_request_wipe", card_request.c.wipe_time, sqlite_where=_KEPT, postgresql_where=_KEPT)

card_request_event = Table(
    "card_request_event",
    metadata,
    Column("sequence", _RowId, primary_key=True, autoincrement=True),
    Column("card_request_id", _Id, nullable=False),
    Column("time", _Time, nullable=False),
    Column("state", String(16), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("failure_reason", Integer),
    Column("device_code", String(64), nullable=False),
    Column("card_format", String(64), nullable=False),
    Column("has_track_data", Boolean, nullable=False),
    sqlite_autoincrement=True,
)
Index("card_request_event_of", card_request_event.c.card_request_id, card_request_event.c.sequence)

CARD_TYPES = (
    # number, name, largest number, facility code, issue code, serial number
    (1, "26-bit Wiegand (H10301)", 65_535, 255, None, False),
    (2, "37-bit (H10302)", 34_359_738_367, None, None, False),
    (3, "37-bit with facility code (H10304)", 524_287, 65_535, None, False),
    (4, "32-bit card serial number", 4_294_967_295, None, None, True),
    (5, "Magstripe ABA track 2", 9_999_999_999, None, None, False),
    (6, "Magstripe ABA track 2 with facility and issue code", 9_999_999_999, 9_999, 9, False),
)


def upgrade() -> None:
    """Make everything."""
    connection = op.get_bind()
    metadata.create_all(connection)
    connection.execute(insert(schema_version), {"version": 1})
    names = [column.name for column in card_type.columns]
    connection.execute(insert(card_type), [dict(zip(names, row, strict=True)) for row in CARD_TYPES])
