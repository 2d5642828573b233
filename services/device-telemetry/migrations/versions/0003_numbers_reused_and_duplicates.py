"""Two counts beside what is received: a number that is used again is noticed, and duplicates are shown in the report."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Only adds. A boot that was there before is not judged by a clock of which nothing is known, so its `newest_ms` stays null."""
    op.add_column("frame_ranges", sa.Column("newest_ms", sa.BigInteger(), nullable=True))
    op.add_column("recordings", sa.Column("duplicates", sa.BigInteger(), nullable=False, server_default="0"))


def downgrade() -> None:
    """Frames and sums stay as they are."""
    op.drop_column("recordings", "duplicates")
    op.drop_column("frame_ranges", "newest_ms")
