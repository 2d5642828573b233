"""Care plans, check-ins, adverse events, and whom to call."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from erbium_kernel.migrating import secure

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Creates the read tables, each of one chain at a time."""
    op.create_table(
        "care_plans",
        sa.Column("chain_id", sa.Uuid(), nullable=False),
        sa.Column("treatment_id", sa.Uuid(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("modality", sa.String(), nullable=False),
        sa.Column("treated_on", sa.Date(), nullable=False),
        sa.Column("basis", sa.String(), nullable=False),
        sa.Column("rules_version", sa.Integer(), nullable=False),
        sa.Column("instructions", JSONB(), nullable=False),
        sa.Column("level", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("chain_id", "treatment_id", name="care_plans_pkey"),
    )
    op.create_table(
        "check_ins",
        sa.Column("chain_id", sa.Uuid(), nullable=False),
        sa.Column("treatment_id", sa.Uuid(), nullable=False),
        sa.Column("day", sa.Integer(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("opened_on", sa.Date(), nullable=True),
        sa.Column("answered_on", sa.Date(), nullable=True),
        sa.Column("level", sa.String(), nullable=True),
        sa.Column("signs", JSONB(), nullable=True),
        sa.PrimaryKeyConstraint("chain_id", "treatment_id", "day", name="check_ins_pkey"),
    )
    op.create_table(
        "adverse_events",
        sa.Column("chain_id", sa.Uuid(), nullable=False),
        sa.Column("adverse_event_id", sa.Uuid(), nullable=False),
        sa.Column("treatment_id", sa.Uuid(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("level", sa.String(), nullable=False),
        sa.Column("signs", JSONB(), nullable=False),
        sa.Column("opened_on", sa.Date(), nullable=False),
        sa.Column("closed_on", sa.Date(), nullable=True),
        sa.PrimaryKeyConstraint("chain_id", "adverse_event_id", name="adverse_events_pkey"),
    )
    op.create_table(
        "patients",
        sa.Column("chain_id", sa.Uuid(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("name", JSONB(), nullable=True),
        sa.Column("contact", JSONB(), nullable=True),
        sa.PrimaryKeyConstraint("chain_id", "patient_id", name="patients_pkey"),
    )
    for table in ("care_plans", "check_ins", "adverse_events", "patients"):
        secure(op, "aftercare", table)


def downgrade() -> None:
    """Read tables may be dropped: a rebuild makes them again."""
    for table in ("care_plans", "check_ins", "adverse_events", "patients"):
        op.drop_table(table)
