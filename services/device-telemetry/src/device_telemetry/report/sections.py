"""The parts of a report, each from what the record says. Pure: the same treatment gives the same bytes."""

from collections.abc import Iterator, Sequence
from typing import Final

from device_telemetry import dose as dose_of
from device_telemetry.binding import Binding, ZonePlan
from device_telemetry.dose import UJ_PER_J, ZoneTotals, whole_percent
from device_telemetry.report.contents import BackFilled, Contents, PassTotals
from device_telemetry.report.markup import Markup, alarm, ident, pairs, paragraph, section, table
from device_telemetry.report.story import people, story
from device_telemetry.report.wording import MODALITIES, lasted, local, number, offset, span, utc

SHOWN_MAX: Final = 60  # gaps of each kind; more are counted
OVERTAKEN_SECONDS: Final = 5.0  # a gap that was closed sooner is two batches that overtook each other
UNKNOWN: Final = "not known to this service"
ABOVE: Final = "above the limit"


def identity(contents: Contents) -> Markup:
    """Which treatment of whom, where, when, with what."""
    ids, laser, model = contents.binding.ids, contents.laser, contents.model
    kind = f"{laser.model} ({model.label})" if model else laser.model
    rows = [
        ("Treatment", ident(ids.treatment_id)), ("Patient", ident(ids.patient_id)), ("Visit", ident(ids.visit_id)),
        ("Clearance", ident(ids.clearance_id)), ("Clinic", Markup(f"{ident(ids.clinic_id)}, time zone {ids.time_zone}")),
        ("Laser", f"{kind}, serial number {laser.serial}"), ("Laser id", ident(ids.device_id)),
        ("Handpiece and tip", UNKNOWN), ("Modality", MODALITIES.get(ids.modality, ids.modality)),
    ]  # fmt: skip
    note = "Ids only: this service keeps no names of patients, staff or clinics."
    return section("What, where, for whom", pairs(rows), paragraph(note, "soft"))


def times(contents: Contents) -> Markup:
    """Beginning and end on the clinic's clock, UTC beside."""
    zone = contents.binding.ids.time_zone
    known = [("Opened", contents.binding.bound_at), ("Started: first microbeam", contents.started_at), ("Ended", contents.ended_at)]
    rows = [(name, local(at, zone), offset(at, zone), utc(at)) for name, at in known if at is not None]
    took = lasted((contents.ended_at - contents.started_at).total_seconds()) if contents.started_at and contents.ended_at else None
    parts = [table("", ("", f"Clinic's clock ({zone})", "Offset", "UTC"), rows, "httt")]
    return section("When", *parts, *([paragraph(f"From the first microbeam to the end: {took}.")] if took else []))


def persons(contents: Contents) -> Markup:
    """Who, by id."""
    rows = [(one.part, ident(one.id) if one.id else UNKNOWN, one.known) for one in people(contents)]
    return section("Who", table("Persons by their id", ("Part", "Id", "Known"), rows, "h--"))


def parameters(contents: Contents) -> Markup:
    """What the laser was set to and what it measured."""
    passes, binding = contents.frames.passes, contents.binding
    tips = [one.tip_c_max for one in passes if one.tip_c_max is not None]
    rows = [
        ("Energy set, per MTZ", _spanned(passes, "set_mj", "mJ")),
        ("Energy measured, per MTZ", _spanned(passes, "measured_mj", "mJ")),
        ("Lesion diameter", _lesions(binding)),
        ("Hottest contact tip", f"{number(max(tips), 1)} °C" if tips else "not measured"),
        ("Grid of the recording", f"cells of {binding.grid_cell_mm:g} × {binding.grid_cell_mm:g} mm"),
    ]  # fmt: skip
    by_pass = [
        (
            one.zone, str(one.pass_no), number(one.shots), number(one.mtz_count), number(one.energy_uj / UJ_PER_J, 1),
            span(one.set_mj_min, one.set_mj_max, "mJ"), span(one.measured_mj_min, one.measured_mj_max, "mJ"),
        )
        for one in passes
    ]  # fmt: skip
    head = ("Zone", "Pass", "Shots", "MTZ", "Energy J", "Set per MTZ", "Measured per MTZ")
    told = "A shot is one frame that delivered: a stamp, a scan pattern, or 100 ms of a scanner. MTZ: microthermal zones (microbeams)."
    return section("Settings and passes", pairs(rows), table(told, head, by_pass, "hnnnn--"), long=True)


def _lesions(binding: Binding) -> str:
    """What coverage is computed with."""
    planned = {plan.energy_mj_per_mtz: dose_of.lesion_diameter_um(binding.lesions, plan.energy_mj_per_mtz) for plan in binding.plan}
    return "; ".join(f"{um:.0f} µm at the planned {mj:g} mJ" for mj, um in sorted(planned.items())) + ", from the laser's table"


def _spanned(passes: Sequence[PassTotals], what: str, unit: str) -> str:
    low = [value for one in passes if (value := getattr(one, f"{what}_min")) is not None]
    high = [value for one in passes if (value := getattr(one, f"{what}_max")) is not None]
    return span(min(low, default=None), max(high, default=None), unit)


def dose(contents: Contents) -> Markup:
    """What each zone received."""
    rows = [_dose_row(one, contents) for one in contents.now.totals]
    head = ("Zone", "Passes", "Shots", "Area cm²", "MTZ", "Share of plan", "MTZ/cm²", "Energy J", "Energy J/cm²", "Coverage %")
    told = "Coverage: share of the surface inside microthermal zones, corrected for overlap. J/cm²: emitted energy over the zone's area."
    return section("Delivered, by zone", table(told, head, rows, "hnnnnnnnnn"))


def _dose_row(one: ZoneTotals, contents: Contents) -> tuple[str, ...]:
    passes = [each for each in contents.frames.passes if each.zone == one.zone]
    share = f"{number(100 * one.mtz_count / one.planned_mtz, 1)} %" if one.planned_mtz else alarm("not planned")
    return (
        one.zone, str(len(passes)), number(sum(each.shots for each in passes)), f"{one.area_cm2:g}", number(one.mtz_count), share,
        number(one.density_mtz_per_cm2, 1), number(one.energy_j, 1), number(one.energy_j / one.area_cm2, 2),
        number(one.coverage_percent, 1),
    )  # fmt: skip


def limits(contents: Contents) -> Markup:
    """What was allowed, beside what was reached."""
    rows = [row for one in contents.now.totals for row in _limit_rows(one, contents)]
    head = ("Zone", "Limit", "Allowed", "Reached", "")
    told = "Limits of the clearance and of the plan. Caps on coverage are compared as whole per cent, halves up."
    closed = contents.state.watch.closed
    shut = f"Closed by the dose guard: {', '.join(sorted(closed))}." if closed else "The dose guard closed no zone."
    return section("Limits, and what was reached", table(told, head, rows, "h-nn-"), paragraph(shut), long=True)


def _limit_rows(one: ZoneTotals, contents: Contents) -> Iterator[tuple[str, ...]]:
    binding, allowed = contents.binding, contents.binding.limits
    passes = [each for each in contents.frames.passes if each.zone == one.zone]
    hottest = max((each.measured_mj_max or 0 for each in passes), default=0)
    last_pass = max((each.pass_no for each in passes), default=0)
    plan, covered = binding.planned(one.zone), one.coverage_percent
    dense, over = one.density_mtz_per_cm2 > allowed.density_mtz_per_cm2_max, whole_percent(covered) > allowed.coverage_percent_max
    if plan is not None:
        yield _over_plan(one, plan, contents)
    yield _row(one, "Energy per MTZ", f"{allowed.energy_mj_per_mtz_max:g} mJ", f"{hottest:.1f} mJ", hottest > allowed.energy_mj_per_mtz_max)
    most = f"{number(allowed.density_mtz_per_cm2_max)} MTZ/cm²"
    yield _row(one, "Density", most, f"{number(one.density_mtz_per_cm2, 1)} MTZ/cm²", dense)
    yield _row(one, "Coverage", f"{allowed.coverage_percent_max:g} %", f"{covered:.1f} %", over)
    yield _row(one, "Passes", str(allowed.passes_max), str(last_pass), last_pass > allowed.passes_max)


def _over_plan(one: ZoneTotals, plan: ZonePlan, contents: Contents) -> tuple[str, ...]:
    percent, most = 100 * one.mtz_count / plan.planned_mtz, contents.binding.guard.over_plan_percent
    return _row(one, "Share of plan (a zone closes above)", f"{most} %", f"{percent:.1f} %", percent > most)


def _row(one: ZoneTotals, what: str, allowed: str, reached: str, above: bool) -> tuple[str, ...]:  # noqa: FBT001  # the last column
    return one.zone, what, allowed, reached, alarm(ABOVE) if above else "within"


def happened(contents: Contents) -> Markup:
    """Everything in order, the guard's commands marked."""
    zone, lines = contents.binding.ids.time_zone, story(contents)
    rows = [(local(one.at, zone), utc(one.at), alarm(one.command) if one.command else "", one.what, one.by) for one in lines]
    told = f"{len([one for one in lines if one.command])} commands of the dose guard (PAUSE: the operator resumes; STOP: a physician does)"
    head = (f"Clinic's clock ({zone})", "UTC", "Command", "What", "By")
    note = "A pause that the laser was told only because the totals had not followed for a moment is not in this record."
    return section("What happened", table(told, head, rows, "tt---"), paragraph(note, "soft"), long=True)


def completeness(contents: Contents) -> Markup:
    """What was missing, when it was noticed, when it came."""
    now, zone = contents.now, contents.binding.ids.time_zone
    shown = [one for one in contents.frames.back_filled if (one.closed_at - one.noticed_at).total_seconds() >= OVERTAKEN_SECONDS]
    short, gaps = len(contents.frames.back_filled) - len(shown), contents.open_gaps
    duplicates = sum(one.duplicates for one in contents.kept.recordings)
    frames = sum(one.frames for one in contents.kept.zones.values())
    rows = [
        ("Frames stored", number(frames)), ("Frames missing", f"{number(now.missing_frames)}, in {number(now.gaps_open)} gaps"),
        ("Duplicates", f"{number(duplicates)} frames came once more; each counts once"),
        ("Gaps closed within 5 s", f"{number(short)} (batches that overtook each other)"),
        ("Power-ons of the laser", number(len(contents.kept.recordings))),
    ]  # fmt: skip
    parts = [pairs(rows)]
    if gaps:
        missing = [
            (str(one.gap.first), str(one.gap.last), number(one.gap.last - one.gap.first + 1), ident(one.boot_id),
             f"{local(one.noticed_at, zone)} ({utc(one.noticed_at)} UTC)" if one.noticed_at else "no later frame has come")
            for one in gaps[:SHOWN_MAX]
        ]  # fmt: skip
        parts.append(table(f"Still missing{_more(gaps)}", ("From frame", "To", "Frames", "Power-on", "Noticed"), missing, "nnn--"))
    if shown:
        closed = [_closed(one, zone) for one in shown[:SHOWN_MAX]]
        head = ("From frame", "To", "Frames", f"Noticed ({zone})", f"Closed ({zone})", "After", "Power-on")
        parts.append(table(f"Closed by back-fill{_more(shown)}", head, closed, "nnntt--"))
    return section("Completeness of the recording", *parts, long=True)


def _closed(one: BackFilled, zone: str) -> tuple[str, ...]:
    took = lasted((one.closed_at - one.noticed_at).total_seconds())
    count = number(one.last_seq - one.first_seq + 1)
    return str(one.first_seq), str(one.last_seq), count, local(one.noticed_at, zone), local(one.closed_at, zone), took, ident(one.boot_id)


def _more(rows: Sequence[object]) -> str:
    return f", the first {SHOWN_MAX} of {len(rows)}" if len(rows) > SHOWN_MAX else ""
