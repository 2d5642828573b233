"""A laser's frames from its batch to its treatment, all in memory: no database, no broker, no time but the test's own."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from device_telemetry.device.decide import DEVICE
from device_telemetry.frames.codec import Frame, read_batch
from device_telemetry.frames.consumer import FramesConsumer
from device_telemetry.frames.memory_store import MemoryFrameStore, MemoryLooks
from device_telemetry.frames.sending import FramesTopic
from device_telemetry.frames.settling import LookingAgain, Settling
from device_telemetry.frames.taking import Taken, Taking
from device_telemetry.rulebook import RULES
from device_telemetry.treatment.decide import TREATMENT
from device_telemetry.wiring import SERVICE
from erbium_kernel.event import Actor
from erbium_kernel.execute import Cause, execute
from erbium_kernel.folding import state_of
from erbium_kernel.log.memory import MemoryStore
from erbium_kernel.topic.memory import MemoryBroker
from tests.device_telemetry.making import CHAIN, CLAIM, LASER, NOW, REGISTER, TAKE_UP, TREATMENT_ID, body
from tests.house import others_first, runtime_of
from tests.kernel.ward import WardClock

TOPIC = "frames"
STEPS_MAX = 200


class WardOfFrames:
    """One laser, one treatment open on it."""

    def __init__(self, partitions: int = 2) -> None:
        """Nothing has happened yet."""
        self.clock = WardClock()
        self.clock.at = NOW
        self.log = MemoryStore(clock=self.clock, pause=others_first)
        self.runtime = runtime_of(SERVICE, self.log, self.clock)
        self.broker = MemoryBroker({TOPIC: partitions})
        self.store = MemoryFrameStore()
        self.consumer = self.new_consumer("frames")
        self.settling = Settling(self.runtime, self.store, RULES, topic=TOPIC)
        self.looking_again = LookingAgain(self.settling)
        self.taking = self.new_process()

    def new_consumer(self, group: str) -> FramesConsumer:
        """One more, that knows nothing."""
        return FramesConsumer(self.runtime, self.store, self.broker.inlet(group, [TOPIC]), lambda: None, topic=TOPIC, wait_seconds=0)

    def new_process(self) -> Taking:
        """A door that remembers nothing."""
        return Taking(FramesTopic(self.broker.outlet(), topic=TOPIC))

    async def do(self, decider: Any, stream_id: UUID, *commands: Any) -> None:
        """Commands past the door. Raises: Rejected."""
        for command in commands:
            cause = Cause(actor=Actor(kind="staff", id="nurse-1"), command_id=uuid4(), correlation_id=uuid4())
            await execute(self.runtime, CHAIN, decider, stream_id, command, cause=cause)

    async def opened(self) -> "WardOfFrames":
        """A laser of the clinic, and a treatment open on it."""
        await self.do(DEVICE, LASER, REGISTER, CLAIM)
        await self.do(TREATMENT, TREATMENT_ID, TAKE_UP)
        return self

    async def send(self, frames: Iterable[Frame], **header: Any) -> Taken:
        """A batch of the laser, and its answer."""
        raw = body(list(frames), **header)
        batch = read_batch(raw)
        cause = Cause(actor=Actor(kind="device", id=str(LASER)), command_id=uuid4(), correlation_id=uuid4())
        return await self.taking.take(self.runtime, CHAIN, batch, raw, MemoryLooks(self.store, self.log), cause)

    async def kept(self) -> None:
        """All that is on the topic is stored."""
        for _ in range(STEPS_MAX):
            if (await self.consumer.step()).kind != "worked":
                return
        raise AssertionError("the topic never ends")

    async def told(self) -> None:
        """All that is stored is told."""
        for _ in range(STEPS_MAX):
            if (await self.settling.step()).kind != "worked":
                return
        raise AssertionError("there is always more to tell")

    async def state(self) -> Any:
        """The treatment as its own stream tells."""
        return (await state_of(self.runtime, CHAIN, TREATMENT, TREATMENT_ID))[0]

    async def events(self) -> list[Any]:
        """The treatment's own events."""
        loaded = await self.log.load(CHAIN, TREATMENT.stream(TREATMENT_ID))
        return [self.runtime.codec.decode(row) for row in loaded.rows]

    def later(self, **by: float) -> None:
        """The clock moves."""
        self.clock.at += timedelta(**by)
