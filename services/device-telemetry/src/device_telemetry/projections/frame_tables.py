"""Frames in bulk and what they add up to. These tables are not rebuilt from the log: the frames themselves are the record.

Every table has `chain_id` and row-level security, but `frame_positions` (places on the topic) and the partitions of `frames`: COPY does
not work under row-level security, so only the role `frames` may put rows into a partition, and nobody may read from one.
"""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    Double,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    Uuid,
)
from sqlalchemy.dialects.postgresql import JSONB

METADATA: Final = MetaData()
FRAMES_PARENT: Final = "frames"
DEFAULT_PARTITION: Final = "frames_default"

frames = Table(
    FRAMES_PARENT,
    METADATA,
    Column("chain_id", Uuid(), nullable=False),
    Column("device_id", Uuid(), nullable=False),
    Column("boot_id", Uuid(), nullable=False),
    Column("seq", BigInteger(), nullable=False),
    Column("stored_on", Date(), nullable=False),  # day of receipt, machine time, UTC: the partition
    Column("treatment_id", Uuid(), nullable=False),
    Column("received_at", DateTime(timezone=True), nullable=False),
    Column("device_ms", BigInteger(), nullable=False),
    Column("zone", Text(), nullable=False),
    Column("pass_no", SmallInteger(), nullable=False),
    Column("energy_set_mj", Double(), nullable=False),
    Column("energy_mj", Double(), nullable=False),
    Column("mtz_count", Integer(), nullable=False),
    Column("grid_row", SmallInteger(), nullable=False),
    Column("grid_col", SmallInteger(), nullable=False),
    Column("emission", Boolean(), nullable=False),
    Column("temp_tip_c", Double()),
    Column("fault_bits", Integer(), nullable=False),
    PrimaryKeyConstraint("chain_id", "device_id", "boot_id", "seq", "stored_on", name="frames_pkey"),
    Index("frames_of_treatment", "chain_id", "treatment_id"),
    postgresql_partition_by="RANGE (stored_on)",
)


def _sums() -> list[Column[int]]:
    return [Column(name, BigInteger(), nullable=False) for name in ("frames", "mtz_count", "energy_uj", "lesion_um2", "outside_table")]


frame_ranges = Table(
    "frame_ranges",
    METADATA,
    Column("chain_id", Uuid(), nullable=False),
    Column("device_id", Uuid(), nullable=False),
    Column("boot_id", Uuid(), nullable=False),
    Column("received", JSONB(), nullable=False),  # [[first, last], …]
    Column("newest_ms", BigInteger()),  # the latest of its frames, by the laser's own milliseconds; null = not known
    PrimaryKeyConstraint("chain_id", "device_id", "boot_id", name="frame_ranges_pkey"),
)

recordings = Table(
    "recordings",
    METADATA,
    Column("chain_id", Uuid(), nullable=False),
    Column("treatment_id", Uuid(), nullable=False),
    Column("boot_id", Uuid(), nullable=False),
    Column("device_id", Uuid(), nullable=False),
    Column("first_seq", BigInteger(), nullable=False),
    Column("last_seq", BigInteger()),
    Column("highest_seq", BigInteger(), nullable=False),
    Column("last_received_at", DateTime(timezone=True)),
    Column("first_delivered_at", DateTime(timezone=True)),
    Column("duplicates", BigInteger(), nullable=False, server_default="0"),  # frames that came once more
    Column("last_seq_at", DateTime(timezone=True)),  # when `last_seq` was first said, domain time; null = before that was noted
    PrimaryKeyConstraint("chain_id", "treatment_id", "boot_id", name="recordings_pkey"),
)

zone_sums = Table(
    "zone_sums",
    METADATA,
    Column("chain_id", Uuid(), nullable=False),
    Column("treatment_id", Uuid(), nullable=False),
    Column("zone", Text(), nullable=False),
    *_sums(),
    PrimaryKeyConstraint("chain_id", "treatment_id", "zone", name="zone_sums_pkey"),
)

cell_sums = Table(
    "cell_sums",
    METADATA,
    Column("chain_id", Uuid(), nullable=False),
    Column("treatment_id", Uuid(), nullable=False),
    Column("zone", Text(), nullable=False),
    Column("grid_row", SmallInteger(), nullable=False),
    Column("grid_col", SmallInteger(), nullable=False),
    *_sums(),
    PrimaryKeyConstraint("chain_id", "treatment_id", "zone", "grid_row", "grid_col", name="cell_sums_pkey"),
)

# Treatments whose stored frames have changed since the treatment's own stream was told.
frames_unsettled = Table(
    "frames_unsettled",
    METADATA,
    Column("chain_id", Uuid(), nullable=False),
    Column("treatment_id", Uuid(), nullable=False),
    Column("touched", BigInteger(), nullable=False),
    Column("findings", JSONB(), nullable=False),
    PrimaryKeyConstraint("chain_id", "treatment_id", name="frames_unsettled_pkey"),
)

frame_positions = Table(
    "frame_positions",
    METADATA,
    Column("topic", Text(), nullable=False),
    Column("partition", Integer(), nullable=False),
    Column("next_offset", BigInteger(), nullable=False),
    Column("caught_up_at", DateTime(timezone=True)),  # machine time of the last look that found nothing left
    PrimaryKeyConstraint("topic", "partition", name="frame_positions_pkey"),
    CheckConstraint("next_offset >= 0", name="frame_positions_not_negative"),
)
