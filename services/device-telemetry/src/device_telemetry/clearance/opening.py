"""Whether a treatment may open: each rule one function, decided on the clearance's own stream."""

from collections.abc import Iterator
from datetime import date

from device_telemetry import dose
from device_telemetry.binding import Binding, ScreeningCopy, TreatmentIds, ZonePlan
from device_telemetry.clearance import refusals
from device_telemetry.clearance.commands import OpenTreatment
from device_telemetry.clearance.events import CheckInHeard, GrantHeard
from device_telemetry.clearance.state import Clearance
from device_telemetry.dose import LesionTable
from erbium_kernel.clinical_dates import local_date


def opened(command: OpenTreatment, state: Clearance) -> Binding:
    """What the treatment is bound to. Raises: Rejected, the gravest reason first."""
    grant = _standing(state)
    check_in = _check_in(command, state, grant)
    today = local_date(command.at, check_in.time_zone)
    _day(state, grant, check_in, today)
    lesions = _device(command, grant, check_in)
    _zones(command, grant, check_in)
    _settings(command, grant, lesions)
    screening = _screening(command)
    return Binding(
        ids=_ids(command, grant, check_in),
        on=today,
        bound_at=command.at,
        plan=command.plan,
        limits=grant.limits,
        lesions=lesions,
        grid_cell_mm=command.device.grid_cell_mm,
        guard=command.rules.guard,
        screening=screening,
        same_day_approved=state.visit(command.visit_id).same_day is not None,
    )


def _standing(state: Clearance) -> GrantHeard:
    if state.ended is not None:
        raise refusals.ClearanceEnded(ended=state.ended)
    if state.suspended:
        raise refusals.ClearanceSuspended
    if state.grant is None:
        raise refusals.ClearanceUnheard
    return state.grant


def _check_in(command: OpenTreatment, state: Clearance, grant: GrantHeard) -> CheckInHeard:
    visit = state.visit(command.visit_id)
    if visit.check_in is None:
        raise refusals.NotCheckedIn
    if visit.check_in.patient_id != grant.patient_id or visit.check_in.modality not in (None, grant.modality):
        raise refusals.VisitOfAnotherPatient
    if visit.treated:
        raise refusals.VisitAlreadyTreated
    if state.open_treatment is not None:
        raise refusals.TreatmentAlreadyOpen(treatment_id=str(state.open_treatment))
    return visit.check_in


def _day(state: Clearance, grant: GrantHeard, check_in: CheckInHeard, today: date) -> None:
    if check_in.on != today:
        raise refusals.VisitNotToday(visit_on=check_in.on.isoformat(), today=today.isoformat())
    if not grant.valid_from <= today <= grant.valid_until:
        dates = {"valid_from": grant.valid_from.isoformat(), "valid_until": grant.valid_until.isoformat()}
        raise refusals.ClearanceNotValidToday(today=today.isoformat(), **dates)
    match state.visit(check_in.visit_id).attested_on(today):
        case "not":
            raise refusals.NotAttested(today=today.isoformat())
        case "changed":
            raise refusals.ChangesAttested(today=today.isoformat())
        case "unchanged":
            return


def _device(command: OpenTreatment, grant: GrantHeard, check_in: CheckInHeard) -> LesionTable:
    device = command.device
    if device.clinic_id != check_in.clinic_id:
        raise refusals.DeviceNotOfClinic(device_id=str(device.device_id))
    if device.locked_out is not None:
        raise refusals.DeviceOutOfUse(device_id=str(device.device_id), fault=device.locked_out)
    if grant.modality not in device.modalities or device.lesions is None:
        raise refusals.WrongModality(device_id=str(device.device_id), modality=grant.modality)
    return device.lesions


def _zones(command: OpenTreatment, grant: GrantHeard, check_in: CheckInHeard) -> None:
    tree, planned = command.rules.zones, [plan.zone for plan in command.plan]
    booked = check_in.zones or grant.zones
    refused = {zone for zone in planned if not (tree.part_of(zone, grant.zones) and tree.part_of(zone, booked))}
    twice = {zone for i, zone in enumerate(planned) if tree.part_of(zone, tuple(planned[:i] + planned[i + 1 :]))}
    if refused or twice or not planned:
        raise refusals.ZonesNotCleared(zones=sorted(refused | twice), cleared=list(grant.zones))


def _settings(command: OpenTreatment, grant: GrantHeard, lesions: LesionTable) -> None:
    broken = [limit for plan in command.plan for limit in _broken(plan, command, grant, lesions)]
    if broken:
        raise refusals.BeyondLimits(limits=broken)


def _broken(plan: ZonePlan, command: OpenTreatment, grant: GrantHeard, lesions: LesionTable) -> Iterator[str]:
    limits, zone = grant.limits, plan.zone
    usual_cm2 = command.rules.zones.areas_cm2[zone]
    if plan.area_cm2 > usual_cm2 * command.rules.guard.area_ratio_max:
        yield f"{zone}: area_cm2 {plan.area_cm2:g} against a usual {usual_cm2:g}"
    if plan.density_mtz_per_cm2 > limits.density_mtz_per_cm2_max:
        yield f"{zone}: density_mtz_per_cm2 {plan.density_mtz_per_cm2:.0f} above {limits.density_mtz_per_cm2_max:g}"
    energy = plan.energy_mj_per_mtz
    if not limits.energy_mj_per_mtz_min <= energy <= limits.energy_mj_per_mtz_max:
        yield f"{zone}: energy_mj_per_mtz {energy:g} outside {limits.energy_mj_per_mtz_min:g} to {limits.energy_mj_per_mtz_max:g}"
    if not dose.within_table(lesions, energy):
        yield f"{zone}: energy_mj_per_mtz {energy:g} outside the laser's lesion table"
        return
    coverage = dose.planned_coverage_percent(lesions, plan.density_mtz_per_cm2, energy)
    if dose.whole_percent(coverage) > limits.coverage_percent_max:
        yield f"{zone}: coverage_percent {coverage:.1f} above {limits.coverage_percent_max:g}"


def _screening(command: OpenTreatment) -> ScreeningCopy:
    age = command.screening_age_seconds
    if age is not None and age <= command.rules.guard.screening_age_seconds_max:
        return ScreeningCopy(age_seconds=age)
    if command.attesting_doctor is None:
        raise refusals.ScreeningStale(age_seconds=age, age_seconds_max=command.rules.guard.screening_age_seconds_max)
    return ScreeningCopy(age_seconds=age, attested_by=command.attesting_doctor)


def _ids(command: OpenTreatment, grant: GrantHeard, check_in: CheckInHeard) -> TreatmentIds:
    return TreatmentIds(
        treatment_id=command.treatment_id,
        patient_id=grant.patient_id,
        visit_id=command.visit_id,
        clearance_id=grant.clearance_id,
        clinic_id=check_in.clinic_id,
        device_id=command.device.device_id,
        modality=grant.modality,
        zones=tuple(plan.zone for plan in command.plan),
        time_zone=check_in.time_zone,
    )
