"""The log and what belongs to it."""

from alembic import op

from erbium_kernel.migrating import install_kernel

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Installs the kernel's tables, functions, policies and grants."""
    install_kernel(op, "screening")


def downgrade() -> None:
    """Refused: the log is append-only."""
    raise NotImplementedError("the log is append-only; drop the database instead")
