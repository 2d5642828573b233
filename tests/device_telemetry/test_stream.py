"""A whole treatment on real servers: a simulated laser over HTTP, the topic on Kafka, the frames in PostgreSQL."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from device_telemetry.frames.consumer import FramesConsumer
from device_telemetry.frames.sending import FramesTopic
from device_telemetry.frames.settling import Settling
from device_telemetry.http import devices, reports, treatments
from device_telemetry.http.frames import frames_routes
from device_telemetry.projections.frame_store import PostgresFrameStore
from device_telemetry.rulebook import RULES
from device_telemetry.wiring import SERVICE
from erbium.fleet import Laser
from erbium_kernel.http.app import create_app
from erbium_kernel.observing.serving import serving
from erbium_kernel.topic.declared import ensure
from erbium_kernel.topic.kafka import KafkaInlet, KafkaOutlet
from tests.device_telemetry.room import Room

TOPICS = Path(__file__).parent / "frames_topic.toml"
FRAMES = 8_000
SECONDS_MAX = 120


@asynccontextmanager
async def on_kafka(room: Room, kafka: str) -> AsyncIterator[tuple[str, str]]:
    """(URL, topic) of the room's service, served over HTTP, with its frames on a topic of its own."""
    prefix = f"t{secrets.token_hex(4)}."
    [topic] = await ensure(kafka, TOPICS, prefix=prefix)
    outlet = KafkaOutlet(kafka, compression="zstd")
    routes = (devices.routes, treatments.routes, frames_routes(FramesTopic(outlet, topic=topic)), reports.routes)
    app = create_app(replace(SERVICE, routes=routes), room.runtime, room.engines["api"], room.bearers.verifier)
    try:
        async with serving(app, "127.0.0.1", 0) as port:
            yield f"http://127.0.0.1:{port}", topic
    finally:
        await outlet.close()


@asynccontextmanager
async def consuming(room: Room, kafka: str, topic: str) -> AsyncIterator[None]:
    """A consumer and its settling, at work until the end of the block."""
    inlet = KafkaInlet(kafka, f"frames-{topic}", [topic])
    store = PostgresFrameStore(room.engines["frames"])
    consumer = FramesConsumer(room.runtime, store, inlet, lambda: None, topic=topic)
    settling = Settling(room.runtime, store, RULES, topic=topic)

    async def work() -> None:
        while True:
            await consumer.step()
            await settling.step()

    task = asyncio.create_task(work())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await inlet.close()
    assert task.cancelled()


async def shown(room: Room, **wanted: object) -> dict[str, object]:
    """The treatment, once it is as wanted."""
    async with asyncio.timeout(SECONDS_MAX):
        while True:
            found = await room.treatment_now()
            if all(found[name] == value for name, value in wanted.items()):
                return found
            await asyncio.sleep(0.1)


async def test_eight_thousand_frames(room: Room, kafka: str) -> None:
    """Doubled, swapped, shuffled, with a gap filled later and the consumer replaced in the middle: every frame counts once."""
    await room.opened()
    async with on_kafka(room, kafka) as (url, topic):
        token = room.bearers.token(room.chain, roles=["device"], subject=room.laser)
        laser = Laser(url=url, token=token, device_id=room.laser, treatment_id=room.treatment, seed=20_260_415, frames=FRAMES)
        treating = asyncio.create_task(asyncio.to_thread(laser.treat))
        async with consuming(room, kafka, topic):
            await shown(room, phase="running")
        async with consuming(room, kafka, topic):
            sent = await treating
            assert (sent.frames + sent.withheld, sent.stopped_by, sent.mtz_count) == (FRAMES, None, 136_800)
            assert sent.repeated > 0
            await shown(room, missing_frames=laser.missing(), gaps_open=1)
            ended = await room.change("/end", laser.finals())
            assert ended.status_code == 200, ended.text
            assert (await shown(room, phase="ended"))["provisional"] is True
            await asyncio.to_thread(laser.back_fill)
            done = await shown(room, phase="completed")
    [total] = done["totals"]  # type: ignore[misc]
    assert (total["mtz_count"], done["missing_frames"], done["provisional"]) == (136_800, 0, False)
    assert round(total["coverage_percent"], 1) == 23.1
    assert laser.answers[-1]["next_expected"]["seq"] == FRAMES

    page, again = [await room.get(f"/treatments/{room.treatment}/report") for _ in range(2)]
    assert page.headers["content-type"].startswith("text/html"), page.text
    assert page.text == again.text
    assert page.text.count("<rect") > 300
    assert "http://www.w3.org/2000/svg" in page.text
    assert not [word for word in ("<script", "src=", "href=", "@import", "url(") if word in page.text]
    svg = await room.client.get(page.url, headers={**room.headers(), "Accept": "image/svg+xml"})
    assert svg.headers["content-type"].startswith("image/svg+xml")
    assert svg.text.startswith("<svg")
