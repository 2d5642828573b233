"""The treatment report: who, where, what was planned, what was delivered, what is missing. Ids only, no name. Pure."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, Final

from device_telemetry.binding import Binding
from device_telemetry.dose import ZoneTotals
from device_telemetry.frames.totals import CellKey, Sum
from device_telemetry.report.density_map import density_map_svg

STYLE: Final = """
body { font: 15px/1.45 Georgia, serif; color: #222; margin: 2rem auto; max-width: 60rem; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin: 0 0 .2rem; } h2 { font-size: 1.1rem; margin: 1.6rem 0 .4rem; }
table { border-collapse: collapse; width: 100%; } th, td { text-align: left; padding: .25rem .6rem; border-bottom: 1px solid #ccc; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; } .note { color: #8a2b0e; } svg { max-width: 100%; height: auto; }
@media print { @page { margin: 18mm; } body { margin: 0; max-width: none; } h2, table, svg { break-inside: avoid; } }
"""


def report_html(
    binding: Binding, cells: Mapping[CellKey, Sum], totals: Sequence[ZoneTotals], *, phase: str, provisional: bool, missing_frames: int
) -> str:
    """One page. The same treatment gives the same bytes."""
    ids = binding.ids
    facts = [
        ("Treatment", ids.treatment_id), ("Patient", ids.patient_id), ("Visit", ids.visit_id), ("Clearance", ids.clearance_id),
        ("Clinic", ids.clinic_id), ("Laser", ids.device_id), ("Modality", ids.modality), ("Time zone", ids.time_zone),
    ]  # fmt: skip
    note = f"Provisional: {missing_frames} frames are missing or may still come." if provisional else "The sequence is whole: final totals."
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>Treatment report {binding.on.isoformat()}</title><style>{STYLE}</style></head><body>"
        f"<h1>Treatment report</h1><p>{binding.on.isoformat()}, {escape(phase.replace('_', ' '))}. "
        f'<span class="{"note" if provisional else ""}">{escape(note)}</span></p>'
        + "<h2>What it was</h2>"
        + _table(("", ""), [(name, str(value)) for name, value in facts])
        + "<h2>Delivered, by zone</h2>"
        + _table(_TOTALS_HEAD, [_totals_row(one) for one in totals], numbers=True)
        + "<h2>Limits of the clearance</h2>"
        + _table(("", ""), _limits(binding))
        + "<h2>Density by grid cell, in per cent of the plan</h2>"
        + density_map_svg(binding, cells)
        + "</body></html>"
    )


_TOTALS_HEAD: Final = ("Zone", "MTZ", "Planned", "Area cm²", "MTZ/cm²", "Energy J", "Coverage %")


def _totals_row(one: ZoneTotals) -> tuple[str, ...]:
    planned = str(one.planned_mtz) if one.planned_mtz is not None else "not planned"
    return (
        one.zone, str(one.mtz_count), planned, f"{one.area_cm2:g}", f"{one.density_mtz_per_cm2:.1f}", f"{one.energy_j:.1f}",
        f"{one.coverage_percent:.1f}",
    )  # fmt: skip


def _limits(binding: Binding) -> list[tuple[str, str]]:
    limits = binding.limits
    return [
        ("Energy per MTZ", f"{limits.energy_mj_per_mtz_min:g} to {limits.energy_mj_per_mtz_max:g} mJ"),
        ("Density", f"at most {limits.density_mtz_per_cm2_max:g} MTZ/cm²"),
        ("Coverage", f"at most {limits.coverage_percent_max:g} %, as whole per cent"),
        ("Passes", f"at most {limits.passes_max}"),
        ("Over plan", f"a zone or cell closes above {binding.guard.over_plan_percent} % of its plan"),
    ]


def _table(head: Sequence[str], rows: Sequence[Sequence[Any]], *, numbers: bool = False) -> str:
    """`numbers`: every column but the first holds numbers, which stand under each other."""

    def row(tag: str, texts: Sequence[Any]) -> str:
        marks = ("", *[' class="n"' if numbers else ""] * (len(texts) - 1))
        return "<tr>" + "".join(f"<{tag}{mark}>{escape(text)}</{tag}>" for mark, text in zip(marks, texts, strict=True)) + "</tr>"

    return f"<table>{row('th', head) if any(head) else ''}{''.join(row('td', texts) for texts in rows)}</table>"
