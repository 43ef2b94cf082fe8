"""Occupancies, the stream of events in the place of the audit, and what delivery and swiped assignments need."""

import json
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

BATCH = 1000
"""Rows of the audit that are in memory at a time."""

_RowId = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_Id = sa.String(36)
_Time = sa.BigInteger


def upgrade() -> None:
    """Keep all there is, in its old order.

    A user's system becomes an occupancy of the system's name. An audit row becomes an event; the images in it are
    those of the assignment as it stands now, for nothing older is known.
    """
    _put_aside()
    _extend_systems()
    _make_installation()
    _make_users()
    _make_cards()
    _make_events()
    _make_outbox()
    _make_card_assignments()
    _fill()
    for table in ("old_user_card", "old_user", "audit", "schema_version"):
        op.drop_table(table)


def _put_aside() -> None:
    """Tables that get another primary key are made anew; SQLite's rowid is the order in which rows came."""
    on_sqlite = op.get_bind().dialect.name == "sqlite"
    for table, old, order in (
        ("user_card", "old_user_card", "rowid" if on_sqlite else "start_time"),
        ("user_", "old_user", "rowid" if on_sqlite else "user_id"),
    ):
        op.execute(
            f"CREATE TABLE {old} AS"  # noqa: S608 - the names above
            f" SELECT row_number() OVER (ORDER BY {order}) AS place, {table}.* FROM {table}"
        )
        op.drop_table(table)


def _extend_systems() -> None:
    op.add_column(
        "ac_system", sa.Column("gives_card_numbers", sa.Boolean, nullable=False, server_default=sa.true())
    )
    op.add_column("ac_system", sa.Column("webhook_url", sa.String(2048)))
    op.add_column("ac_system", sa.Column("sealed_webhook_secret", sa.LargeBinary))
    with op.batch_alter_table("ac_system") as batch:
        batch.alter_column("gives_card_numbers", server_default=None)


def _make_installation() -> None:
    op.create_table(
        "installation",
        sa.Column("installation_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("key_check", sa.LargeBinary, nullable=False),
    )


def _make_users() -> None:
    op.create_table(
        "occupancy",
        sa.Column("row_id", _RowId, primary_key=True, autoincrement=True),
        sa.Column("occupancy_id", _Id, nullable=False, unique=True),
        sa.Column("name", sa.String(128), nullable=False),
        sa.Column("ac_system_id", _Id, sa.ForeignKey("ac_system.ac_system_id"), nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("occupancy_name", "occupancy", ["ac_system_id", "name"], unique=True)
    op.create_table(
        "user_",
        sa.Column("row_id", _RowId, primary_key=True, autoincrement=True),
        sa.Column("user_id", _Id, nullable=False, unique=True),
        sa.Column("name", sa.String(128), nullable=False),
        sa.Column("occupancy_id", _Id, sa.ForeignKey("occupancy.occupancy_id")),
        sa.Column("delete_time", _Time),
        sqlite_autoincrement=True,
    )
    op.create_index("user_of_occupancy", "user_", ["occupancy_id", "row_id"])


def _make_cards() -> None:
    op.create_index("card_of_system", "card", ["ac_system_id", "row_id"])
    op.create_table(
        "number_range",
        sa.Column("ac_system_id", _Id, sa.ForeignKey("ac_system.ac_system_id"), primary_key=True),
        sa.Column(
            "card_type",
            sa.Integer,
            sa.ForeignKey("card_type.card_type"),
            primary_key=True,
            autoincrement=False,
        ),
        sa.Column("facility_code", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("next_number", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "user_card",
        sa.Column("row_id", _RowId, primary_key=True, autoincrement=True),
        sa.Column("user_card_id", _Id, nullable=False, unique=True),
        sa.Column("card_id", _Id, sa.ForeignKey("card.card_id"), nullable=False),
        sa.Column("user_id", _Id, sa.ForeignKey("user_.user_id"), nullable=False),
        sa.Column("start_time", _Time, nullable=False),
        sa.Column("end_time", _Time),
        sa.Column("activation_time", _Time),
        sa.Column("deactivation_time", _Time),
        sa.Column("card_user_flags", sa.Integer, nullable=False),
        sa.Column("sealed_pin", sa.LargeBinary),
    )
    is_open = sa.text("end_time IS NULL")
    op.create_index(
        "user_card_open",
        "user_card",
        ["card_id"],
        unique=True,
        sqlite_where=is_open,
        postgresql_where=is_open,
    )
    op.create_index("user_card_of_user", "user_card", ["user_id", "row_id"])
    op.create_index("user_card_of_card", "user_card", ["card_id", "row_id"])


def _make_events() -> None:
    op.create_table(
        "user_card_event",
        sa.Column("sequence", _RowId, primary_key=True, autoincrement=True),
        sa.Column("time", _Time, nullable=False),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("card_id", _Id, nullable=False),
        sa.Column("before", sa.Text),
        sa.Column("after", sa.Text),
        sa.Column("pin_changed", sa.Boolean, nullable=False),
        sa.Column("sealed_pin_before", sa.LargeBinary),
        sa.Column("status_before", sa.String(8), nullable=False),
        sa.Column("status_after", sa.String(8), nullable=False),
        sa.Column("undid_sequence", sa.BigInteger),
        sa.Column("subject", sa.String(256), nullable=False),
        sa.Column("client", sa.String(256), nullable=False),
    )
    op.create_index("user_card_event_of_card", "user_card_event", ["card_id", "sequence"])


def _make_outbox() -> None:
    op.create_table(
        "outbox",
        sa.Column("row_id", _RowId, primary_key=True, autoincrement=True),
        sa.Column("card_id", _Id, sa.ForeignKey("card.card_id"), nullable=False, unique=True),
        sa.Column("ac_system_id", _Id, sa.ForeignKey("ac_system.ac_system_id"), nullable=False),
        sa.Column("desired_sequence", sa.BigInteger, nullable=False),
        sa.Column("applied_sequence", sa.BigInteger, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("error", sa.String(200), nullable=False),
        sa.Column("next_try_time", _Time),
        sa.Column("lease_time", _Time),
        sqlite_autoincrement=True,
    )
    is_due = sa.text("next_try_time IS NOT NULL")
    op.create_index(
        "outbox_due",
        "outbox",
        ["ac_system_id", "next_try_time"],
        sqlite_where=is_due,
        postgresql_where=is_due,
    )
    op.create_index("outbox_of_system", "outbox", ["ac_system_id", "row_id"])


def _make_card_assignments() -> None:
    op.create_table(
        "card_assignment",
        sa.Column("row_id", _RowId, primary_key=True, autoincrement=True),
        sa.Column(
            "card_assignment_id",
            _Id,
            sa.ForeignKey("card_request.card_request_id"),
            nullable=False,
            unique=True,
        ),
        sa.Column("device_id", sa.Integer, nullable=False),
        sa.Column("user_id", _Id, nullable=False),
        sa.Column("command", sa.Text, nullable=False),
        sa.Column("sealed_pin", sa.LargeBinary),
        sa.Column("if_held", sa.String(16), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("card_id", _Id),
        sa.Column("previous_user_id", _Id),
        sa.Column("user_card_id", _Id),
        sa.Column("reason", sa.Integer),
        sa.Column("description", sa.String(512), nullable=False),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("subject", sa.String(256), nullable=False),
        sa.Column("client", sa.String(256), nullable=False),
        sa.Column("create_time", _Time, nullable=False),
        sa.Column("update_time", _Time, nullable=False),
        sa.Column("expire_time", _Time, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("card_assignment_of_user", "card_assignment", ["user_id", "row_id"])
    op.create_index("card_assignment_of_device", "card_assignment", ["device_id", "row_id"])
    op.create_index("card_assignment_expiry", "card_assignment", ["state", "expire_time"])
    op.create_table(
        "card_assignment_event",
        sa.Column("sequence", _RowId, primary_key=True, autoincrement=True),
        sa.Column("card_assignment_id", _Id, nullable=False),
        sa.Column("time", _Time, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("card_request_sequence", sa.BigInteger, nullable=False),
        sa.Column("card_id", _Id),
        sa.Column("previous_user_id", _Id),
        sa.Column("user_card_id", _Id),
        sa.Column("reason", sa.Integer),
        sa.Column("description", sa.String(512), nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("card_assignment_event_of", "card_assignment_event", ["card_assignment_id", "sequence"])


def _fill() -> None:
    _fill_occupancies()
    op.execute("""
        INSERT INTO user_ (user_id, name, occupancy_id)
        SELECT old_user.user_id, old_user.name, occupancy.occupancy_id
        FROM old_user LEFT JOIN occupancy ON occupancy.ac_system_id = old_user.occupancy_ac_system_id
        ORDER BY old_user.place
    """)
    columns = """user_card_id, card_id, user_id, start_time, end_time, activation_time, deactivation_time,
        card_user_flags, sealed_pin"""
    op.execute(f"INSERT INTO user_card ({columns}) SELECT {columns} FROM old_user_card ORDER BY place")  # noqa: S608
    op.execute("""
        INSERT INTO card_type (card_type, name, max_internal_card_number, has_serial_number)
        SELECT 7, 'ISO/IEC 7813 account identification', 999999999999, FALSE WHERE NOT EXISTS (
            SELECT 1 FROM card_type WHERE card_type = 7 OR name = 'ISO/IEC 7813 account identification')
    """)
    _fill_events()


def _fill_occupancies() -> None:
    connection = op.get_bind()
    systems = connection.execute(
        sa.text("""
            SELECT ac_system_id, name FROM ac_system
            WHERE ac_system_id IN (SELECT occupancy_ac_system_id FROM old_user) ORDER BY name
        """)
    ).all()
    for system, name in systems:
        connection.execute(
            sa.text("INSERT INTO occupancy (occupancy_id, name, ac_system_id) VALUES (:key, :name, :system)"),
            {"key": str(uuid4()), "name": name, "system": system},
        )


_AUDIT = sa.text("""
    SELECT audit.audit_id, audit.time, audit.subject, audit.client, audit.card_id,
        old.user_card_id AS old_user_card_id, old.user_id AS old_user_id, old.start_time AS old_start_time,
        old.activation_time AS old_activation_time, old.deactivation_time AS old_deactivation_time,
        old.card_user_flags AS old_card_user_flags, old.sealed_pin IS NOT NULL AS old_has_pin,
        new.user_card_id AS new_user_card_id, new.user_id AS new_user_id, new.start_time AS new_start_time,
        new.activation_time AS new_activation_time, new.deactivation_time AS new_deactivation_time,
        new.card_user_flags AS new_card_user_flags, new.sealed_pin IS NOT NULL AS new_has_pin
    FROM audit JOIN user_card new ON new.user_card_id = audit.user_card_id
    LEFT JOIN user_card old ON old.user_card_id = audit.previous_user_card_id
    WHERE audit.audit_id > :last ORDER BY audit.audit_id LIMIT :size
""")
_EVENT = sa.text("""
    INSERT INTO user_card_event (time, kind, card_id, before, after, pin_changed, status_before, status_after,
        subject, client)
    VALUES (:time, :kind, :card_id, :before, :after, :pin_changed, 'GOOD', 'GOOD', :subject, :client)
""")


def _fill_events() -> None:
    connection = op.get_bind()
    last = 0
    while rows := connection.execute(_AUDIT, {"last": last, "size": BATCH}).mappings().all():
        connection.execute(_EVENT, [_event(row) for row in rows])
        last = rows[-1]["audit_id"]


def _event(row: Mapping[Any, Any]) -> dict[str, Any]:
    old, new = row["old_user_card_id"], row["new_user_card_id"]
    kind = "ASSIGNED" if old is None else "UPDATED" if old == new else "REPLACED"
    return {
        **{name: row[name] for name in ("time", "card_id", "subject", "client")},
        "kind": kind,
        "before": None if old is None else _image(row, "old"),
        "after": _image(row, "new"),
        "pin_changed": kind != "UPDATED" and bool(row["new_has_pin"]),
    }


def _image(row: Mapping[Any, Any], prefix: str) -> str:
    """Of an assignment while it stood."""
    picture = {
        "user_card_id": row[f"{prefix}_user_card_id"],
        "user_id": row[f"{prefix}_user_id"],
        "start_time": row[f"{prefix}_start_time"],
        "end_time": None,
        "activation_time": row[f"{prefix}_activation_time"],
        "deactivation_time": row[f"{prefix}_deactivation_time"],
        "card_user_flags": row[f"{prefix}_card_user_flags"],
        "has_pin": bool(row[f"{prefix}_has_pin"]),
    }
    return json.dumps(picture, separators=(",", ":"))
