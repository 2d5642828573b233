"""Commands load what they are decided on, and append what they decided, many at once."""

from alembic import op

from erbium_kernel import schema
from erbium_kernel.migrating import run_script

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Beside the functions of before, which processes of the version before still call."""
    run_script(op, schema.text("scheduling", "007_commands.sql"))


def downgrade() -> None:
    """Only what this version calls goes."""
    for function in ("erbium_append_group", "erbium_load_group"):
        op.execute(f"DROP FUNCTION {function}")
