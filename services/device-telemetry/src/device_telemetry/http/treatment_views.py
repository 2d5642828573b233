"""What is shown of a treatment, and what its requests hold."""

from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field

from device_telemetry.binding import Binding
from device_telemetry.frames.codec import SEQ_MAX
from device_telemetry.frames.consequences import Kept, delivered, gaps_by_boot
from device_telemetry.rulebook import RULES
from device_telemetry.rules import Zone
from device_telemetry.treatment.events import FinalSeq
from device_telemetry.treatment.state import Ended, GivenUp, Known, Opened, Running, Settled
from erbium_kernel.http import Body, View

Phase = Literal["opened", "running", "ended", "completed", "partially_completed", "given_up"]
GAPS_SHOWN_MAX = 100
BOOTS_MAX = 100


class ZonePlanBody(Body):
    """What one zone is to receive in all passes together."""

    zone: Annotated[Zone, Field(description="One that the clearance covers and the visit was booked for.")]
    area_cm2: Annotated[float | None, Field(gt=0, le=2_000, description="Surface in cm²; null: the usual area of the zone.")] = None
    planned_mtz: Annotated[int, Field(gt=0, le=10_000_000, description="Microbeams of all passes together.")]
    energy_mj_per_mtz: Annotated[float, Field(gt=0, le=1_000, description="Energy of each microbeam in mJ.")]


class FinalSeqBody(Body):
    """The last sequence number that the laser gave out for this treatment in one boot."""

    boot_id: Annotated[UUID, Field(description="The power-on of the laser, as in the headers of its frames.")]
    last_seq: Annotated[int, Field(ge=0, le=SEQ_MAX, description="Nothing after this number belongs to the treatment.")]


class OpenTreatmentBody(Body):
    """A treatment under a clearance, in a visit, on a laser."""

    treatment_id: Annotated[UUID | None, Field(description="Chosen by the caller, or made here.")] = None
    clearance_id: Annotated[UUID, Field(description="The one that the visit was checked in under.")]
    visit_id: Annotated[UUID, Field(description="Checked in today, and asked today whether anything has changed.")]
    device_id: Annotated[UUID, Field(description="The laser, claimed by the visit's clinic.")]
    zones: Annotated[list[ZonePlanBody], Field(min_length=1, max_length=10, description="What each zone is to receive.")]
    attest_stale_screening: Annotated[
        bool, Field(description="A doctor at the laser answers for it that no suspension is under way unheard.")
    ] = False


class EndTreatmentBody(Body):
    """`finals` lets the totals become final as soon as the last frame is stored."""

    finals: Annotated[
        list[FinalSeqBody], Field(max_length=BOOTS_MAX, description="Where the treatment ended, in each power-on of the laser.")
    ] = Field(default_factory=list)


class AbortTreatmentBody(EndTreatmentBody):
    """Why it was broken off."""

    cause: Annotated[Literal["operator", "patient_wish", "device_fault", "adverse_reaction"], Field(description="What led to it.")]


class LimitsView(View):
    """What the clearance allows at most."""

    energy_mj_per_mtz_min: float
    energy_mj_per_mtz_max: float
    density_mtz_per_cm2_max: float
    coverage_percent_max: float
    passes_max: int


class ZonePlanView(View):
    """What one zone is to receive."""

    zone: str
    area_cm2: float
    planned_mtz: int
    energy_mj_per_mtz: float


class OpenedView(View):
    """A treatment that may begin, and what it is bound to: the laser downloads this."""

    treatment_id: UUID
    patient_id: UUID
    visit_id: UUID
    clearance_id: UUID
    clinic_id: UUID
    device_id: UUID
    modality: str
    on: date
    time_zone: str
    plan: list[ZonePlanView]
    limits: LimitsView
    grid_cell_mm: float
    screening_age_seconds: float | None
    screening_attested_by: str | None


class ZoneTotalsView(View):
    """What one zone has received. `coverage_percent` is overlap-corrected; `planned_mtz` null: this zone was not planned."""

    zone: str
    mtz_count: int
    energy_j: float
    area_cm2: float
    density_mtz_per_cm2: float
    coverage_percent: float
    planned_mtz: int | None


class GapView(View):
    """Frames that are missing, both ends included."""

    boot_id: UUID
    first_seq: int
    last_seq: int


class HoldView(View):
    """What stands in the laser's way."""

    cause: str
    command: Literal["PAUSE", "STOP"]


class TreatmentView(OpenedView):
    """A treatment as it stands. `provisional`: totals may still change, since frames are missing or may still come."""

    phase: Phase
    version: int
    started_at: datetime | None
    ended_at: datetime | None
    totals: list[ZoneTotalsView]
    provisional: bool
    gaps_open: int
    gaps: list[GapView]
    missing_frames: int
    holds: list[HoldView]
    closed_zones: list[str]


def finals_of(body: EndTreatmentBody) -> tuple[FinalSeq, ...]:
    """One per boot; the greatest, should one be named twice."""
    last: dict[UUID, int] = {}
    for final in body.finals:
        last[final.boot_id] = max(final.last_seq, last.get(final.boot_id, 0))
    return tuple(FinalSeq(boot_id=boot_id, last_seq=seq) for boot_id, seq in last.items())


def bound(binding: Binding) -> dict[str, Any]:
    """The fields of `OpenedView`."""
    ids = binding.ids
    who = {name: getattr(ids, name) for name in ("treatment_id", "patient_id", "visit_id", "clearance_id", "clinic_id", "device_id")}
    return who | {
        "modality": ids.modality,
        "on": binding.on,
        "time_zone": ids.time_zone,
        "plan": [ZonePlanView(**_fields(plan)) for plan in binding.plan],
        "limits": LimitsView(**_fields(binding.limits)),
        "grid_cell_mm": binding.grid_cell_mm,
        "screening_age_seconds": binding.screening.age_seconds,
        "screening_attested_by": binding.screening.attested_by,
    }


def _fields(record: Any) -> dict[str, Any]:
    return {name: getattr(record, name) for name in record.__slots__}


def phase_of(state: Known) -> Phase:
    """In one word."""
    match state:
        case Opened():
            return "opened"
        case Running():
            return "running"
        case Ended():
            return "ended"
        case Settled():
            return "completed" if state.whole and state.ended.cause != "aborted" else "partially_completed"
        case GivenUp():
            return "given_up"


def treatment_view(state: Known, version: int, kept: Kept) -> TreatmentView:
    """The stream's state with what the stored frames say at this moment."""
    finals = state.ended.finals if isinstance(state, Ended | Settled) else ()
    now = delivered(kept, state.binding, finals, RULES.zones.areas_cm2)
    gaps = gaps_by_boot(kept.recordings, finals)
    return TreatmentView(
        **bound(state.binding),
        phase=phase_of(state),
        version=version,
        started_at=state.started.started_at if isinstance(state, Running | Ended | Settled) else None,
        ended_at=state.ended.ended_at if isinstance(state, Ended | Settled) else None,
        totals=[ZoneTotalsView(**_fields(one)) for one in now.totals],
        provisional=not isinstance(state, Settled) or not now.whole,
        gaps_open=now.gaps_open,
        gaps=[GapView(boot_id=boot_id, first_seq=gap.first, last_seq=gap.last) for boot_id, gap in gaps[:GAPS_SHOWN_MAX]],
        missing_frames=now.missing_frames,
        holds=[HoldView(cause=cause, command=command) for cause, command in sorted(state.watch.holds.items())],
        closed_zones=sorted(state.watch.closed),
    )
