"""A stream may be read from the event on that carries its state forward."""

from alembic import op

from erbium_kernel import schema
from erbium_kernel.migrating import run_script

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """A function beside the one that the version before calls."""
    run_script(op, schema.text("aftercare", "007_carried_forward.sql"))


def downgrade() -> None:
    """The version before does not call it."""
