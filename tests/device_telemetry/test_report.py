"""The treatment report: what a clinician files, made from the record alone."""

import random
import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from html import unescape
from typing import Any, get_args
from uuid import UUID, uuid4

import pytest

from device_telemetry.clearance.decide import CLEARANCE
from device_telemetry.frames.columns import columns_of
from device_telemetry.frames.consequences import Kept, Recording
from device_telemetry.frames.ranges import Range
from device_telemetry.frames.totals import CellKey, Sum, summed
from device_telemetry.report.contents import BackFilled, Contents, FramesTold, PassTotals, Told
from device_telemetry.report.density_map import CROSS, OVER, SLASH, UNPLANNED, density_map_svg
from device_telemetry.report.page import report_html
from device_telemetry.report.wording import CAUSES
from device_telemetry.treatment.commands import CheckSilence, ExpireBackfill, GiveUpUnstarted
from device_telemetry.treatment.decide import TREATMENT
from device_telemetry.treatment.events import HoldCause
from erbium_kernel.event import Actor, Envelope
from tests.device_telemetry.making import (
    AREAS,
    ATTESTED,
    BINDING,
    BOOT,
    CHAIN,
    CHECK_IN,
    CLAIM,
    GRANT,
    LESIONS,
    MODEL,
    NOW,
    OPEN,
    PATIENT,
    REGISTER,
    TAKE_UP,
    TREATMENT_ID,
    clearance,
    device,
    frame,
    treatment,
)
from tests.device_telemetry.test_treatment import ABORT, CLOSE, DOCTOR, END, GAPPY, LATER, LIFT, NURSE, PAUSE, RUNNING, STOP, WHOLE, finish

DOCTORS_ID, NURSES_ID = "01990000-0000-7000-8000-0000000d0c01", "01990000-0000-7000-8000-00000000e501"
PASS = PassTotals("face", 1, 100, 1_700, 68_000_000, 40.0, 40.0, 38.5, 71.4, 36.5)
LATE = BackFilled(BOOT, 40, 59, NOW + timedelta(minutes=5), NOW + timedelta(minutes=17, seconds=4))


def told(decider: Any, events: Sequence[Any], actor: Actor) -> list[Told]:
    return [
        (
            Envelope(
                chain_id=CHAIN, ordering_id=PATIENT, event_id=uuid4(), type=decider.events.name_of(event), schema_version=1, origin=None,
                stream=None, version=n, clinic_id=None, subject_id=None, occurred_at=NOW, recorded_at=NOW, command_id=None,
                correlation_id=uuid4(), causation_id=None, actor=actor, traceparent=None,
            ),
            event,
        )
        for n, event in enumerate(events, start=1)
    ]  # fmt: skip


def contents(*commands: Any, received: tuple[Range, ...] = (Range(0, 99),), **changed: Any) -> Contents:
    """A treatment with 100 frames of the face, unless the test says otherwise."""
    state, events = treatment(*commands)
    heard = (replace(GRANT, granted_by=DOCTORS_ID), CHECK_IN, replace(ATTESTED, attested_by=NURSES_ID), OPEN)
    frames = FramesTold([PASS], {("face", 0, 0): Sum(100, 450, 18_000_000, 25_000_000)}, [], {})
    recording = Recording(
        boot_id=BOOT, first_seq=0, last_seq=99, highest_seq=99, last_received_at=NOW + timedelta(minutes=9), first_delivered_at=NOW,
        received=received, duplicates=1_234,
    )  # fmt: skip
    sums = {"face": Sum(100, 1_700, 68_000_000, 1_700 * 57_680)}
    usual: dict[str, Any] = {
        "state": state, "version": len(events), "laser": device(REGISTER, CLAIM)[0], "model": MODEL,
        "treatment": told(TREATMENT, events, Actor(kind="reaction", id="x")),
        "clearance": told(CLEARANCE, clearance(*heard)[1], Actor(kind="staff", id=NURSES_ID)),
        "kept": Kept(recordings=[recording], zones=sums, fullest_cells={}), "frames": frames, "usual_areas_cm2": AREAS,
    }  # fmt: skip
    return Contents(**{**usual, **changed})


def page(*commands: Any, **changed: Any) -> str:
    """The text of the page, markup taken out, spaces as one."""
    html = report_html(contents(*commands, **changed)).replace("\u202f", " ")
    return " ".join(unescape(re.sub(r"(?s)<style>.*?</style>|<[^>]+>", " ", html)).split())


def test_who_where_when_with_what() -> None:
    """Clinic and its zone, laser by model and serial number, persons by id, both clocks with the zone named: all that is known, said so."""
    text = page(*RUNNING, replace(END, delivered=WHOLE), finish(WHOLE))
    for known in (
        str(TREATMENT_ID), str(PATIENT), "time zone Europe/Madrid", "ef-1550 (erbium fibre scanner, 1550 nm), serial number EF-2026-0042",
        "Clinic's clock (Europe/Madrid)", "Started: first microbeam 2026-04-15 12:32:00 UTC+02:00 2026-04-15 10:32:00",
        "Ended 2026-04-15 12:50:00 UTC+02:00 2026-04-15 10:50:00", "From the first microbeam to the end: 18 min 0 s.",
        f"Operator who opened the treatment staff {NURSES_ID}", f"Physician who granted the clearance {DOCTORS_ID}",
        f"Asked the question of the day {NURSES_ID}", "Handpiece and tip not known to this service",
        "Ids only: this service keeps no names",
    ):  # fmt: skip
        assert known in text, known


def test_what_was_delivered_with_units() -> None:
    """Per zone: passes, shots, area, MTZ, share of plan, density, energy per area, coverage; per pass: settings and measurements."""
    text = page(*RUNNING, END)
    assert "Zone Passes Shots Area cm² MTZ Share of plan MTZ/cm² Energy J Energy J/cm² Coverage %" in text
    assert "face 1 100 300 1 700 1.2 % 5.7 68.0 0.23 0.3" in text
    assert "face 1 100 1 700 68.0 40.0 mJ 38.5 to 71.4 mJ" in text
    assert "271 µm at the planned 40 mJ" in text
    assert "Hottest contact tip 36.5 °C" in text


def test_limits_and_which_were_reached() -> None:
    """Each limit beside what was reached, and in words where it was passed; what was not planned is said."""
    text = page(*RUNNING, CLOSE)
    assert "face Energy per MTZ 70 mJ 71.4 mJ above the limit" in text
    assert "face Coverage 23 % 0.3 % within" in text
    assert "face Share of plan (a zone closes above) 115 % 1.2 % within" in text
    assert "Closed by the dose guard: face." in text
    neck = {"face": Sum(1, 17, 680_000, 1), "neck": Sum(1, 17, 680_000, 1)}
    kept = replace(contents(*RUNNING).kept, zones=neck)
    assert "neck 0 0 150 17 not planned" in page(*RUNNING, kept=kept)


def test_the_guards_commands_with_times() -> None:
    """Every hold, resuming and closure in order, with both clocks, what was passed by how much, and who resumed."""
    text = page(*RUNNING, PAUSE, LIFT, NURSE, STOP, DOCTOR, CLOSE)
    assert "3 commands of the dose guard" in text
    assert "2026-04-15 12:30:00 2026-04-15 10:30:00 PAUSE the clearance was suspended the dose guard" in text
    assert "STOP energy above the cleared limit (face, 71.0 against 70.0 mJ per MTZ, frames 10 to 20) the dose guard" in text
    assert "resumed as a physician, over: energy above the cleared limit staff dr-1" in text
    assert "zone closed: more than the plan allows" in text


@pytest.mark.parametrize(
    ("history", "words"),
    [
        ((TAKE_UP,), "Opened. The laser may treat"),
        (RUNNING, "Running. The laser delivers."),
        ((*RUNNING, CheckSilence(at=LATER)), "Running."),
        ((*RUNNING, END), "Ended. Nothing more is delivered. The totals are provisional"),
        ((*RUNNING, END, finish(WHOLE)), "Completed. Every frame that the laser numbered is stored: the totals are final. It does not say"),
        ((*RUNNING, END, ExpireBackfill(at=LATER), finish(GAPPY)), "The wait for missing frames is over. 50 frames never came."),
        ((*RUNNING, ABORT, finish(WHOLE)), "The treatment was broken off. No frame is missing."),
        ((TAKE_UP, GiveUpUnstarted(at=LATER)), "Given up. Broken off before anything was delivered"),
    ],
    ids=["opened", "running", "asked", "ended", "completed", "partly", "aborted", "given up"],
)
def test_what_its_phase_means(history: tuple[Any, ...], words: str) -> None:
    """The first thing on the page is how far its numbers may be trusted."""
    text = page(*history)
    assert words in text
    assert text.index(words) < text.index("What, where, for whom")


def test_what_was_missing() -> None:
    """Open gaps with when they were noticed, closed ones with when they were closed, short ones and duplicates as counts."""
    short = LATE._replace(closed_at=LATE.noticed_at + timedelta(seconds=2))
    noticed = {(BOOT, 60): NOW + timedelta(minutes=3)}
    frames = FramesTold([PASS], {}, [LATE, short], noticed)
    text = page(*RUNNING, END, frames=frames, received=(Range(0, 49), Range(60, 99)))
    assert "Frames stored 100" in text
    assert "Duplicates 1 234 frames came once more; each counts once" in text
    assert "Gaps closed within 5 s 1 (batches" in text
    assert f"50 59 10 {BOOT} 2026-04-15 12:33:00 (2026-04-15 10:33:00 UTC)" in text
    assert f"100 7999 7 900 {BOOT} 2026-04-15 12:50:00" in text  # its operator named a last frame that has not come: noticed at the end
    assert "40 59 20 2026-04-15 12:35:00 2026-04-15 12:47:04 12 min 4 s" in text


def test_the_page_fetches_nothing_and_names_nobody() -> None:
    """Ids, numbers and its own style: nothing points elsewhere, nothing is executed, and what comes from outside is escaped."""
    laser = replace(contents(*RUNNING).laser, serial='<b onload="x">&')
    html = report_html(contents(*RUNNING, STOP, laser=laser))
    assert not [word for word in ("<script", "src=", "href=", "@import", "url(", "javascript", "<b onload") if word in html]
    assert "&lt;b onload=&quot;x&quot;&gt;&amp;" in html
    assert "@media print" in html
    assert html.startswith('<!doctype html><html lang="en">')


def test_the_page_can_be_read_aloud() -> None:
    """Every table has a caption or is a list of pairs, every column a scope, the drawing a name and its contents in words."""
    html = report_html(contents(*RUNNING, STOP, END))
    root = ET.fromstring(html.removeprefix("<!doctype html>").replace('<meta charset="utf-8">', "").replace(_viewport(html), ""))
    tables = root.findall(".//table")
    assert len(tables) >= 6
    for one in tables:
        assert one.get("class") == "pairs" or one.find("caption") is not None
        assert all(head.get("scope") in ("col", "row") for head in one.iter("th"))
    names = [element.tag.rpartition("}")[2] for element in root.iter()]
    assert (names.count("h1"), names.count("main"), names.count("figcaption")) == (1, 1, 1)
    svg = next(element for element in root.iter() if element.tag.endswith("svg"))
    assert svg.get("role") == "img"
    told = {str(element.get("id")): str(element.text) for element in svg if element.get("id")}
    assert [name in told for name in str(svg.get("aria-labelledby")).split()] == [True, True]
    assert str(TREATMENT_ID) in told["map-name"]
    assert "per cent of the planned density" in told["map-words"]


def _viewport(html: str) -> str:
    found = re.search(r'<meta name="viewport"[^>]*>', html)
    assert found is not None
    return found.group()


def test_every_cause_has_words() -> None:
    """No cause that can hold a laser is without words in the report."""
    assert set(CAUSES) == set(get_args(HoldCause))


# --- the map


def cells_of(frames: list[Any]) -> Mapping[CellKey, Sum]:
    return summed(columns_of(frames), LESIONS).cells


def test_the_map_shows_what_was_over_and_what_was_not_planned() -> None:
    """Cells beyond the limit and zones outside the plan have a colour and a mark of their own; the drawing depends on its data alone."""
    frames = [frame(0), frame(1, mtz_count=530), frame(2, zone="neck"), frame(3, mtz_count=520)]
    shuffled = random.Random(7).sample(frames, k=4)
    one, other = (density_map_svg(BINDING, cells_of(each)).replace("\u202f", " ") for each in (frames, shuffled))
    assert one == other
    assert [one.count(f'fill="{colour}"') for colour in (OVER, UNPLANNED)] == [2, 2]  # one of each is the legend's
    assert [one.count(f'd="{mark}"') for mark in (CROSS, SLASH)] == [2, 2]
    assert "530 MTZ, 117 % of plan" in one  # rounded up: 116.2 is beyond 116
    assert "1 cells beyond 115 per cent" in one
    assert "nothing delivered" in density_map_svg(BINDING, {})


def test_the_legend_names_empty_cells() -> None:
    """The legend has every look that a cell can have, empty ones too, with their limits."""
    svg = density_map_svg(BINDING, cells_of([frame(0)]))
    for label in ("empty: nothing was delivered in this cell", "above 0 to 25 %", "above 90 to 110 %", "above 110 to 115 %", "above 115 %"):
        assert svg.count(f">{label}") == 1, label


@pytest.mark.parametrize("columns", [1, 20, 300, 4_096])
def test_a_map_of_many_cells_stays_a_page(columns: int) -> None:
    """Everything that is drawn lies inside the drawing, whatever the grid; a great many cells carry no words of their own."""
    cells = {("face", row, column): Sum(1, 10) for row in (0, 1) for column in range(0, columns, max(1, columns // 200))}
    svg = density_map_svg(BINDING, cells)
    root = ET.fromstring(svg)
    width, height = int(str(root.get("width"))), int(str(root.get("height")))
    assert width <= 4_096 * 2 + 100
    for element in root.iter():
        if element.tag.endswith("rect"):
            x, y = int(element.get("x", "0")), int(element.get("y", "0"))
            assert x + int(str(element.get("width"))) <= width
            assert y + int(str(element.get("height"))) <= height
        if element.tag.endswith("text") and element.get("text-anchor") is None:
            assert int(str(element.get("x"))) + 7 * len(str(element.text)) <= width, element.text
    many = {("face", n // 100, n % 100): Sum(1, 10) for n in range(6_000)}
    assert density_map_svg(BINDING, many).count("<title>") == 0


def test_ids_only() -> None:
    """Nothing in the drawing's address or name is anything but an id and a date."""
    assert UUID(re.search(r"treatment ([0-9a-f-]{36}), 2026-04-15</title>", density_map_svg(BINDING, {})).group(1)) == TREATMENT_ID  # type: ignore[union-attr]
