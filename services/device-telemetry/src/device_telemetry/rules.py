"""The records that `rules/*.toml` is read into: numbers of the guard, zones, laser models, faults. No clinical number here."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from device_telemetry.dose import LesionTable

Modality = Literal["nafl_1550", "nafl_1927", "afl_2940", "afl_10600"]
Zone = Literal["face", "forehead", "cheeks", "nose", "perioral", "periorbital", "eyelid", "neck", "chest", "hands"]
Severity = Literal["INFO", "WARN", "PAUSE", "STOP", "LOCKOUT"]


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardNumbers:
    """The numbers that a treatment is bound with; they stay with it when the rules change."""

    version: int
    over_plan_percent: int
    screening_age_seconds_max: int
    silence_minutes: int
    unstarted_minutes: int
    backfill_hours: int
    totals_behind_seconds_max: int
    area_ratio_max: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Zones:
    """The tree of zones (child -> parent) and the usual area of each."""

    version: int
    parents: Mapping[str, str]
    areas_cm2: Mapping[str, float]

    def line(self, zone: str) -> tuple[str, ...]:
        """The zone and everything it is part of, nearest first."""
        found = [zone]
        while parent := self.parents.get(found[-1]):
            found.append(parent)
        return tuple(found)

    def part_of(self, zone: str, others: tuple[str, ...]) -> bool:
        """Whether the zone is one of these or lies inside one: what a clearance for `others` covers."""
        return any(ancestor in others for ancestor in self.line(zone))


@dataclass(frozen=True, slots=True, kw_only=True)
class ModalityLesions:
    """The lesion table of one modality of a laser."""

    modality: str
    table: LesionTable


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceModel:
    """A kind of laser, `label` in words. `lesions` may lack a modality: then that one cannot be treated with."""

    name: str
    label: str
    version: int
    modalities: tuple[str, ...]
    lesions: tuple[ModalityLesions, ...]
    grid_cell_mm: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """All rule tables of this service."""

    guard: GuardNumbers
    zones: Zones
    models: Mapping[str, DeviceModel]
    faults: Mapping[str, Severity]
