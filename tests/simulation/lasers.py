"""The lasers: they emit frames, send them in batches until somebody has acknowledged them, lose some, and obey what they are told."""

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID, uuid5

import msgspec

from device_telemetry.binding import Binding
from device_telemetry.frames.codec import Frame, Header, read_batch
from device_telemetry.frames.memory_store import MemoryLooks
from device_telemetry.frames.taking import FramesDoNotFit, TooManyGaps
from device_telemetry.treatment.events import FinalSeq
from device_telemetry.treatment.refusals import TreatmentUnknown
from device_telemetry.treatment.state import Opened, Running
from erbium_kernel.errors import Unavailable
from erbium_kernel.event import Actor
from erbium_kernel.execute import Cause
from tests.simulation.people import CHAIN
from tests.simulation.sites import Process
from tests.simulation.turns import Broken, wait

if TYPE_CHECKING:
    from tests.simulation.world import World

SITE: Final = "device-telemetry"
FRAMES_PER_BATCH_MAX: Final = 5
LOST: Final = 0.08  # how often a frame never leaves the laser
SENT_TWICE: Final = 0.2
REBOOTS: Final = 0.1  # how often a laser is switched off and on between two batches
MTZ_PER_FRAME: Final = 40
ENERGY_MJ: Final = 40.0
ATTEMPTS_MAX: Final = 200
PATIENCE_TURNS: Final = 1_500


@dataclass(slots=True)
class PowerOn:
    """One boot of a laser within a treatment. `emitted`: by number, those that reached the skin, sent or not; `lost` ones never leave."""

    id: UUID
    first_seq: int
    emitted: dict[int, Frame] = field(default_factory=dict)
    lost: set[int] = field(default_factory=set)
    acknowledged: set[int] = field(default_factory=set)
    last_told: bool = False  # has a batch been acknowledged that says where this boot ended?


@dataclass(slots=True)
class Laser:
    """What one laser does in one treatment."""

    treatment_id: UUID
    binding: Binding
    boots: list[PowerOn] = field(default_factory=list)
    ended: bool = False
    told: str | None = None

    @property
    def finals(self) -> tuple[FinalSeq, ...]:
        """The last number of each boot."""
        return tuple(FinalSeq(boot_id=boot.id, last_seq=max(boot.emitted)) for boot in self.boots if boot.emitted)

    def emit(self, chance: random.Random) -> None:
        """Some frames more, if nobody has told it to stop; some of them are lost."""
        if not self.boots or chance.random() < REBOOTS:
            number = len(self.boots)
            self.boots.append(PowerOn(uuid5(self.treatment_id, f"boot {number}"), chance.randrange(0, 50)))
        boot = self.boots[-1]
        for _ in range(chance.randint(1, FRAMES_PER_BATCH_MAX)):
            seq = max(boot.emitted, default=boot.first_seq - 1) + 1
            zone: Any = self.binding.plan[0].zone
            boot.emitted[seq] = Frame(
                seq=seq, device_ms=1_000 + 100 * seq, zone=zone, pass_no=1, energy_set_mj=ENERGY_MJ,
                energy_mj=ENERGY_MJ, mtz_count=MTZ_PER_FRAME, grid_row=seq // 20, grid_col=seq % 20, emission=True, temp_tip_c=31.5,
                fault_bits=0,
            )  # fmt: skip
            if chance.random() < LOST:
                boot.lost.add(seq)

    def to_send(self) -> list[tuple[PowerOn, list[int]]]:
        """What has not been acknowledged, boot by boot."""
        return [(boot, seqs) for boot in self.boots if (seqs := sorted(boot.emitted.keys() - boot.lost - boot.acknowledged))]


def start_sending(world: "World", laser: Laser, chance: random.Random) -> None:
    """Everything not acknowledged yet sets out, now and then in several batches, in any order, and some of it twice."""
    for boot, seqs in laser.to_send():
        chosen = seqs if chance.random() < 0.6 else chance.sample(seqs, chance.randint(1, len(seqs)))
        if boot.acknowledged and chance.random() < SENT_TWICE:
            chosen = [*chosen, chance.choice(sorted(boot.acknowledged))]
        _send(world, laser, boot, sorted(chosen))


def send_all(world: "World") -> None:
    """Back-fill: every laser sends what it has kept."""
    for laser in world.lasers.values():
        for boot, seqs in laser.to_send():
            _send(world, laser, boot, seqs)


def _send(world: "World", laser: Laser, boot: PowerOn, seqs: list[int]) -> None:
    header = Header(
        v=1, treatment_id=laser.treatment_id, device_id=laser.binding.ids.device_id, boot_id=boot.id, first_seq=boot.first_seq,
        last_seq=max(boot.emitted) if laser.ended else None, sent_device_ms=1_000 + 100 * (max(boot.emitted) + 1),
        grid_cell_mm=laser.binding.grid_cell_mm,
    )  # fmt: skip
    body = b"\n".join(msgspec.json.encode(line) for line in (header, *(boot.emitted[seq] for seq in seqs))) + b"\n"
    world.clients += 1
    world.clients_open += 1
    world.turns.start(f"laser#{world.clients}", _until_acknowledged(world, world.clients, laser, boot, seqs, body), None, world.client_ends)


async def _until_acknowledged(world: "World", number: int, laser: Laser, boot: PowerOn, seqs: list[int], body: bytes) -> None:
    answers: list[Any] = []
    for _ in range(ATTEMPTS_MAX):
        process = world.some_process(SITE)
        if process is not None:
            process.run(f"take#{number}", _take(process, number, body, answers))
        await wait(f"reply/{number}", world.time.us + PATIENCE_TURNS * world.turns.turn_us)
        if answers:
            if answers[0] != "refused":
                boot.acknowledged.update(seqs)
                boot.last_told |= read_batch(body).header.last_seq is not None
            laser.told = answers[-1]
            return
    raise Broken(f"R6: {SITE}: a batch of frames has not been acknowledged in {ATTEMPTS_MAX} attempts")


async def _take(process: Process, number: int, body: bytes, answers: list[Any]) -> None:
    """One attempt, inside a process, as the endpoint makes it."""
    site, batch = process.site, read_batch(body)
    cause = Cause(
        actor=Actor(kind="device", id=str(batch.header.device_id)), command_id=process.runtime.ids.new(),
        correlation_id=batch.header.treatment_id,
    )  # fmt: skip
    forbidden = _forbidden(site.world, batch.header.treatment_id)
    try:
        looks = MemoryLooks(site.world.frame_store, process.runtime.store)
        taken = await process.taking.take(process.runtime, CHAIN, batch, body, looks, cause)
    except Unavailable:
        return
    except (TreatmentUnknown, FramesDoNotFit, TooManyGaps):
        answers.append("refused")
    else:
        if forbidden and taken.command is None and _forbidden(site.world, batch.header.treatment_id) == forbidden:
            raise Broken(f"clearance: the laser may go on in {batch.header.treatment_id}, although {forbidden}")
        answers.append(taken.command)
    site.world.turns.signal(f"reply/{number}")


def _forbidden(world: "World", treatment_id: UUID) -> str | None:
    """Why the laser must be told to stop or pause in answer to what it sends now."""
    telemetry = world.watch.seen[SITE]
    state = telemetry.state("treatment", treatment_id)
    if not isinstance(state, Opened | Running):
        return None
    clearance = telemetry.state("clearance", state.binding.ids.clearance_id)
    if clearance.suspended:
        return "its clearance is suspended"
    return "its clearance is revoked" if clearance.ended == "revoked" else None
