"""Signs of life before the newest one are kept too."""

from alembic import op

from erbium_kernel import schema
from erbium_kernel.migrating import run_script

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Only adds: processes of the version before go on beside it."""
    run_script(op, schema.text("scheduling", "004_heartbeats.sql"))


def downgrade() -> None:
    """The newest ones stay."""
    op.drop_column("heartbeats", "earlier")
