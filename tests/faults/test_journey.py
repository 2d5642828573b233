"""The patient's journey while every process is killed once."""

import random
import threading
import time
import uuid
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import httpx
import pytest

from erbium import demo
from erbium.journey.clinic import Clinic, JourneyFailed, Reply
from erbium.journey.play import Outcome, play
from erbium.journey.scene import MADRID
from erbium.journey.story import Story
from tests.faults.compared import reconciled
from tests.faults.recovery import recovered
from tests.faults.site import SERVERS, Site
from tests.faults.telling import Figures, tell

AGAIN_SECONDS = 0.25
TRIES_MAX = 400  # a killed process is started again at once
WAITS_MAX = 20  # of 2 s, for what was told elsewhere: two kills in a row, each with a group of readers that notices
JOURNEY_SECONDS_MAX = 900.0
PLAYS_MAX = 20


class PersistentClinic(Clinic):
    """Software that asks again after no answer and after 503, with the same request: the same key, the same version."""

    def _send(
        self, method: str, service: str, path: str, role: str, headers: Mapping[str, str], body: Any, params: Mapping[str, Any]
    ) -> Reply:
        trouble: JourneyFailed | None = None
        for _ in range(TRIES_MAX):
            try:
                reply = super()._send(method, service, path, role, headers, body, params)
            except JourneyFailed as failed:
                trouble = failed
            else:
                if reply.status != httpx.codes.SERVICE_UNAVAILABLE:
                    return reply
                trouble = JourneyFailed(f"{method} {service}{path}: {reply.status}", service=service)
            time.sleep(AGAIN_SECONDS)
        assert trouble is not None
        raise trouble


class Journey(threading.Thread):
    """Played again and again, each time in a chain of its own, until it is told that this was the last time."""

    def __init__(self, site: Site) -> None:
        """Not begun."""
        super().__init__(name="journey")
        self.site, self.last, self.outcomes, self.failure = site, threading.Event(), list[Outcome](), None

    def run(self) -> None:
        """Ends after a whole play, or with what went wrong."""
        try:
            for _ in range(PLAYS_MAX):
                self.outcomes.append(self._play())
                if self.last.is_set():
                    return
        except BaseException as failure:  # noqa: BLE001  # told by the thread that waits
            self.failure = failure

    def _play(self) -> Outcome:
        def mint(role: str, chain: uuid.UUID, clinics: list[uuid.UUID], subject: uuid.UUID) -> str:
            return self.site.token(role, subject, chain=chain, clinics=clinics)

        with PersistentClinic(self.site.urls, mint, uuid.uuid4(), [uuid.uuid4(), uuid.uuid4()]) as clinic:
            try:
                return play(clinic, Story(lambda _: None, clinic.now, MADRID), self.site.state / "reports", demo.NAMES)
            finally:
                clinic.set_time(timedelta())


@pytest.mark.whole
def test_the_journey_with_every_process_killed_once(site: Site, figures: Figures, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each chapter has its expected outcome, frames included, although every one of ten processes is killed at some moment meanwhile."""
    monkeypatch.setattr("erbium.journey.clinic.RETRIES_MAX", WAITS_MAX)
    seeded = random.Random(f"{seed}/journey")
    names = [*SERVERS, *site.programs]
    seeded.shuffle(names)
    journey = Journey(site)
    journey.start()
    for name in names:
        time.sleep(seeded.uniform(0.5, 2.5))
        site.kill(name)
        site.start(name)
        tell(f"killed {name} during play {len(journey.outcomes) + 1} of the journey")
    journey.last.set()
    journey.join(JOURNEY_SECONDS_MAX)
    assert not journey.is_alive()
    if journey.failure is not None:
        raise journey.failure
    recovered(site, time.monotonic())
    pairs = reconciled(site)
    tell(f"the journey was played {len(journey.outcomes)} times; {sum(pairs.values())} messages, none missing")
    assert all(outcome.frames_sent == 8_000 for outcome in journey.outcomes)
    figures["journey with every process killed once"] = {
        "killed": len(names),
        "plays": len(journey.outcomes),
        "messages": sum(pairs.values()),
    }
