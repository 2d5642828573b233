"""What is asked of telemetry by those who treat."""

import random
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from device_telemetry.binding import Binding, ZonePlan
from device_telemetry.clearance.commands import OpenTreatment
from device_telemetry.clearance.decide import CLEARANCE
from device_telemetry.device.commands import ClaimDevice, RegisterDevice, ReleaseDevice, ReportFault
from device_telemetry.device.decide import DEVICE
from device_telemetry.frames.consequences import delivered
from device_telemetry.freshness import screening_age_seconds
from device_telemetry.http.treatments import _at_hand, _device
from device_telemetry.rulebook import RULES
from device_telemetry.treatment.commands import AbortTreatment, Delivered, EndTreatment, ResumeTreatment
from device_telemetry.treatment.decide import TREATMENT
from device_telemetry.treatment.state import Opened, Running
from erbium_kernel.clinical_dates import local_date
from erbium_kernel.http.call import Call
from tests.simulation.clients import Ask
from tests.simulation.lasers import Laser, start_sending
from tests.simulation.people import CHAIN, CLINICS, DOCTOR, PATIENTS, Clinic

if TYPE_CHECKING:
    from tests.simulation.world import World

SITE: Final = "device-telemetry"
ATTESTED: Final = 0.3  # how often a doctor answers for a stale copy of screening


def _nothing(*_: Any) -> None:
    return None


def _of_device(clinic: Clinic, name: str, make: Any) -> Ask:
    async def handle(call: Call) -> None:
        await call.execute(DEVICE, clinic.laser, make(call), render=_nothing)

    return Ask(site=SITE, name=name, handle=handle)


def register_laser(clinic: Clinic) -> Ask:
    """The clinic's laser becomes known."""
    model = RULES.models["ef-1550"]
    return _of_device(
        clinic, "register-laser", lambda call: RegisterDevice(device_id=clinic.laser, serial=clinic.serial, model=model, at=call.now())
    )


def claim_laser(clinic: Clinic) -> Ask:
    """The clinic takes it into use."""
    return _of_device(clinic, "claim-laser", lambda call: ClaimDevice(clinic_id=clinic.id, at=call.now()))


def fault(_: "World", chance: random.Random, __: int) -> Ask:
    """A laser reports a fault, maybe one that takes it out."""
    clinic, code = chance.choice(CLINICS), chance.choice(("F402", "F201"))
    severity = RULES.faults.get(code)
    return _of_device(clinic, "fault", lambda call: ReportFault(fault_id=call.new_id(), code=code, severity=severity, at=call.now()))


def release(laser: UUID) -> Ask:
    """The laser safety officer ends a lockout."""
    clinic = next(one for one in CLINICS if one.laser == laser)
    return _of_device(clinic, "release", lambda call: ReleaseDevice(by=str(DOCTOR), at=call.now()))


def ready(world: "World", who: int) -> list[tuple[UUID, Any]]:
    """Clearances of the patient with a check-in of today, asked about, nobody treated under it: as telemetry knows them."""
    seen = world.watch.seen[SITE]
    return [
        (id_, visit.check_in)
        for id_, clearance in seen.of("clearance")
        for visit in clearance.visits.values()
        if visit.check_in
        and visit.check_in.patient_id == PATIENTS[who]
        and visit.attestations
        and not visit.treated
        and clearance.open_treatment is None
        and not (clearance.suspended or clearance.ended)
        and local_date(seen.site.clock.now(), visit.check_in.time_zone) == visit.check_in.on
    ]


def open_anyway(world: "World", chance: random.Random, who: int) -> Ask | None:
    """Somebody at the laser tries, whatever scheduling says by now."""
    if not (found := ready(world, who)):
        return None
    clearance_id, check_in = chance.choice(found)
    return open_treatment(world, chance, check_in, clearance_id)


def open_treatment(world: "World", chance: random.Random, check_in: Any, clearance_id: UUID) -> Ask:
    """Begin the treatment of a visit under a clearance."""
    clinic = next(one for one in CLINICS if one.id == check_in.clinic_id)
    zone = chance.choice(check_in.zones)
    area_cm2 = RULES.zones.areas_cm2[zone]
    plan = (ZonePlan(zone=zone, area_cm2=area_cm2, planned_mtz=int(area_cm2 * 400), energy_mj_per_mtz=40.0),)
    attests = chance.random() < ATTESTED

    async def handle(call: Call) -> None:
        treatment_id = call.new_id()
        device = await _device(call, clinic.laser)
        clearance, _ = await call.state_of(CLEARANCE, clearance_id)
        age = None
        world.looked_us[world.turns.current] = world.time.us
        if clearance.grant is not None:
            age = await screening_age_seconds(call.runtime, CHAIN, clearance.grant.patient_id, pause=world.pause)
        command = OpenTreatment(
            treatment_id=treatment_id, visit_id=check_in.visit_id, device=_at_hand(device, clearance), plan=plan, screening_age_seconds=age,
            attesting_doctor=str(DOCTOR) if attests else None, rules=RULES, at=call.now(),
        )  # fmt: skip
        await call.execute(CLEARANCE, clearance_id, command, render=_nothing)

    return Ask(site=SITE, name="open-treatment", handle=handle)


def treatments_of(world: "World", who: int, *phases: type) -> list[tuple[UUID, Any]]:
    """The patient's treatments that are in one of these phases."""
    found: Iterator[tuple[UUID, Any]] = world.watch.seen[SITE].of("treatment")
    return [(id_, state) for id_, state in found if type(state) in phases and state.binding.ids.patient_id == PATIENTS[who]]


def _of_treatment(treatment_id: UUID, name: str, make: Any) -> Ask:
    async def handle(call: Call) -> None:
        await call.execute(TREATMENT, treatment_id, make(call.now()), render=_nothing)

    return Ask(site=SITE, name=name, handle=handle)


def deliver(world: "World", chance: random.Random, who: int) -> None:
    """The laser of one of the patient's treatments emits some frames, unless it was told not to, and sends what it has."""
    waiting = treatments_of(world, who, Opened, Running)
    if not waiting:
        return
    treatment_id, state = chance.choice(waiting)
    laser = world.lasers.setdefault(treatment_id, Laser(treatment_id, state.binding))
    if laser.told is None and not laser.ended:
        laser.emit(chance)
    start_sending(world, laser, chance)


async def _stored(world: "World", laser: Laser, binding: Binding) -> Delivered:
    kept = await world.frame_store.kept(CHAIN, laser.treatment_id, ())
    return delivered(kept, binding, laser.finals, RULES.zones.areas_cm2)


def _ending(world: "World", chance: random.Random, waiting: list[tuple[UUID, Any]], name: str, make: Any) -> Ask | None:
    """`make(delivered, finals, at)`. The laser emits no more, and sends the rest with its last number."""
    if not waiting:
        return None
    treatment_id, state = chance.choice(waiting)
    laser = world.lasers.setdefault(treatment_id, Laser(treatment_id, state.binding))
    laser.ended = True
    start_sending(world, laser, chance)
    finals = laser.finals

    async def handle(call: Call) -> None:
        command = make(await _stored(world, laser, state.binding), finals, call.now())
        await call.execute(TREATMENT, treatment_id, command, render=_nothing)

    return Ask(site=SITE, name=name, handle=handle)


def end(world: "World", chance: random.Random, who: int) -> Ask | None:
    """The operator ends it."""
    running = treatments_of(world, who, Running)
    return _ending(
        world, chance, running, "end", lambda what, finals, at: EndTreatment(cause="operator", delivered=what, finals=finals, at=at)
    )


def abort(world: "World", chance: random.Random, who: int) -> Ask | None:
    """Broken off."""
    running = treatments_of(world, who, Running, Opened)
    return _ending(
        world, chance, running, "abort",
        lambda what, finals, at: AbortTreatment(cause="patient_wish", delivered=what, finals=finals, at=at),
    )  # fmt: skip


def resume(world: "World", chance: random.Random, who: int) -> Ask | None:
    """Let the laser go on."""
    if not (running := treatments_of(world, who, Running)):
        return None
    treatment_id, _ = chance.choice(running)
    return _of_treatment(treatment_id, "resume", lambda at: ResumeTreatment(by=str(DOCTOR), by_doctor=True, at=at))
