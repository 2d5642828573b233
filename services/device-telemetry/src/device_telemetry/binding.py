"""What a treatment is bound to: who, where, which laser, within which limits. Written on the clearance's and on the treatment's stream."""

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from device_telemetry.dose import LesionTable
from device_telemetry.rules import GuardNumbers

IN_TREATMENT = "device-in-treatment"  # the unique name that an open treatment holds on its laser


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the clearance allows at most; caps on coverage are hard, compared as whole per cent."""

    energy_mj_per_mtz_min: float
    energy_mj_per_mtz_max: float
    density_mtz_per_cm2_max: float
    coverage_percent_max: float
    passes_max: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ZonePlan:
    """What one zone is to receive in all passes together."""

    zone: str
    area_cm2: float
    planned_mtz: int
    energy_mj_per_mtz: float

    @property
    def density_mtz_per_cm2(self) -> float:
        """Planned total density."""
        return self.planned_mtz / self.area_cm2


@dataclass(frozen=True, slots=True, kw_only=True)
class TreatmentIds:
    """The persons, places and things of one treatment, as every fact about it names them. `zones` are the planned ones."""

    treatment_id: UUID
    patient_id: UUID
    visit_id: UUID
    clearance_id: UUID
    clinic_id: UUID
    device_id: UUID
    modality: str
    zones: tuple[str, ...]
    time_zone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ScreeningCopy:
    """How old this service's copy of screening was at the opening, and the doctor who attested if it was too old.

    Units: `age_seconds` machine time; None = never heard, or this patient is parked.
    """

    age_seconds: float | None
    attested_by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """One treatment and everything its guard needs, fixed at the opening. Units: `on` local date, `bound_at` UTC."""

    ids: TreatmentIds
    on: date
    bound_at: datetime
    plan: tuple[ZonePlan, ...]
    limits: Limits
    lesions: LesionTable
    grid_cell_mm: float
    guard: GuardNumbers
    screening: ScreeningCopy
    same_day_approved: bool

    def planned(self, zone: str) -> ZonePlan | None:
        """The plan of this very zone."""
        return next((plan for plan in self.plan if plan.zone == zone), None)

    @property
    def cell_area_cm2(self) -> float:
        """The area of one cell of the recording's grid."""
        return (self.grid_cell_mm / 10) ** 2
