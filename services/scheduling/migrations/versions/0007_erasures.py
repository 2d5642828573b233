"""A database knows its place, so that a restored one is told first who was erased meanwhile."""

from alembic import op

from erbium_kernel import schema
from erbium_kernel.migrating import run_script

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Only adds: processes of the version before go on beside it."""
    run_script(op, schema.text("scheduling", "008_erasures.sql"))


def downgrade() -> None:
    """The columns stay: nobody else uses them."""
