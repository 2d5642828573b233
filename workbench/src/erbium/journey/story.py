"""What happened, told so that a doctor can read it: where and when, who does what, which rule decided, which fact left the service."""

import textwrap
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

from erbium.journey.cited import day
from erbium.journey.clinic import JourneyFailed

WIDTH = 120
WHO = 16  # columns for who acts
LABEL = 30  # columns for what stands before an aside


@dataclass(frozen=True, slots=True)
class Town:
    """A clinic's town, and its clock on the wall."""

    name: str
    time_zone: str


@dataclass(frozen=True, slots=True)
class Fact:
    """What a service told the others. `acted`: who acted on it, `hop_ms` after the command's answer, in real milliseconds."""

    name: str
    acted: str | None = None
    hop_ms: float | None = None

    def __str__(self) -> str:
        """As it is told."""
        return f"{self.name} -> {self.acted} acted on it after {self.hop_ms:.0f} ms" if self.hop_ms is not None else self.name


@dataclass(slots=True)
class Story:
    """Tells each sentence as soon as it is known. `home`: the clinic at which things happen unless said otherwise."""

    tell: Callable[[str], None]
    now: Callable[[], datetime]
    home: Town
    facts: list[Fact] = field(default_factory=list)
    chapters: list[tuple[str, float]] = field(default_factory=list)
    _stage: str = ""

    @contextmanager
    def chapter(self, title: str) -> Iterator[None]:
        """A step of the journey. Raises: JourneyFailed naming it, whatever went wrong inside."""
        number = len(self.chapters) + 1
        self._stage = ""
        self.tell("")
        self.tell(f"{number}. {title}")
        started = time.perf_counter()
        try:
            yield
        except JourneyFailed as error:
            sentence = f"step {number}, {title}: {error}"
            raise JourneyFailed(sentence, service=error.service, status=error.status, code=error.code) from error
        except Exception as error:
            raise JourneyFailed(f"step {number}, {title}: {type(error).__name__}: {error}") from error
        self.chapters.append((title, time.perf_counter() - started))

    def say(self, who: str, says: str, *, rules: Sequence[str] = (), facts: Sequence[Fact] = (), town: Town | None = None) -> None:
        """One more sentence, and below it the rules that decided and the facts that left."""
        self.facts.extend(facts)
        self._at(town or self.home)
        lead = " " * (5 + WHO + 1)
        self._wrapped(f"     {who:<{WHO}} ", lead, says)
        for rule in rules:
            self._wrapped(f"{lead}rule  ", f"{lead}      ", rule)
        for fact in facts:
            self._wrapped(f"{lead}fact  ", f"{lead}      ", str(fact))

    def aside(self, text: str, label: str = "") -> None:
        """A line below the last sentence that nobody says, perhaps with a label in front."""
        lead = " " * (5 + WHO + 1)
        named = f"{label:<{LABEL}} " if label else ""
        self._wrapped(lead + named, lead + " " * len(named), text)

    def hops(self) -> list[float]:
        """All measured hops, ms, the fastest first."""
        return sorted(fact.hop_ms for fact in self.facts if fact.hop_ms is not None)

    def _at(self, town: Town) -> None:
        """Where and when, if it is not where the last sentence was."""
        wall = self.now().astimezone(ZoneInfo(town.time_zone))
        stage = f"{day(wall.date())}, {wall:%H:%M} in {town.name}"
        if stage != self._stage:
            self.tell(f"   {stage}")
            self._stage = stage

    def _wrapped(self, first: str, other: str, text: str) -> None:
        wrapped = textwrap.wrap(text, WIDTH, initial_indent=first, subsequent_indent=other, break_long_words=False, break_on_hyphens=False)
        for line in wrapped:
            self.tell(line)
