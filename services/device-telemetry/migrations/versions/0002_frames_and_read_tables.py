"""Read tables, frames in daily partitions, and what the role `frames` may do."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from erbium_kernel.migrating import OF_THE_CHAIN, secure

revision = "0002"
down_revision = "0001"

SERVICE = "device-telemetry"
FRAMES = "device_telemetry_frames"
API = "device_telemetry_api"
WORK = "device_telemetry_work"
SUMS = ("frames", "mtz_count", "energy_uj", "lesion_um2", "outside_table")


def upgrade() -> None:
    """Nothing is dropped: the log's read tables are new, and so are the frames."""
    _devices()
    _treatments()
    _frames()
    _frame_ranges()
    _recordings()
    _sums("zone_sums", [sa.Column("zone", sa.Text(), nullable=False)])
    cell = [sa.Column("grid_row", sa.SmallInteger(), nullable=False), sa.Column("grid_col", sa.SmallInteger(), nullable=False)]
    _sums("cell_sums", [sa.Column("zone", sa.Text(), nullable=False), *cell])
    _unsettled()
    _positions()
    _rights()


def downgrade() -> None:
    """Refused: frames are the record of what was delivered."""
    raise NotImplementedError("frames are kept; drop the database instead")


def _uuid(name: str, *, nullable: bool = False) -> sa.Column:
    return sa.Column(name, sa.Uuid(), nullable=nullable)


def _at(name: str, *, nullable: bool = False) -> sa.Column:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _devices() -> None:
    op.create_table(
        "devices",
        _uuid("chain_id"),
        _uuid("device_id"),
        sa.Column("serial", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("modalities", postgresql.JSONB(), nullable=False),
        _uuid("clinic_id", nullable=True),
        sa.Column("locked_out", sa.Text()),
        _at("registered_at"),
        sa.PrimaryKeyConstraint("chain_id", "device_id", name="devices_pkey"),
    )
    secure(op, SERVICE, "devices")


def _treatments() -> None:
    op.create_table(
        "treatments",
        _uuid("chain_id"),
        *(_uuid(name) for name in ("treatment_id", "patient_id", "visit_id", "clearance_id", "clinic_id", "device_id")),
        sa.Column("modality", sa.Text(), nullable=False),
        sa.Column("zones", postgresql.JSONB(), nullable=False),
        sa.Column("on", sa.Date(), nullable=False),
        sa.Column("phase", sa.Text(), nullable=False),
        _at("opened_at"),
        _at("started_at", nullable=True),
        _at("ended_at", nullable=True),
        sa.PrimaryKeyConstraint("chain_id", "treatment_id", name="treatments_pkey"),
    )
    op.create_index("treatments_of_patient", "treatments", ["chain_id", "patient_id"])
    secure(op, SERVICE, "treatments")


def _frames() -> None:
    op.create_table(
        "frames",
        *(_uuid(name) for name in ("chain_id", "device_id", "boot_id")),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("stored_on", sa.Date(), nullable=False),
        _uuid("treatment_id"),
        _at("received_at"),
        sa.Column("device_ms", sa.BigInteger(), nullable=False),
        sa.Column("zone", sa.Text(), nullable=False),
        sa.Column("pass_no", sa.SmallInteger(), nullable=False),
        sa.Column("energy_set_mj", sa.Double(), nullable=False),
        sa.Column("energy_mj", sa.Double(), nullable=False),
        sa.Column("mtz_count", sa.Integer(), nullable=False),
        sa.Column("grid_row", sa.SmallInteger(), nullable=False),
        sa.Column("grid_col", sa.SmallInteger(), nullable=False),
        sa.Column("emission", sa.Boolean(), nullable=False),
        sa.Column("temp_tip_c", sa.Double()),
        sa.Column("fault_bits", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("chain_id", "device_id", "boot_id", "seq", "stored_on", name="frames_pkey"),
        postgresql_partition_by="RANGE (stored_on)",
    )
    op.create_index("frames_of_treatment", "frames", ["chain_id", "treatment_id"])
    op.execute("CREATE TABLE frames_default PARTITION OF frames DEFAULT")
    op.execute(f'GRANT INSERT ON frames_default TO "{FRAMES}"')
    op.execute(ENSURE_PARTITIONS)
    op.execute("REVOKE ALL ON FUNCTION ensure_frame_partitions() FROM PUBLIC")
    op.execute(f'GRANT EXECUTE ON FUNCTION ensure_frame_partitions() TO "{FRAMES}"')
    op.execute("SELECT ensure_frame_partitions()")


# Runs as the owner, whoever calls it: no process that serves may alter tables, yet tomorrow's partition must be there tomorrow.
# A day whose frames already lie in the default partition keeps them there.
ENSURE_PARTITIONS = f"""
CREATE FUNCTION ensure_frame_partitions() RETURNS integer LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_days_ahead constant integer := 30;
    v_day date;
    v_name text;
    v_made integer := 0;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('ensure_frame_partitions', 0));
    FOR v_day IN SELECT current_date + d FROM generate_series(0, v_days_ahead) AS d LOOP
        v_name := 'frames_p' || to_char(v_day, 'YYYYMMDD');
        CONTINUE WHEN to_regclass(v_name) IS NOT NULL OR EXISTS (SELECT FROM frames_default WHERE stored_on = v_day);
        EXECUTE format('CREATE TABLE %I PARTITION OF frames FOR VALUES FROM (%L) TO (%L)', v_name, v_day, v_day + 1);
        EXECUTE format('GRANT INSERT ON %I TO "{FRAMES}"', v_name);
        v_made := v_made + 1;
    END LOOP;
    RETURN v_made;
END $$
"""


def _frame_ranges() -> None:
    op.create_table(
        "frame_ranges",
        *(_uuid(name) for name in ("chain_id", "device_id", "boot_id")),
        sa.Column("received", postgresql.JSONB(), nullable=False),
        sa.PrimaryKeyConstraint("chain_id", "device_id", "boot_id", name="frame_ranges_pkey"),
    )


def _recordings() -> None:
    op.create_table(
        "recordings",
        *(_uuid(name) for name in ("chain_id", "treatment_id", "boot_id", "device_id")),
        sa.Column("first_seq", sa.BigInteger(), nullable=False),
        sa.Column("last_seq", sa.BigInteger()),
        sa.Column("highest_seq", sa.BigInteger(), nullable=False),
        _at("last_received_at", nullable=True),
        _at("first_delivered_at", nullable=True),
        sa.PrimaryKeyConstraint("chain_id", "treatment_id", "boot_id", name="recordings_pkey"),
    )


def _sums(table: str, of: list[sa.Column]) -> None:
    op.create_table(
        table,
        _uuid("chain_id"),
        _uuid("treatment_id"),
        *of,
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in SUMS),
        sa.PrimaryKeyConstraint("chain_id", "treatment_id", *(column.name for column in of), name=f"{table}_pkey"),
    )


def _unsettled() -> None:
    op.create_table(
        "frames_unsettled",
        _uuid("chain_id"),
        _uuid("treatment_id"),
        sa.Column("touched", sa.BigInteger(), nullable=False),
        sa.Column("findings", postgresql.JSONB(), nullable=False),
        sa.PrimaryKeyConstraint("chain_id", "treatment_id", name="frames_unsettled_pkey"),
    )


def _positions() -> None:
    op.create_table(
        "frame_positions",
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("next_offset", sa.BigInteger(), nullable=False),
        _at("caught_up_at", nullable=True),
        sa.PrimaryKeyConstraint("topic", "partition", name="frame_positions_pkey"),
        sa.CheckConstraint("next_offset >= 0", name="frame_positions_not_negative"),
    )


def _rights() -> None:
    """`frames` puts frames into partitions without reading them, and keeps the sums; `api` and `work` read, through the parent."""
    for table in ("frames", "frame_ranges", "recordings", "zone_sums", "cell_sums", "frames_unsettled"):
        op.execute(f'ALTER TABLE "{table}" ENABLE ROW LEVEL SECURITY')
        op.execute(f'ALTER TABLE "{table}" FORCE ROW LEVEL SECURITY')
        op.execute(f'CREATE POLICY of_the_chain ON "{table}" USING ({OF_THE_CHAIN}) WITH CHECK ({OF_THE_CHAIN})')
    for table in ("frames", "frame_ranges", "recordings", "zone_sums", "cell_sums"):
        op.execute(f'GRANT SELECT ON "{table}" TO "{API}", "{WORK}"')
    for table in ("frame_ranges", "recordings", "zone_sums", "cell_sums"):
        op.execute(f'GRANT SELECT, INSERT, UPDATE ON "{table}" TO "{FRAMES}"')
    op.execute(f'GRANT SELECT, INSERT, UPDATE, DELETE ON frames_unsettled TO "{FRAMES}"')
    op.execute(f'CREATE POLICY all_chains ON frames_unsettled FOR SELECT TO "{FRAMES}" USING (true)')
    op.execute(f'CREATE POLICY all_chains ON frame_ranges FOR SELECT TO "{WORK}" USING (true)')  # how many gaps are open, over all
    op.execute(f'GRANT SELECT, INSERT, UPDATE ON frame_positions TO "{FRAMES}"')
    op.execute(f'GRANT INSERT ON unreadable TO "{FRAMES}"')
    op.execute(f'GRANT SELECT ON positions TO "{API}"')  # whether screening has been heard lately
