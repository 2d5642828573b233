"""A past for the databases: as if they had been restored with it, since everything of an older epoch comes before what is written now."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from functools import partial
from typing import Any, Final
from uuid import UUID

import asyncpg

from bench.ground import Ground, connect
from bench.patience import until
from bench.patients import FACTS
from erbium_kernel.personal import Personal, Sealed
from erbium_kernel.running import codec_of
from erbium_kernel.service import Service

PATIENTS: Final = 2_000  # of a young installation: 20,000 events
PATIENTS_QUICK: Final = 300
FRAMES_OF_A_PATIENT: Final = 40
ANYBODY: Final = UUID("00000000-0000-4000-8000-000000000000")  # stands where each patient's id goes
ANYTHING: Final = UUID("00000000-0000-4000-8000-000000000001")  # stands where an id of its own goes
TIME_ZONE: Final = "Europe/Madrid"

QUIET_SECONDS_MAX: Final = 60.0
BEHIND: Final = """
SELECT count(*) FROM checkpoints c, (SELECT epoch, tx, position FROM log ORDER BY epoch DESC, tx DESC, position DESC LIMIT 1) l
WHERE c.subscriber = ANY($1) AND (c.epoch, c.tx, c.position) < (l.epoch, l.tx, l.position)
"""

LOG_COLUMNS: Final = (
    "epoch, tx, chain_id, stream, version, ordering_id, event_id, type, schema_version, clinic_id, subject_id, occurred_at, recorded_at, "
    "command_id, correlation_id, actor_kind, actor_id, data"
)
MAKE_PEOPLE: Final = "CREATE TEMPORARY TABLE people ON COMMIT DROP AS SELECT gen_random_uuid() AS id FROM generate_series(1, $1)"
# $1 chain, $2 clinic, then the events of one life: types, data, whether it holds personal values
LIVES: Final = f"""
INSERT INTO log ({LOG_COLUMNS})
SELECT 0, '3', $1, 'patient-' || p.id, e.n, p.id, gen_random_uuid(), e.type, 1, $2::uuid, CASE WHEN e.personal THEN p.id END, now(), now(),
       gen_random_uuid(), gen_random_uuid(), 'staff', ($2::uuid)::text,
       replace(replace(e.data, '{ANYBODY}', p.id::text), '{ANYTHING}', gen_random_uuid()::text)::jsonb
FROM people p, unnest($3::text[], $4::text[], $5::boolean[]) WITH ORDINALITY AS e(type, data, personal, n)
"""
ANSWERS: Final = f"""
INSERT INTO idempotency (chain_id, client, route, key, fingerprint, status, stream, version, event_id, facts)
SELECT $1, 'clinic-software', 'POST /v1/patients/{{patient_id}}/procedures', gen_random_uuid()::text, '\\x{"00" * 32}', 201,
       'patient-' || p.id, n, gen_random_uuid(), '{{}}' FROM people p, generate_series(1, {FACTS + 1}) n
"""
KEYS: Final = f"""
INSERT INTO keys (chain_id, subject_id, wrapped, shared, epoch, tx) SELECT $1, id, '\\x{"00" * 68}', true, 0, '3' FROM people
"""
HEARD: Final = """
INSERT INTO log (epoch, tx, chain_id, origin, ordering_id, event_id, type, schema_version, clinic_id, subject_id, occurred_at, recorded_at,
                 correlation_id, actor_kind, actor_id, raw, headers)
SELECT 0, '3', $1, 'screening', p.id, gen_random_uuid(), 'erbium.screening.' || e.type, 1, $2::uuid, p.id, now(), now(), gen_random_uuid(),
       'staff', ($2::uuid)::text, convert_to(e.data, 'UTF8'), '[]'
FROM people p, unnest($3::text[], $4::text[]) AS e(type, data)
"""
FRAMES: Final = f"""
INSERT INTO frames (chain_id, device_id, boot_id, seq, stored_on, treatment_id, received_at, device_ms, zone, pass_no, energy_set_mj,
                    energy_mj, mtz_count, grid_row, grid_col, emission, temp_tip_c, fault_bits)
SELECT $1, p.id, p.id, n, current_date, p.id, now(), 60000 + 100 * n, 'face', 1, 40, 40.1, 17, n / 20, n % 20, true, 31.5, 0
FROM people p, generate_series(0, {FRAMES_OF_A_PATIENT} - 1) n
"""
CLINIC: Final = f"""
INSERT INTO log ({LOG_COLUMNS})
VALUES (0, '3', $1, 'clinic-' || $2::uuid, 1, $2, gen_random_uuid(), 'clinic-noted', 1, NULL, NULL, now(), now(), gen_random_uuid(),
        gen_random_uuid(), 'reaction', 'bench', jsonb_build_object('clinic_id', $2::uuid, 'time_zone', $3::text))
ON CONFLICT DO NOTHING
"""
FOLLOWED: Final = """
INSERT INTO checkpoints (subscriber, epoch, tx, position)
SELECT name, coalesce(l.epoch, 1), coalesce(l.tx, '0'), coalesce(l.position, 0) FROM unnest($1::text[]) AS name
LEFT JOIN (SELECT epoch, tx, position FROM log WHERE epoch > 0 ORDER BY 1 DESC, 2 DESC, 3 DESC LIMIT 1) l ON true
ON CONFLICT (subscriber) DO UPDATE SET (epoch, tx, position) = (excluded.epoch, excluded.tx, excluded.position)
"""
KEYS_FOLLOWED: Final = """
UPDATE checkpoints SET (epoch, tx, position) = (k.epoch, k.tx, k.position)
FROM (SELECT epoch, tx, position FROM keys WHERE epoch > 0 ORDER BY 1 DESC, 2 DESC, 3 DESC LIMIT 1) k
WHERE subscriber LIKE 'relay.keys%'
"""
READ_TABLES: Final[Mapping[str, str]] = {
    "screening": "INSERT INTO patients SELECT $1, id, $2, '{}', '{}', '{}', current_date, 10 FROM people",
    "scheduling": "INSERT INTO patients SELECT $1, id, '{}' FROM people",
}


async def grow(ground: Ground, times: int) -> None:
    """Every service's log and read tables hold what an installation `times` as old would hold; only what is missing is added."""
    people = (PATIENTS_QUICK if ground.quick else PATIENTS) * times
    from aftercare.wiring import SERVICE as AFTERCARE  # four services in one process: only here
    from device_telemetry.wiring import SERVICE as TELEMETRY
    from scheduling.wiring import SERVICE as SCHEDULING
    from screening.wiring import SERVICE as SCREENING

    for service in (SCREENING, SCHEDULING, TELEMETRY, AFTERCARE):
        connection = await connect(ground.superuser(service.package))
        try:
            found = await connection.fetchval("SELECT count(*) FROM log WHERE epoch = 0 AND (version = 1 OR version IS NULL)")
            if found < people:
                async with connection.transaction():
                    await _fill(connection, ground, service, people - found, a_life(SCREENING, ground.clinics[0]))
            await followed(connection, service)
        finally:
            await connection.close()


async def _fill(
    connection: "asyncpg.Connection[Any]", ground: Ground, service: Service, people: int, life: Sequence[tuple[str, str, bool]]
) -> None:
    chain, clinic = ground.chain, ground.clinics[0]
    types, data, personal = (list(part) for part in zip(*life, strict=True))
    await connection.execute(MAKE_PEOPLE, people)
    if service.package in ("screening", "aftercare"):  # the append row writes into aftercare's database
        await connection.execute(LIVES, chain, clinic, types, data, personal)
        await connection.execute(ANSWERS, chain)
    else:
        await connection.execute(HEARD, chain, clinic, types[:1], data[:1])
    await connection.execute(KEYS, chain)
    if service.package in READ_TABLES:
        await connection.execute(READ_TABLES[service.package], *([chain, clinic] if service.package == "screening" else [chain]))
    if service.package == "device_telemetry":
        await connection.execute(FRAMES, chain)


def a_life(screening: Service, clinic: UUID) -> list[tuple[str, str, bool]]:
    """(type, data, personal) of one patient's events, written by the service's own codec; names are sealed under no key that opens."""
    from screening.facts import When
    from screening.patient.fact_events import PatientRegistered, ProcedureReported

    day, codec = date(2026, 1, 15), codec_of(screening)
    name = Personal(ANYBODY, "Ada Sample")
    registered = PatientRegistered(clinic_id=clinic, name=name, birth_date=name, contact=name, registered_on=day, time_zone=TIME_ZONE)
    reported = ProcedureReported(
        clinic_id=clinic, procedure_id=ANYTHING, kind="botulinum_toxin", zones=("forehead",), when=When(on=day),
        performed_time_zone=TIME_ZONE, reported_on=day, reported_at=datetime(2026, 1, 15, 9, tzinfo=UTC), reported_by=clinic,
    )  # fmt: skip
    encoded = [codec.encode(event, _sealed) for event in (registered, *([reported] * FACTS))]
    return [(name, data.decode(), subject is not None) for name, _, data, subject in encoded]


def _sealed(value: Personal) -> Sealed:
    return Sealed(1, value.subject_id, "A" * 16, "A" * 40)


def subscribers(service: Service) -> list[str]:
    """Everything that has a checkpoint."""
    names = ["relay", "relay.keys", "relay.keys-again", service.erasure]
    names += [reaction.name for reaction in service.reactions] + [projection.name for projection in service.projections]
    return names + (["device-telemetry.look-again"] if service.name == "device-telemetry" else [])


async def followed(connection: "asyncpg.Connection[Any]", service: Service) -> None:
    """All that is in the log has been followed: what an earlier row of the benchmark wrote is no work for this one."""
    await connection.execute(FOLLOWED, subscribers(service))
    if service.owns_keys:
        await connection.execute(KEYS_FOLLOWED)


async def quiet(ground: Ground, *services: Service) -> None:
    """Waits until every subscriber of these running services has reached the end of its log: nothing older is measured."""
    for service in services:
        connection = await connect(ground.superuser(service.package))
        try:
            await until(partial(_none_behind, connection, service), seconds_max=QUIET_SECONDS_MAX)
        finally:
            await connection.close()


async def _none_behind(connection: "asyncpg.Connection[Any]", service: Service) -> bool:
    names = [name for name in subscribers(service) if not name.startswith("relay.keys")]
    return not await connection.fetchval(BEHIND, names)


async def know_clinics(ground: Ground) -> None:
    """Screening knows both clinics, as if scheduling had told it long ago."""
    connection = await connect(ground.superuser("screening"))
    for clinic in ground.clinics:
        await connection.execute(CLINIC, ground.chain, clinic, TIME_ZONE)
    await connection.close()
