"""Clinics, rooms, licences, lasers, visits, busy times, patients."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from erbium_kernel.migrating import secure

revision = "0002"
down_revision = "0001"

TABLES = ("clinics", "rooms", "licences", "lasers", "visits", "busy", "patients")


def upgrade() -> None:
    """Creates the read tables, each of one chain at a time."""
    _places()
    _people()
    _visits()
    for table in TABLES:
        secure(op, "scheduling", table)


def _places() -> None:
    op.create_table(
        "clinics",
        sa.Column("chain_id", sa.Uuid(), nullable=False),
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("time_zone", sa.Text(), nullable=False),
        sa.Column("hours", JSONB(), nullable=False),
        sa.PrimaryKeyConstraint("chain_id", "clinic_id", name="clinics_pkey"),
    )
    op.create_table(
        "rooms",
        sa.Column("chain_id", sa.Uuid(), nullable=False),
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("room_id", sa.Uuid(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("laser_ready", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("chain_id", "clinic_id", "room_id", name="rooms_pkey"),
    )
    op.create_table(
        "lasers",
        sa.Column("chain_id", sa.Uuid(), nullable=False),
        sa.Column("device_id", sa.Uuid(), nullable=False),
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("modalities", ARRAY(sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("chain_id", "device_id", name="lasers_pkey"),
    )


def _people() -> None:
    op.create_table(
        "licences",
        sa.Column("chain_id", sa.Uuid(), nullable=False),
        sa.Column("practitioner_id", sa.Uuid(), nullable=False),
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("visit_kinds", ARRAY(sa.Text()), nullable=False),
        sa.Column("modalities", ARRAY(sa.Text()), nullable=False),
        sa.Column("licensed_until", sa.Date(), nullable=True),
        sa.Column("hours", JSONB(), nullable=False),
        sa.PrimaryKeyConstraint("chain_id", "practitioner_id", "clinic_id", name="licences_pkey"),
    )
    op.create_table(
        "patients",
        sa.Column("chain_id", sa.Uuid(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("name", JSONB(), nullable=False),
        sa.PrimaryKeyConstraint("chain_id", "patient_id", name="patients_pkey"),
    )


def _visits() -> None:
    op.create_table(
        "visits",
        sa.Column("chain_id", sa.Uuid(), nullable=False),
        sa.Column("visit_id", sa.Uuid(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("on", sa.Date(), nullable=False),
        sa.Column("time_zone", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("modality", sa.Text(), nullable=True),
        sa.Column("zones", ARRAY(sa.Text()), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("practitioner_id", sa.Uuid(), nullable=False),
        sa.Column("room_id", sa.Uuid(), nullable=False),
        sa.Column("device_id", sa.Uuid(), nullable=True),
        sa.Column("standing", sa.Text(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=True),
        sa.Column("until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("clearance_id", sa.Uuid(), nullable=True),
        sa.Column("checked_in", sa.Boolean(), nullable=False),
        sa.Column("changes", sa.Boolean(), nullable=True),
        sa.Column("same_day_approved", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("chain_id", "visit_id", name="visits_pkey"),
    )
    op.create_index("visits_by_clinic_day", "visits", ["chain_id", "clinic_id", "on", "starts_at", "visit_id"])
    op.create_table(
        "busy",
        sa.Column("chain_id", sa.Uuid(), nullable=False),
        sa.Column("holder", sa.Uuid(), nullable=False),
        sa.Column("resource_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("chain_id", "holder", "resource_id", name="busy_pkey"),
    )
    op.create_index("busy_by_resource", "busy", ["chain_id", "resource_id", "ends_at"])


def downgrade() -> None:
    """Read tables may be dropped: a rebuild makes them again."""
    for table in TABLES:
        op.drop_table(table)
