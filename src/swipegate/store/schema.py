"""The tables. Times are microseconds since 1970, UTC; identifiers are UUIDs in lower case."""

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
    text,
)

REVISION = "0003"
"""Of this schema: the newest of migrations/versions/. A database of another revision is refused or upgraded."""

metadata = MetaData()

# SQLite numbers rows by itself only in a column of its own INTEGER type. AUTOINCREMENT, which costs a write more, is
# for tables whose rows may be deleted: a number must not come again
_RowId = BigInteger().with_variant(Integer, "sqlite")
_Id = String(36)
_Time = BigInteger

installation = Table(
    "installation",
    metadata,
    Column("installation_id", Integer, primary_key=True, autoincrement=False),
    Column("key_check", LargeBinary, nullable=False),
)

ac_system = Table(
    "ac_system",
    metadata,
    Column("ac_system_id", _Id, primary_key=True),
    Column("name", String(128), nullable=False, unique=True),
    Column("gives_card_numbers", Boolean, nullable=False),
    Column("webhook_url", String(2048)),
    Column("sealed_webhook_secret", LargeBinary),
)

occupancy = Table(
    "occupancy",
    metadata,
    Column("row_id", _RowId, primary_key=True, autoincrement=True),
    Column("occupancy_id", _Id, nullable=False, unique=True),
    Column("name", String(128), nullable=False),
    Column("ac_system_id", _Id, ForeignKey("ac_system.ac_system_id"), nullable=False),
    sqlite_autoincrement=True,
)
Index("occupancy_name", occupancy.c.ac_system_id, occupancy.c.name, unique=True)

user = Table(
    "user_",  # USER is a reserved word of SQL
    metadata,
    Column("row_id", _RowId, primary_key=True, autoincrement=True),
    Column("user_id", _Id, nullable=False, unique=True),
    Column("name", String(128), nullable=False),
    Column("occupancy_id", _Id, ForeignKey("occupancy.occupancy_id")),
    Column("delete_time", _Time),
    sqlite_autoincrement=True,
)
Index("user_of_occupancy", user.c.occupancy_id, user.c.row_id)

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
NO_FACILITY_CODE = text("-1")
card_facility_code = func.coalesce(card.c.facility_code, NO_FACILITY_CODE)
"""NULL equals nothing in a unique index: -1 stands for it. Queries must say it the same way to use the index."""
Index(
    "card_number",
    card.c.ac_system_id,
    card.c.card_type,
    card_facility_code,
    card.c.internal_card_number,  # last, so that the largest in use is one step away
    unique=True,
)
Index("card_of_system", card.c.ac_system_id, card.c.row_id)

number_range = Table(
    "number_range",
    metadata,
    Column("ac_system_id", _Id, ForeignKey("ac_system.ac_system_id"), primary_key=True),
    Column("card_type", Integer, ForeignKey("card_type.card_type"), primary_key=True, autoincrement=False),
    Column("facility_code", BigInteger, primary_key=True, autoincrement=False),  # -1: none
    Column("next_number", BigInteger, nullable=False),
)
"""Where the search for a free number goes on, once the largest number of a type is in use."""

user_card = Table(
    "user_card",
    metadata,
    Column("row_id", _RowId, primary_key=True, autoincrement=True),
    Column("user_card_id", _Id, nullable=False, unique=True),
    Column("card_id", _Id, ForeignKey("card.card_id"), nullable=False),
    Column("user_id", _Id, ForeignKey("user_.user_id"), nullable=False),
    Column("start_time", _Time, nullable=False),
    Column("end_time", _Time),
    Column("activation_time", _Time),
    Column("deactivation_time", _Time),
    Column("card_user_flags", Integer, nullable=False),
    Column("sealed_pin", LargeBinary),
)
# the invariant of the whole product: at most one open assignment a card
_OPEN = user_card.c.end_time.is_(None)
Index("user_card_open", user_card.c.card_id, unique=True, sqlite_where=_OPEN, postgresql_where=_OPEN)
Index("user_card_of_user", user_card.c.user_id, user_card.c.row_id)
Index("user_card_of_card", user_card.c.card_id, user_card.c.row_id)

user_card_event = Table(
    "user_card_event",
    metadata,
    Column("sequence", _RowId, primary_key=True, autoincrement=True),
    Column("time", _Time, nullable=False),
    Column("kind", String(8), nullable=False),
    Column("card_id", _Id, nullable=False),
    Column("before", Text),  # the assignment as JSON, without its PIN
    Column("after", Text),
    Column("pin_changed", Boolean, nullable=False),
    Column("sealed_pin_before", LargeBinary),
    Column("status_before", String(8), nullable=False),
    Column("status_after", String(8), nullable=False),
    Column("undid_sequence", BigInteger),
    Column("subject", String(256), nullable=False),
    Column("client", String(256), nullable=False),
)
"""The audit and the watchers' stream in one: the writer is alone, so its numbers are in the order of the commits."""
Index(
    "user_card_event_of_card",
    user_card_event.c.card_id,
    user_card_event.c.sequence,
    user_card_event.c.time,  # every look-up of a card asks for its last one: then no page of the table is read
)

outbox = Table(
    "outbox",
    metadata,
    Column("row_id", _RowId, primary_key=True, autoincrement=True),
    Column("card_id", _Id, ForeignKey("card.card_id"), nullable=False, unique=True),
    Column("ac_system_id", _Id, ForeignKey("ac_system.ac_system_id"), nullable=False),
    Column("desired_sequence", BigInteger, nullable=False),
    Column("applied_sequence", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("error", String(200), nullable=False),
    Column("next_try_time", _Time),  # none: applied
    Column("lease_time", _Time),  # until then a server delivers it, and no other may; none: nobody does
    sqlite_autoincrement=True,
)
_PENDING = outbox.c.next_try_time.is_not(None)
Index(
    "outbox_due",
    outbox.c.ac_system_id,
    outbox.c.next_try_time,
    sqlite_where=_PENDING,
    postgresql_where=_PENDING,
)
Index("outbox_of_system", outbox.c.ac_system_id, outbox.c.row_id)

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
# one active request a device, held by the database and by nothing else
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

card_assignment = Table(
    "card_assignment",
    metadata,
    Column("row_id", _RowId, primary_key=True, autoincrement=True),
    # one identifier for both halves
    Column(
        "card_assignment_id", _Id, ForeignKey("card_request.card_request_id"), nullable=False, unique=True
    ),
    Column("device_id", Integer, nullable=False),
    Column("user_id", _Id, nullable=False),
    Column("command", Text, nullable=False),  # the fields of the replacement as JSON, without the PIN
    Column("sealed_pin", LargeBinary),
    Column("if_held", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    Column("card_id", _Id),
    Column("previous_user_id", _Id),
    Column("user_card_id", _Id),
    Column("reason", Integer),
    Column("description", String(512), nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("subject", String(256), nullable=False),
    Column("client", String(256), nullable=False),
    Column("create_time", _Time, nullable=False),
    Column("update_time", _Time, nullable=False),
    Column("expire_time", _Time, nullable=False),
    sqlite_autoincrement=True,
)
Index("card_assignment_of_user", card_assignment.c.user_id, card_assignment.c.row_id)
Index("card_assignment_of_device", card_assignment.c.device_id, card_assignment.c.row_id)
Index("card_assignment_expiry", card_assignment.c.state, card_assignment.c.expire_time)

card_assignment_event = Table(
    "card_assignment_event",
    metadata,
    Column("sequence", _RowId, primary_key=True, autoincrement=True),
    Column("card_assignment_id", _Id, nullable=False),
    Column("time", _Time, nullable=False),
    Column("state", String(16), nullable=False),
    Column("card_request_sequence", BigInteger, nullable=False),  # of the reading half at this event
    Column("card_id", _Id),
    Column("previous_user_id", _Id),
    Column("user_card_id", _Id),
    Column("reason", Integer),
    Column("description", String(512), nullable=False),
    sqlite_autoincrement=True,
)
Index(
    "card_assignment_event_of",
    card_assignment_event.c.card_assignment_id,
    card_assignment_event.c.sequence,
)

CARD_TYPES = (
    # number, name, largest number, facility code, issue code, serial number
    (1, "26-bit Wiegand (H10301)", 65_535, 255, None, False),
    (2, "37-bit (H10302)", 34_359_738_367, None, None, False),
    (3, "37-bit with facility code (H10304)", 524_287, 65_535, None, False),
    (4, "32-bit card serial number", 4_294_967_295, None, None, True),
    (5, "Magstripe ABA track 2", 9_999_999_999, None, None, False),
    (6, "Magstripe ABA track 2 with facility and issue code", 9_999_999_999, 9_999, 9, False),
    (7, "ISO/IEC 7813 account identification", 999_999_999_999, None, None, False),
)
"""Card types that every installation starts with. Sources: the HID card format sheets for H10301, H10302 and
H10304; the magstripe layouts of access control readers (ABA track 2, up to 10 digits); ISO/IEC 7812-1, the individual
account identification between issuer number and check digit (up to 12 digits): a whole PAN is no card number here,
for card numbers stand in list answers."""
