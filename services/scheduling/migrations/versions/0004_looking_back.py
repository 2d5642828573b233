"""Read tables as they were recorded at an instant: the API makes them for one question, so it may have temporary ones."""

from alembic import op

from erbium_kernel import schema
from erbium_kernel.migrating import run_script

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Only adds: processes of the version before go on beside it."""
    run_script(op, schema.text("scheduling", "005_looking_back.sql"))


def downgrade() -> None:
    """The right stays: nobody else uses it."""
