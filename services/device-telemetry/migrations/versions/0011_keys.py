"""Persons' keys are asked for and made in one round trip."""

from alembic import op

from erbium_kernel import schema
from erbium_kernel.migrating import run_script

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Only adds: processes of the version before go on beside it."""
    run_script(op, schema.text("device-telemetry", "009_keys.sql"))


def downgrade() -> None:
    """Only what this version calls goes."""
    op.execute("DROP FUNCTION erbium_keys")
