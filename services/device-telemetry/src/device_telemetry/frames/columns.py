"""Frames as columns of numbers: what is done with all frames of a batch is done column by column."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Final, get_args

import numpy as np
from numpy.typing import NDArray

from device_telemetry.frames.codec import Frame
from device_telemetry.rules import Zone

ZONES: Final[tuple[str, ...]] = get_args(Zone)  # a zone is its place in here
_PLACES: Final = {zone: place for place, zone in enumerate(ZONES)}


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """The fields of `Frame`, one array each. `zone`: place in `ZONES`; `temp_tip_c`: not a number where the laser did not say."""

    seq: NDArray[np.int64]
    device_ms: NDArray[np.int64]
    zone: NDArray[np.uint8]
    pass_no: NDArray[np.int16]
    energy_set_mj: NDArray[np.float64]
    energy_mj: NDArray[np.float64]
    mtz_count: NDArray[np.int64]
    grid_row: NDArray[np.int16]
    grid_col: NDArray[np.int16]
    emission: NDArray[np.bool_]
    temp_tip_c: NDArray[np.float64]
    fault_bits: NDArray[np.int32]

    def __len__(self) -> int:
        """How many frames."""
        return len(self.seq)

    def where(self, chosen: NDArray[np.bool_]) -> "Columns":
        """Only the frames that are chosen."""
        return self if chosen.all() else Columns(*(getattr(self, field.name)[chosen] for field in fields(self)))


def columns_of(frames: Sequence[Frame]) -> Columns:
    """In the order given."""
    return Columns(
        seq=np.array([frame.seq for frame in frames], np.int64),
        device_ms=np.array([frame.device_ms for frame in frames], np.int64),
        zone=np.array([_PLACES[frame.zone] for frame in frames], np.uint8),
        pass_no=np.array([frame.pass_no for frame in frames], np.int16),
        energy_set_mj=np.array([frame.energy_set_mj for frame in frames], np.float64),
        energy_mj=np.array([frame.energy_mj for frame in frames], np.float64),
        mtz_count=np.array([frame.mtz_count for frame in frames], np.int64),
        grid_row=np.array([frame.grid_row for frame in frames], np.int16),
        grid_col=np.array([frame.grid_col for frame in frames], np.int16),
        emission=np.array([frame.emission for frame in frames], np.bool_),
        temp_tip_c=np.array([frame.temp_tip_c for frame in frames], np.float64),  # None becomes "not a number"
        fault_bits=np.array([frame.fault_bits for frame in frames], np.int32),
    )


def groups(keys: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.intp], NDArray[np.intp]]:
    """(the different keys, the order that brings equal ones together, where each key begins in that order). `keys` is not empty."""
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    starts = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))
    return ordered[starts], order, starts
