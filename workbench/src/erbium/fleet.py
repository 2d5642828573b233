"""A simulated laser: it treats as it was told, and streams its frames over HTTP, seeded, with the faults of a real network.

    laser = Laser(url, device_id, token=lambda: "…", seed=7)
    recording = laser.treat(opened, progress=print)     # `opened`: the answer of POST /v1/treatments
    … the operator ends the treatment with recording.finals …
    laser.back_fill(recording)

It obeys: PAUSE and STOP in an answer stop the emission at once. Device time is 10 frames a second, sending is as fast as it can be.
"""

import gzip
import json
import math
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final
from uuid import UUID

import httpx

FRAMES: Final = 8_000  # of one treatment
FRAMES_PER_BATCH: Final = 250
FRAME_MS: Final = 100
FIRST_MS: Final = 60_000  # since the laser's boot
ENERGY_NOISE: Final = 0.015
PASSES_MAX: Final = 4
ANSWER_SECONDS_MAX: Final = 30.0
TRIES_MAX: Final = 40
PAUSE_SECONDS: Final = 0.25
ACCEPTED: Final = 202
AGAIN: Final = (404, 429, 500, 502, 503, 504)  # 404: the opening has not been taken up yet

Row = list[Any]
Answer = Mapping[str, Any]
Progress = Callable[[int, int, Answer], None]
"""(frames sent, frames in all, the newest answer)"""
Asked = Callable[[str, Answer], bool]
"""(PAUSE or STOP, the answer) -> has somebody who may let the laser go on?"""


class LaserRefused(Exception):
    """The service did not take a batch; the sentence says what it answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """What goes wrong on the way. Shares are probabilities per batch; the gap is left open until `back_fill`."""

    doubled_share: float = 0.1
    swapped_share: float = 0.1
    shuffled_share: float = 0.2
    gap_share: float = 0.03  # of all frames, in one piece


@dataclass(slots=True, kw_only=True)
class Recording:
    """What the laser has recorded of one treatment in one boot, and what of it has not been sent."""

    treatment_id: str
    boot_id: UUID
    grid_cell_mm: float
    rows: list[Row]
    withheld: list[Row] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    stopped_by: str | None = None
    batches: int = 0

    @property
    def last_seq(self) -> int:
        """The last number given out."""
        return int(self.rows[-1][0]) if self.rows else 0

    @property
    def finals(self) -> list[dict[str, Any]]:
        """What the operator's end of the treatment names."""
        return [{"boot_id": str(self.boot_id), "last_seq": self.last_seq}]

    @property
    def mtz_count(self) -> int:
        """All microbeams that were emitted."""
        return sum(int(row[6]) for row in self.rows)


class Laser:
    """One laser and its connection. The same seed gives the same frames and the same faults. Use as a context manager, or close it."""

    def __init__(
        self, url: str, device_id: UUID | str, token: Callable[[], str], *, seed: int = 1, transport: httpx.BaseTransport | None = None
    ) -> None:
        """`url`: of the device-telemetry service. `token()`: a bearer token of the role device, whose subject is this laser."""
        self._address = f"{url.rstrip('/')}/v1/devices/{device_id}/frames"
        self._device_id, self._token, self._random = str(device_id), token, random.Random(seed)
        self._http = httpx.Client(timeout=ANSWER_SECONDS_MAX, trust_env=False, transport=transport)

    def __enter__(self) -> "Laser":
        """Itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Closes the connection."""
        self.close()

    def close(self) -> None:
        """Lets go of the connection."""
        self._http.close()

    def treat(
        self,
        opened: Mapping[str, Any],
        *,
        frames: int = FRAMES,
        faults: Faults | None = None,
        progress: Progress = lambda sent, total, answer: None,
        may_go_on: Asked = lambda command, answer: False,
    ) -> Recording:
        """Delivers the plan and sends its frames; stops where it is told to, unless `may_go_on` lets it. Raises: LaserRefused."""
        faults = faults or Faults()
        boot_id = UUID(int=self._random.getrandbits(128), version=4)
        recording = Recording(treatment_id=str(opened["treatment_id"]), boot_id=boot_id, grid_cell_mm=opened["grid_cell_mm"], rows=[])
        emitted = emission(opened, frames, self._random)
        gap_first = int(frames * self._random.uniform(0.3, 0.6))
        gap = range(gap_first, gap_first + int(frames * faults.gap_share))
        waiting: list[list[Row]] = []  # held back so that the next batch overtakes it
        while batch := list(islice(emitted, FRAMES_PER_BATCH)):
            recording.rows.extend(batch)
            recording.withheld.extend(row for row in batch if row[0] in gap)
            waiting.append([row for row in batch if row[0] not in gap])
            if len(waiting) == 1 and self._random.random() < faults.swapped_share:
                continue
            if not self._send_all(recording, waiting, faults, progress, may_go_on, frames):
                break
        self._send_all(recording, waiting, faults, progress, may_go_on, frames)
        return recording

    def back_fill(self, recording: Recording, *, announce_end: bool = False) -> Answer:
        """Sends what was withheld, with the frame before and after it, as a laser does that is not sure. Raises: LaserRefused."""
        first, last = (recording.withheld[0][0], recording.withheld[-1][0]) if recording.withheld else (0, 0)
        rows = [row for row in recording.rows if first - 1 <= row[0] <= last + 1]
        recording.withheld.clear()
        answer: Answer = {}
        for start in range(0, len(rows), FRAMES_PER_BATCH):
            last_seq = recording.last_seq if announce_end else None
            answer = self._send(recording, rows[start : start + FRAMES_PER_BATCH], last_seq=last_seq)
        return answer

    def _send_all(
        self, recording: Recording, waiting: list[list[Row]], faults: Faults, progress: Progress, may_go_on: Asked, total: int
    ) -> bool:
        """Newest first, each maybe twice. False: the laser was told to stop, and nobody let it go on."""
        going = recording.stopped_by is None
        while waiting:
            rows = waiting.pop()
            if not rows:
                continue
            if self._random.random() < faults.shuffled_share:
                self._random.shuffle(rows)
            for _ in range(2 if self._random.random() < faults.doubled_share else 1):
                answer = self._send(recording, rows)
            progress(len(recording.rows), total, answer)
            command = answer["command"]
            if command is not None and going and not may_go_on(command, answer):
                recording.stopped_by, going = command, False
        return going

    def _send(self, recording: Recording, rows: Sequence[Row], *, last_seq: int | None = None) -> Answer:
        """One batch, again and again until the broker has it."""
        newest_ms = recording.rows[-1][1]
        header = {
            "v": 1, "treatment_id": recording.treatment_id, "device_id": self._device_id, "boot_id": str(recording.boot_id),
            "first_seq": 0, "last_seq": last_seq, "sent_device_ms": newest_ms, "grid_cell_mm": recording.grid_cell_mm,
        }  # fmt: skip
        lines = "\n".join(json.dumps(line, separators=(",", ":")) for line in (header, *rows)) + "\n"
        body = gzip.compress(lines.encode(), compresslevel=6, mtime=0)
        for _ in range(TRIES_MAX):
            reply = self._post(body)
            if reply is not None and reply.status_code == ACCEPTED:
                answer: Answer = reply.json()
                recording.answers.append(answer)
                recording.batches += 1
                return answer
            if reply is not None and reply.status_code not in AGAIN:
                raise LaserRefused(f"{reply.status_code} {reply.text[:500]}")
            time.sleep(PAUSE_SECONDS)
        raise LaserRefused(f"no answer that counts after {TRIES_MAX} tries: {reply.text[:500] if reply is not None else 'no connection'}")

    def _post(self, body: bytes) -> httpx.Response | None:
        headers = {
            "Authorization": f"Bearer {self._token()}", "Content-Type": "application/x-ndjson", "Content-Encoding": "gzip",
        }  # fmt: skip
        try:
            return self._http.post(self._address, content=body, headers=headers)
        except httpx.TransportError:
            return None


def emission(opened: Mapping[str, Any], frames: int, seeded: random.Random) -> Iterator[Row]:
    """The frames that deliver exactly the plan, evenly over each zone's cells, pass after pass.

    A row: [seq, device_ms, zone, pass_no, energy_set_mj, energy_mj, mtz_count, grid_row, grid_col, emission, temp_tip_c, fault_bits].
    """
    plan = opened["plan"]
    planned = sum(zone["planned_mtz"] for zone in plan)
    seq = 0
    for n, zone in enumerate(plan):
        share = frames - seq if n == len(plan) - 1 else round(frames * zone["planned_mtz"] / planned)
        for row in _of_zone(zone, opened, share, seeded):
            yield [seq, FIRST_MS + seq * FRAME_MS, *row]
            seq += 1


def _of_zone(zone: Mapping[str, Any], opened: Mapping[str, Any], frames: int, seeded: random.Random) -> Iterator[Row]:
    limits, energy_mj = opened["limits"], float(zone["energy_mj_per_mtz"])
    cells = max(1, math.floor(zone["area_cm2"] / (opened["grid_cell_mm"] / 10) ** 2))
    columns = math.ceil(math.sqrt(cells))
    passes = min(PASSES_MAX, limits["passes_max"])
    for i in range(frames):
        step = i * cells * passes // frames
        row, column = divmod(step % cells, columns)
        mtz_count = (i + 1) * zone["planned_mtz"] // frames - i * zone["planned_mtz"] // frames
        measured_mj = min(limits["energy_mj_per_mtz_max"], energy_mj * (1 + seeded.uniform(-ENERGY_NOISE, ENERGY_NOISE)))
        tip_c = round(31 + 2 * math.sin(i / 400) + seeded.uniform(0, 0.5), 1)
        yield [zone["zone"], 1 + step // cells, energy_mj, round(measured_mj, 2), mtz_count, row, column, True, tip_c, 0]
