"""What happened, told so that a doctor can read it: who, when, which rule, which fact, how long each hop took."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

from erbium.journey.clinic import JourneyFailed


@dataclass(frozen=True, slots=True)
class Line:
    """One sentence of the story. `hop_ms`: from the command's answer until another service had acted on the fact."""

    at: datetime
    who: str
    says: str
    rule: str | None = None
    fact: str | None = None
    hop_ms: float | None = None


@dataclass(slots=True)
class Story:
    """Collects lines and tells each as soon as it is known. `zone` is the wall clock by which the story is told."""

    tell: Callable[[str], None]
    now: Callable[[], datetime]
    zone: str
    lines: list[Line] = field(default_factory=list)
    chapters: list[tuple[str, float]] = field(default_factory=list)
    where: str = "the beginning"

    @contextmanager
    def chapter(self, title: str) -> Iterator[None]:
        """A step of the journey. Raises: JourneyFailed naming it, whatever went wrong inside."""
        self.where = title
        number = len(self.chapters) + 1
        self.tell("")
        self.tell(f"{number}. {title}")
        started = time.perf_counter()
        try:
            yield
        except JourneyFailed as error:
            raise JourneyFailed(f"step {number}, {title}: {error}") from error
        except Exception as error:
            raise JourneyFailed(f"step {number}, {title}: {type(error).__name__}: {error}") from error
        self.chapters.append((title, time.perf_counter() - started))

    def say(self, who: str, says: str, *, rule: str | None = None, fact: str | None = None, hop_ms: float | None = None) -> None:
        """One more sentence."""
        line = Line(self.now(), who, says, rule, fact, hop_ms)
        self.lines.append(line)
        self.tell(_told(line, self.zone))

    def hops(self) -> list[float]:
        """All measured hops, ms."""
        return sorted(line.hop_ms for line in self.lines if line.hop_ms is not None)


def _told(line: Line, zone: str) -> str:
    stamp = line.at.astimezone(ZoneInfo(zone)).strftime("%a %d %b %H:%M")
    asides = [part for part in (line.rule and f"rule {line.rule}", line.fact, line.hop_ms and f"{line.hop_ms:.0f} ms") if part]
    tail = f"  [{'; '.join(asides)}]" if asides else ""
    return f"   {stamp}  {line.who:<16} {line.says}{tail}"
