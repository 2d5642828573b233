"""A stream is read before the answer to a repeated command, so that none is told it is stale."""

from alembic import op

from erbium_kernel import schema
from erbium_kernel.migrating import run_script

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Both orders answer in rows that both versions read."""
    run_script(op, schema.text("aftercare", "006_load.sql"))


def downgrade() -> None:
    """Reads the same either way."""
