"""Lasers in open treatments, and the batches they send: what the frames rows are fed with."""

import asyncio
import json
import time
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import cache
from typing import Any, Final
from uuid import UUID, uuid4

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition

from bench.ground import Ground, connect
from bench.service_here import do, here
from device_telemetry.binding import Limits, ZonePlan
from device_telemetry.clearance.commands import DeviceAtHand, HearAttestation, HearCheckIn, HearGrant, OpenTreatment
from device_telemetry.clearance.decide import CLEARANCE
from device_telemetry.device.commands import ClaimDevice, RegisterDevice
from device_telemetry.device.decide import DEVICE
from device_telemetry.frames.codec import Frame, Receipt, write_record
from device_telemetry.frames.consumer import FRAMES_TOPIC
from device_telemetry.rulebook import RULES
from device_telemetry.treatment.commands import TakeUpBinding
from device_telemetry.treatment.decide import TREATMENT
from device_telemetry.wiring import SERVICE
from erbium_kernel.running import Running

FRAMES_OF_A_BATCH: Final = 500
FRAMES_OF_A_BOOT: Final = 10_000  # then the laser is switched on anew
LASERS: Final = 32
MODEL: Final = RULES.models["ef-1550"]
MODALITY: Final = "nafl_1550"
ZONE: Final = "face"
PLAN: Final = ZonePlan(zone=ZONE, area_cm2=300, planned_mtz=136_800, energy_mj_per_mtz=40)
LIMITS: Final = Limits(
    energy_mj_per_mtz_min=4, energy_mj_per_mtz_max=70, density_mtz_per_cm2_max=2500, coverage_percent_max=23, passes_max=8
)
GRID_CELL_MM: Final = 10.0
FOLLOWED: Final = """
INSERT INTO frame_positions (topic, partition, next_offset) VALUES ($1, $2, $3)
ON CONFLICT ON CONSTRAINT frame_positions_pkey DO UPDATE SET next_offset = excluded.next_offset
"""


@dataclass(slots=True)
class Laser:
    """One laser in one treatment. `next_batch` is the body of its next request."""

    device_id: UUID
    treatment_id: UUID
    token: str = ""
    frames: int = FRAMES_OF_A_BATCH  # of each batch
    boot_id: UUID = field(default_factory=uuid4)
    sent: int = 0  # batches of this boot
    sent_in_all: int = 0

    def next_plain_batch(self) -> bytes:
        """The same frames as a list of objects."""
        self._switch()
        body = _plain_batch(self.sent, self.frames)
        for mark, value in ((TREATMENT_MARK, self.treatment_id), (DEVICE_MARK, self.device_id), (BOOT_MARK, self.boot_id)):
            body = body.replace(mark.encode(), str(value).encode())
        self.sent += 1
        return body

    def _switch(self) -> None:
        """Off and on again after enough frames."""
        if self.sent * self.frames >= FRAMES_OF_A_BOOT:
            self.boot_id, self.sent = uuid4(), 0

    def next_batch(self) -> bytes:
        """Frames one after the other."""
        self._switch()
        header = {
            "v": 1, "treatment_id": str(self.treatment_id), "device_id": str(self.device_id), "boot_id": str(self.boot_id), "first_seq": 0,
            "grid_cell_mm": GRID_CELL_MM,
        }  # fmt: skip
        body = json.dumps(header, separators=(",", ":")).encode() + b"\n" + _batch(self.sent, self.frames)
        self.sent += 1
        self.sent_in_all += 1
        return body


def _row(seq: int) -> list[Any]:
    """One microbeam in every fourth frame: many frames, and the plan is not full before the measurement ends."""
    mtz_count = 1 if seq % 4 == 0 else 0
    return [seq, 60_000 + 100 * seq, ZONE, 1, 40.0, 39.5 + seq % 100 / 100, mtz_count, seq // 20 % 15, seq % 20, True, 31.5, 0]


@cache
def _batch(n: int, frames: int) -> bytes:
    """The rows of a boot's nth batch. Why made once: the load generator shall not be what is measured."""
    rows = (_row(seq) for seq in range(n * frames, (n + 1) * frames))
    return ("\n".join(json.dumps(row, separators=(",", ":")) for row in rows) + "\n").encode()


@cache
def _plain_batch(n: int, frames: int) -> bytes:
    """The same as a list of objects, each with all of its ids, as most interfaces want it: for the rivals."""
    names = [field.name for field in msgspec.structs.fields(Frame)]
    head = {"treatment_id": TREATMENT_MARK, "device_id": DEVICE_MARK, "boot_id": BOOT_MARK}
    rows = (_row(seq) for seq in range(n * frames, (n + 1) * frames))
    return json.dumps([head | dict(zip(names, row, strict=True)) for row in rows], separators=(",", ":")).encode()


TREATMENT_MARK, DEVICE_MARK, BOOT_MARK = (f"{n:08x}-0000-4000-8000-000000000000" for n in (1, 2, 3))


def telemetry(ground: Ground) -> AbstractAsyncContextManager[Running]:
    """The service's runtime in this process."""
    return here(ground, SERVICE)


async def open_lasers(
    opened: Running, ground: Ground, count: int = LASERS, *, tokens: bool = True, frames: int = FRAMES_OF_A_BATCH
) -> list[Laser]:
    """So many lasers, each claimed by the clinic and in a treatment of its own."""
    lasers = await asyncio.gather(*(_open(opened, ground) for _ in range(count)))
    if tokens:
        for laser in lasers:
            laser.frames = frames
            laser.token = ground.token("device", subject=laser.device_id)
    return lasers


async def _open(opened: Running, ground: Ground) -> Laser:
    laser = Laser(device_id=uuid4(), treatment_id=uuid4())
    clearance_id, visit_id, patient_id, clinic_id = uuid4(), uuid4(), uuid4(), ground.clinics[0]
    now, today = datetime.now(UTC), date.today()  # noqa: DTZ011  # any day inside the clearance
    ids: dict[str, Any] = {"clearance_id": clearance_id, "patient_id": patient_id, "clinic_id": clinic_id}
    grant = HearGrant(
        **ids, modality=MODALITY, zones=(ZONE,), limits=LIMITS, valid_from=today, valid_until=date.fromordinal(today.toordinal() + 30)
    )
    check_in = HearCheckIn(
        **ids, visit_id=visit_id, device_id=laser.device_id, modality=MODALITY, zones=(ZONE,), on=today, time_zone="Europe/Madrid"
    )
    attested = HearAttestation(**ids, visit_id=visit_id, on=today, changes=False)
    at_hand = DeviceAtHand(
        device_id=laser.device_id, clinic_id=clinic_id, locked_out=None, modalities=(MODALITY,), lesions=MODEL.lesions[0].table,
        grid_cell_mm=GRID_CELL_MM,
    )  # fmt: skip
    opening = OpenTreatment(
        treatment_id=laser.treatment_id, visit_id=visit_id, device=at_hand, plan=(PLAN,), screening_age_seconds=1.0, attesting_doctor=None,
        rules=RULES, at=now,
    )  # fmt: skip

    async def to(decider: Any, stream_id: UUID, command: Any) -> Any:
        return (await do(opened, ground.chain, decider, stream_id, command)).state

    await to(DEVICE, laser.device_id, RegisterDevice(device_id=laser.device_id, serial=laser.device_id.hex[:12], model=MODEL, at=now))
    await to(DEVICE, laser.device_id, ClaimDevice(clinic_id=clinic_id, at=now))
    for command in (grant, check_in, attested):
        await to(CLEARANCE, clearance_id, command)
    bound = await to(CLEARANCE, clearance_id, opening)
    await to(TREATMENT, laser.treatment_id, TakeUpBinding(binding=bound.bound[laser.treatment_id].binding))
    return laser


def record(ground: Ground, laser: Laser) -> bytes:
    """The laser's next batch as it stands on the topic."""
    now = datetime.fromtimestamp(time.time(), UTC)
    return write_record(Receipt(v=1, chain_id=ground.chain, received_at=now, stored_at=now), laser.next_batch())


async def frames_followed(ground: Ground) -> None:
    """All frames on the topic have been stored, as far as the service knows: what an earlier row sent is no work for this one."""
    consumer = AIOKafkaConsumer(bootstrap_servers=ground.servers.kafka)
    await consumer.start()
    try:
        ends = await consumer.end_offsets([TopicPartition(FRAMES_TOPIC, n) for n in consumer.partitions_for_topic(FRAMES_TOPIC) or ()])
    finally:
        await consumer.stop()
    connection = await connect(ground.superuser("device_telemetry"))
    await connection.executemany(FOLLOWED, [(FRAMES_TOPIC, part.partition, end) for part, end in ends.items()])
    await connection.close()
