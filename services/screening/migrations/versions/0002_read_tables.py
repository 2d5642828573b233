"""Patients and clearances, as lists show them. Read tables: they may be dropped and rebuilt from the log."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from erbium_kernel.migrating import secure

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Creates the tables, one chain's rows visible at a time."""
    op.create_table(
        "patients",
        sa.Column("chain_id", sa.Uuid(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("name", JSONB(), nullable=False),
        sa.Column("birth_date", JSONB(), nullable=False),
        sa.Column("contact", JSONB(), nullable=True),
        sa.Column("registered_on", sa.Date(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("chain_id", "patient_id", name="patients_pkey"),
    )
    secure(op, "screening", "patients")
    op.create_table(
        "clearances",
        sa.Column("chain_id", sa.Uuid(), nullable=False),
        sa.Column("clearance_id", sa.Uuid(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("modality", sa.Text(), nullable=False),
        sa.Column("zones", JSONB(), nullable=False),
        sa.Column("indication", sa.Text(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("standing", sa.Text(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=True),
        sa.Column("valid_until", sa.Date(), nullable=True),
        sa.Column("earliest", sa.Date(), nullable=True),
        sa.Column("decided_on", sa.Date(), nullable=False),
        sa.Column("decided_by", sa.Uuid(), nullable=False),
        sa.Column("limits", JSONB(), nullable=True),
        sa.Column("reasons", JSONB(), nullable=False),
        sa.Column("missing", JSONB(), nullable=False),
        sa.Column("trace", JSONB(), nullable=False),
        sa.Column("rulebook_version", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("chain_id", "clearance_id", name="clearances_pkey"),
    )
    op.create_index("clearances_of_patient", "clearances", ["chain_id", "patient_id", "clearance_id"])
    secure(op, "screening", "clearances")


def downgrade() -> None:
    """Read tables are rebuilt, so dropping them loses nothing."""
    op.drop_table("clearances")
    op.drop_table("patients")
