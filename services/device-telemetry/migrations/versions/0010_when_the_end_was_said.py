"""When a laser said where a treatment ended: before that, what was missing up to there was not missing yet."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Only adds: processes of the version before go on beside it, and leave null what they do not know."""
    op.add_column("recordings", sa.Column("last_seq_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    """What was said stays, only not when."""
    op.drop_column("recordings", "last_seq_at")
