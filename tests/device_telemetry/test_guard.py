"""The dose guard: what one frame forbids, what totals forbid, and what they do not."""

from dataclasses import replace
from typing import Any

import pytest

from device_telemetry.dose import lesion_area_um2
from device_telemetry.frames import guard
from device_telemetry.frames.columns import columns_of
from device_telemetry.frames.guard import Place
from device_telemetry.frames.totals import CellKey, Sum, summed, told
from device_telemetry.treatment.events import Breach, ZoneClosed
from tests.device_telemetry.making import AREAS, BINDING, BOOT, FACE, LESIONS, NOW, OTHER_BOOT, bound, frame

AT = Place(BOOT, 100)


def causes(*frames: Any, **changed: Any) -> list[str]:
    return [finding.cause for finding in guard.at_once(replace(BINDING, **changed), {}, BOOT, frames)]


def face(mtz_count: int, energy_mj: float = 40) -> dict[str, Sum]:
    return {"face": Sum(1, mtz_count, round(mtz_count * energy_mj * 1000), mtz_count * lesion_area_um2(LESIONS, energy_mj))}


def of_totals(mtz_count: int, cells: dict[CellKey, Sum] | None = None, **limits: Any) -> list[str]:
    binding = replace(BINDING, limits=replace(BINDING.limits, **limits))
    return [finding.cause for finding in guard.from_totals(binding, face(mtz_count), cells or {}, AT)]


def test_energy_at_the_limit_passes_above_stops() -> None:
    """70.0 mJ under a limit of 70 passes; 70.1 measured, or set, is found at once, emission or not."""
    assert causes(frame(0, energy_mj=70.0, energy_set_mj=70.0)) == []
    assert causes(frame(0, energy_mj=70.1)) == ["energy_over_limit"]
    assert causes(frame(0, energy_set_mj=71.0)) == ["energy_over_limit"]
    assert causes(frame(0, energy_set_mj=71.0, emission=False, mtz_count=0)) == ["energy_over_limit"]


def test_a_finding_spans_its_frames_with_the_worst_value() -> None:
    """Frames of one batch that pass the same limit are one finding: first and last number, worst value."""
    frames = [frame(7, energy_mj=71), frame(3, energy_mj=75), frame(9), frame(5, energy_mj=72)]
    [finding] = guard.at_once(BINDING, {}, BOOT, frames)
    assert finding.breach == Breach(zone="face", measured=75, limit=70, boot_id=BOOT, seq_first=3, seq_last=7)


def test_what_was_not_planned_stops() -> None:
    """A zone outside the plan, and a pass beyond the limit, stop the laser when it delivers or emits there, not when it only looks."""
    assert causes(frame(0, zone="neck")) == ["zone_not_planned"]
    assert causes(frame(0, zone="neck", emission=False, mtz_count=0)) == []
    assert causes(frame(0, pass_no=8)) == []
    assert causes(frame(0, pass_no=9)) == ["passes_over_limit"]


def test_a_closed_zone_stays_closed() -> None:
    """After a zone is closed newer frames of it stop the laser; back-filled ones from before do not."""
    breach = Breach(zone="face", measured=1, limit=1, boot_id=BOOT, seq_first=100, seq_last=100)
    closed = {"face": ZoneClosed(ids=BINDING.ids, zone="face", cause="density_over_plan", breach=breach, closed_at=NOW)}
    assert guard.at_once(BINDING, closed, BOOT, [frame(99), frame(100)]) == []
    assert [finding.cause for finding in guard.at_once(BINDING, closed, BOOT, [frame(101)])] == ["zone_closed"]
    assert [finding.cause for finding in guard.at_once(BINDING, closed, OTHER_BOOT, [frame(1)])] == ["zone_closed"]


@pytest.mark.parametrize(("mtz_count", "found"), [(157_320, []), (157_321, ["density_over_plan"])])
def test_over_plan(mtz_count: int, found: list[str]) -> None:
    """115 % of the planned MTZ passes, one more closes the zone (F604)."""
    assert of_totals(mtz_count, coverage_percent_max=100) == found


def test_density_limit() -> None:
    """The density limit of the clearance closes the zone above it, whatever the plan."""
    assert of_totals(136_800, density_mtz_per_cm2_max=456) == []
    assert of_totals(136_801, density_mtz_per_cm2_max=456) == ["density_over_limit"]


def test_coverage_cap_is_hard() -> None:
    """A cap of 23 lets 23.1 % pass and closes the zone at 23.5, although that is within 115 % of the plan."""
    assert of_totals(136_800) == []
    assert of_totals(139_600) == ["coverage_over_limit"]
    assert of_totals(139_600, coverage_percent_max=24) == []


def test_stacked_pulses_in_one_cell() -> None:
    """A zone whose mean is low is closed all the same when one cell has more than 115 % of its share: 456 MTZ per cm2 here."""
    assert of_totals(10_000, {("face", 3, 4): Sum(1, 524)}) == []
    assert of_totals(10_000, {("face", 3, 4): Sum(1, 525)}) == ["density_over_plan"]


def test_totals_name_planned_and_delivered_zones() -> None:
    """Totals list every planned zone, and what was delivered elsewhere with the usual area and no plan."""
    sums = summed(columns_of([frame(0), frame(1, zone="neck"), frame(2, zone="chest", mtz_count=0)]), LESIONS)
    totals = told(sums.zones, bound(), AREAS)
    assert [(one.zone, one.mtz_count, one.planned_mtz, one.area_cm2) for one in totals] == [
        ("face", 17, FACE.planned_mtz, 300),
        ("neck", 17, None, AREAS["neck"]),
    ]


def test_energy_outside_the_table_is_counted_apart() -> None:
    """What the laser's table does not cover is delivered all the same: counted, and marked."""
    sums = summed(columns_of([frame(0, energy_mj=2.0), frame(1)]), LESIONS)
    assert (sums.zones["face"].mtz_count, sums.zones["face"].outside_table) == (34, 17)
