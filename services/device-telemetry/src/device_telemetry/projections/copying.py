"""Frames in the binary form of COPY, as one buffer: no object for a row or a value of it.

Source: PostgreSQL manual, COPY, "Binary Format": a head, each field behind its length in bytes (-1 = null), big-endian; a tail.
"""

import struct
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from typing import Any, Final
from uuid import UUID

import numpy as np

from device_telemetry.frames.absorbing import Fresh
from device_telemetry.frames.columns import ZONES, Columns

HEAD: Final = b"PGCOPY\n\xff\r\n\0" + struct.pack(">ii", 0, 0)
TAIL: Final = struct.pack(">h", -1)
NULL: Final = -1
_DAY_ZERO: Final = date(2000, 1, 1)
_TIME_ZERO: Final = datetime(2000, 1, 1, tzinfo=UTC)
COLUMNS: Final = (
    "chain_id", "device_id", "boot_id", "treatment_id", "received_at", "stored_on", "zone", "seq", "device_ms", "pass_no",
    "energy_set_mj", "energy_mj", "mtz_count", "grid_row", "grid_col", "emission", "fault_bits", "temp_tip_c",
)  # fmt: skip
_VARYING: Final = {
    "seq": ">i8", "device_ms": ">i8", "pass_no": ">i2", "energy_set_mj": ">f8", "energy_mj": ">f8", "mtz_count": ">i4",
    "grid_row": ">i2", "grid_col": ">i2", "emission": "?", "fault_bits": ">i4", "temp_tip_c": ">f8",
}  # fmt: skip


def copied(chain_id: UUID, fresh: Sequence[Fresh]) -> bytes:
    """The rows of these frames, in the order of `COLUMNS`, for one day's partition."""
    return b"".join((HEAD, *(rows for one in fresh for rows in _rows(chain_id, one)), TAIL))


def _rows(chain_id: UUID, fresh: Fresh) -> Iterator[bytes]:
    """Rows of the same zone, with or without a temperature, are of the same length: nearly always the whole batch."""
    columns = fresh.columns
    unknown = np.isnan(columns.temp_tip_c)
    for place in np.unique(columns.zone):
        for without in (False, True):
            chosen = (columns.zone == place) & (unknown == without)
            if chosen.any():
                yield _alike(chain_id, fresh, ZONES[place], columns.where(chosen), known=not without)


def _alike(chain_id: UUID, fresh: Fresh, zone: str, columns: Columns, *, known: bool) -> bytes:
    header, receipt = fresh.arrival.batch.header, fresh.arrival.receipt
    constant = (
        *(one.bytes for one in (chain_id, header.device_id, header.boot_id, header.treatment_id)),
        struct.pack(">q", _microseconds(receipt.received_at)),
        struct.pack(">i", (receipt.stored_at.astimezone(UTC).date() - _DAY_ZERO).days),
        zone.encode(),
    )
    head = struct.pack(">h", len(COLUMNS)) + b"".join(struct.pack(">i", len(value)) + value for value in constant)
    varying = {name: form for name, form in _VARYING.items() if known or name != "temp_tip_c"}
    layout: list[Any] = [("head", f"V{len(head)}")]
    for name, form in varying.items():
        layout += [(f"bytes of {name}", ">i4"), (name, form)]
    rows = np.empty(len(columns), dtype=layout if known else [*layout, ("bytes of temp_tip_c", ">i4")])
    rows["head"] = np.void(head)
    for name, form in varying.items():
        rows[f"bytes of {name}"] = np.dtype(form).itemsize
        rows[name] = getattr(columns, name)
    if not known:
        rows["bytes of temp_tip_c"] = NULL
    return rows.tobytes()


def _microseconds(at: datetime) -> int:
    since = at - _TIME_ZERO
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
