"""A simulated laser: it treats as it was told, and streams its frames over HTTP, seeded, with the faults of a real network.

    laser = Laser(url=…, token=…, device_id=…, treatment_id=opened["treatment_id"], seed=7)
    sent = laser.treat(progress=print)
    …  the operator ends the treatment with laser.finals()
    laser.back_fill()

It obeys: PAUSE and STOP in an answer stop the emission at once. Device time is 10 frames a second, sending is as fast as it can be.
The token is one of the role device whose subject is this laser: a laser may send nobody else's frames.
"""

import gzip
import json
import math
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final
from uuid import UUID

import httpx

FRAMES: Final = 8_000  # of one treatment
FRAMES_PER_BATCH: Final = 250
FRAME_MS: Final = 100
FIRST_MS: Final = 60_000  # since the laser's boot
ENERGY_NOISE: Final = 0.015
PASSES: Final = 4
BATCHES_PER_LINE: Final = 8  # of progress
ANSWER_SECONDS_MAX: Final = 30.0
TRIES_MAX: Final = 40
PAUSE_SECONDS: Final = 0.25
ACCEPTED: Final = 202
NO_ANSWER: Final = 0
AGAIN: Final = (NO_ANSWER, 404, 429, 500, 502, 503, 504)  # 404: the opening has not been taken up yet

Row = list[Any]
Answer = Mapping[str, Any]
Told = Callable[[str], None]
Asked = Callable[[str, Answer], bool]
"""(PAUSE or STOP, the answer) -> has somebody who may let the laser go on?"""

# What is planned unless told otherwise: a face at 40 mJ and 456 MTZ/cm2, 23.1 % (domain reference, section 5).
PLAN: Final[list[dict[str, Any]]] = [{"zone": "face", "area_cm2": 300.0, "planned_mtz": 136_800, "energy_mj_per_mtz": 40.0}]


class LaserRefused(Exception):
    """The service did not take a batch; the sentence says what it answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """What goes wrong on the way. Shares are probabilities per batch; the gap is left open until `back_fill`."""

    doubled_share: float = 0.1
    swapped_share: float = 0.1
    shuffled_share: float = 0.2
    gap_share: float = 0.03  # of all frames, in one piece


@dataclass(slots=True)
class Sent:
    """What a treatment came to. Units: frames, but `batches`. `stopped_by`: the order that ended it early, if one did."""

    frames: int = 0
    batches: int = 0
    repeated: int = 0
    withheld: int = 0
    mtz_count: int = 0
    stopped_by: str | None = None


class Laser:
    """One laser in one treatment. The same seed gives the same frames and the same faults."""

    def __init__(
        self,
        *,
        url: str,
        token: str,
        device_id: UUID | str,
        treatment_id: UUID | str,
        seed: int = 1,
        frames: int = FRAMES,
        plan: Sequence[Mapping[str, Any]] = PLAN,
        grid_cell_mm: float = 10.0,
        faults: Faults | None = None,
    ) -> None:
        """`url`: of the device-telemetry service. `plan` and `grid_cell_mm` are those that the opening answered with."""
        self._address = f"{url.rstrip('/')}/v1/devices/{device_id}/frames"
        self._headers = {
            "Authorization": f"Bearer {token}", "Content-Type": "application/x-ndjson", "Content-Encoding": "gzip",
        }  # fmt: skip
        self._random = random.Random(seed)  # noqa: S311  # a simulation
        self._faults = faults or Faults()
        self._emitted = emission(plan, grid_cell_mm, frames, self._random)
        self._frames, self.boot_id = frames, UUID(int=self._random.getrandbits(128), version=4)
        self._header = {
            "v": 1, "treatment_id": str(treatment_id), "device_id": str(device_id), "boot_id": str(self.boot_id), "first_seq": 0,
            "grid_cell_mm": grid_cell_mm,
        }  # fmt: skip
        self._rows: list[Row] = []
        self._withheld: list[Row] = []
        self.sent = Sent()
        self.answers: list[Answer] = []

    def treat(self, progress: Told = lambda line: None, may_go_on: Asked = lambda command, answer: False) -> Sent:
        """Delivers the plan and sends its frames; stops where it is told to, unless `may_go_on` lets it. Raises: LaserRefused."""
        first = int(self._frames * self._random.uniform(0.3, 0.6))
        gap = range(first, first + int(self._frames * self._faults.gap_share))
        waiting: list[list[Row]] = []  # the newest overtakes the one before it
        with httpx.Client(timeout=ANSWER_SECONDS_MAX, trust_env=False) as http:
            while self.sent.stopped_by is None and (batch := list(islice(self._emitted, FRAMES_PER_BATCH))):
                self._rows.extend(batch)
                self._withheld.extend(row for row in batch if row[0] in gap)
                waiting.append([row for row in batch if row[0] not in gap])
                if len(waiting) > 1 or self._random.random() >= self._faults.swapped_share:
                    self._send_all(http, waiting, progress, may_go_on)
            self._send_all(http, waiting, progress, may_go_on)
        self.sent.mtz_count = sum(int(row[6]) for row in self._rows)
        self.sent.withheld = len(self._withheld)
        return self.sent

    def missing(self) -> int:
        """How many frames are still in its memory only."""
        return len(self._withheld)

    def finals(self) -> dict[str, Any]:
        """What the operator's end of the treatment names: the last number given out in each boot."""
        return {"finals": [{"boot_id": str(self.boot_id), "last_seq": self._rows[-1][0] if self._rows else 0}]}

    def back_fill(self) -> None:
        """Sends what was withheld, with the frame before and after it, as a laser does that is not sure. Raises: LaserRefused."""
        if not self._withheld:
            return
        first, last = self._withheld[0][0] - 1, self._withheld[-1][0] + 1
        rows = [row for row in self._rows if first <= row[0] <= last]
        with httpx.Client(timeout=ANSWER_SECONDS_MAX, trust_env=False) as http:
            for start in range(0, len(rows), FRAMES_PER_BATCH):
                self._send(http, rows[start : start + FRAMES_PER_BATCH])
        self._withheld.clear()

    def _send_all(self, http: httpx.Client, waiting: list[list[Row]], progress: Told, may_go_on: Asked) -> None:
        """Newest first, each maybe shuffled, maybe twice; an order that nobody lifts ends the treatment."""
        while waiting:
            rows = waiting.pop()
            if not rows:
                continue
            if self._random.random() < self._faults.shuffled_share:
                self._random.shuffle(rows)
            answer = self._send(http, rows)
            if self._random.random() < self._faults.doubled_share:
                answer = self._send(http, rows)
                self.sent.repeated += len(rows)
            self.sent.frames += len(rows)
            command = answer["command"]
            if command is not None and not may_go_on(command, answer):
                self.sent.stopped_by = command
            if self.sent.batches % BATCHES_PER_LINE == 0:
                progress(f"{len(self._rows):,} of {self._frames:,} frames; received without a gap: {answer['next_expected']['seq']:,}")

    def _send(self, http: httpx.Client, rows: Sequence[Row]) -> Answer:
        """One batch, again and again until the broker has it. Raises: LaserRefused."""
        header = self._header | {"sent_device_ms": self._rows[-1][1]}
        lines = "\n".join(json.dumps(line, separators=(",", ":")) for line in (header, *rows)) + "\n"
        body = gzip.compress(lines.encode(), compresslevel=6, mtime=0)
        told = "nothing"
        for _ in range(TRIES_MAX):
            status, told = self._post(http, body)
            if status == ACCEPTED:
                answer: Answer = json.loads(told)
                self.answers.append(answer)
                self.sent.batches += 1
                return answer
            if status not in AGAIN:
                raise LaserRefused(f"{status} {told[:500]}")
            time.sleep(PAUSE_SECONDS)
        raise LaserRefused(f"no answer that counts after {TRIES_MAX} tries; the last was {told[:500]}")

    def _post(self, http: httpx.Client, body: bytes) -> tuple[int, str]:
        try:
            reply = http.post(self._address, content=body, headers=self._headers)
        except httpx.TransportError as error:
            return NO_ANSWER, type(error).__name__
        return reply.status_code, reply.text


def emission(plan: Sequence[Mapping[str, Any]], grid_cell_mm: float, frames: int, seeded: random.Random) -> Iterator[Row]:
    """The frames that deliver exactly the plan, evenly over each zone's cells, pass after pass.

    A row: [seq, device_ms, zone, pass_no, energy_set_mj, energy_mj, mtz_count, grid_row, grid_col, emission, temp_tip_c, fault_bits].
    """
    planned = sum(zone["planned_mtz"] for zone in plan)
    seq = 0
    for n, zone in enumerate(plan):
        share = frames - seq if n == len(plan) - 1 else round(frames * zone["planned_mtz"] / planned)
        for row in _of_zone(zone, grid_cell_mm, share, seeded):
            yield [seq, FIRST_MS + seq * FRAME_MS, *row]
            seq += 1


def _of_zone(zone: Mapping[str, Any], grid_cell_mm: float, frames: int, seeded: random.Random) -> Iterator[Row]:
    energy_mj = float(zone["energy_mj_per_mtz"])
    cells = max(1, math.floor(zone["area_cm2"] / (grid_cell_mm / 10) ** 2))
    columns = math.ceil(math.sqrt(cells))
    for i in range(frames):
        step = i * cells * PASSES // frames
        row, column = divmod(step % cells, columns)
        mtz_count = (i + 1) * zone["planned_mtz"] // frames - i * zone["planned_mtz"] // frames
        measured_mj = round(energy_mj * (1 + seeded.uniform(-ENERGY_NOISE, ENERGY_NOISE)), 2)
        tip_c = round(31 + 2 * math.sin(i / 400) + seeded.uniform(0, 0.5), 1)
        yield [zone["zone"], 1 + step // cells, energy_mj, measured_mj, mtz_count, row, column, True, tip_c, 0]
