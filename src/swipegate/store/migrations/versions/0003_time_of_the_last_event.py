"""The index of a card's events holds their times too."""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make the index anew; no row changes."""
    op.drop_index("user_card_event_of_card", "user_card_event")
    op.create_index("user_card_event_of_card", "user_card_event", ["card_id", "sequence", "time"])
