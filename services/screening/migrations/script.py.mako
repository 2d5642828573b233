"""${message}"""
${'\n' + imports if imports else ''}
import sqlalchemy as sa
from alembic import op

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}


def upgrade() -> None:
    """What this version adds: expand here, contract in a later deploy."""
    ${upgrades if upgrades else "pass"}


def downgrade() -> None:
    """The way back, while the version before still runs."""
    ${downgrades if downgrades else "pass"}
