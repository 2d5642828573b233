"""The density map: one square per cell of the laser's grid, coloured by its share of the planned density. Pure, whole numbers only."""

from collections.abc import Iterator, Mapping
from html import escape
from typing import Final

from device_telemetry.binding import Binding, ZonePlan
from device_telemetry.frames.totals import CellKey, Sum

CELL_PX: Final = 14
CELL_PX_MIN: Final = 2
SIDE_PX_MAX: Final = 900
MARGIN_PX: Final = 24
TITLE_PX: Final = 22
LEGEND_PX: Final = 46
LEGEND_STEP_PX: Final = 76
# Share of the planned density in per cent, up to and including -> colour. Readable in grey too: darker is more.
STEPS: Final = ((25, "#f3f0e6"), (50, "#e3d9b8"), (75, "#cdbd85"), (90, "#a8a45f"), (110, "#5f8f5a"))
NEAR_LIMIT: Final = "#c98a2b"  # up to the limit above which the guard closes a zone or cell
OVER: Final = "#a61b1b"
UNPLANNED: Final = "#5b2a86"
FONT: Final = 'font-family="Georgia, serif"'


def density_map_svg(binding: Binding, cells: Mapping[CellKey, Sum]) -> str:
    """All zones that were planned or received something, one below the other."""
    zones = [*binding.ids.zones, *sorted({zone for zone, _, _ in cells} - set(binding.ids.zones))]
    parts, top, width = [], MARGIN_PX, 2 * MARGIN_PX + (len(STEPS) + 2) * LEGEND_STEP_PX
    for zone in zones:
        drawn, across, down = _zone(zone, binding, {(row, col): one for (name, row, col), one in cells.items() if name == zone}, top)
        parts.extend(drawn)
        top += down
        width = max(width, across)
    parts.extend(_legend(top, binding))
    height = top + LEGEND_PX
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 {width} {height}" width="{width}" height="{height}">'
        "<title>Delivered density by grid cell, in per cent of the planned density</title>"
    )
    return head + "".join(parts) + "</svg>"


def _zone(zone: str, binding: Binding, cells: Mapping[tuple[int, int], Sum], top: int) -> tuple[list[str], int, int]:
    """(elements, width, height) of one zone."""
    parts = [f'<text x="{MARGIN_PX}" y="{top + 14}" {FONT} font-size="14">{escape(zone)}</text>']
    if not cells:
        parts.append(f'<text x="{MARGIN_PX + 100}" y="{top + 14}" {FONT} font-size="12" fill="#666">nothing delivered</text>')
        return parts, 2 * MARGIN_PX, TITLE_PX + MARGIN_PX
    first_row, last_row = min(row for row, _ in cells), max(row for row, _ in cells)
    first_col, last_col = min(col for _, col in cells), max(col for _, col in cells)
    rows, cols = last_row - first_row + 1, last_col - first_col + 1
    px = max(CELL_PX_MIN, min(CELL_PX, SIDE_PX_MAX // max(rows, cols)))
    plan = binding.planned(zone)
    for (row, col), one in sorted(cells.items()):
        x, y = MARGIN_PX + (col - first_col) * px, top + TITLE_PX + (row - first_row) * px
        percent = _percent_of_plan(one, plan, binding)
        told = f"row {row}, column {col}: {one.mtz_count} MTZ" + (f", {percent} % of plan" if plan else ", not planned")
        parts.append(
            f'<rect x="{x}" y="{y}" width="{px}" height="{px}" fill="{_colour(percent, plan, binding)}"><title>{told}</title></rect>'
        )
    parts.append(
        f'<rect x="{MARGIN_PX}" y="{top + TITLE_PX}" width="{cols * px}" height="{rows * px}" fill="none" stroke="#888" stroke-width="1"/>'
    )
    return parts, cols * px + 2 * MARGIN_PX, rows * px + TITLE_PX + MARGIN_PX


def _percent_of_plan(one: Sum, plan: ZonePlan | None, binding: Binding) -> int:
    return round(100 * one.mtz_count / (plan.density_mtz_per_cm2 * binding.cell_area_cm2)) if plan else 0


def _colour(percent: int, plan: ZonePlan | None, binding: Binding) -> str:
    if plan is None:
        return UNPLANNED
    return next((colour for upto, colour in _steps(binding) if percent <= upto), OVER)


def _steps(binding: Binding) -> list[tuple[int, str]]:
    return [*STEPS, (int(binding.guard.over_plan_percent), NEAR_LIMIT)]


def _legend(top: int, binding: Binding) -> Iterator[str]:
    steps = _steps(binding)
    labels = [*((colour, f"≤ {upto} %") for upto, colour in steps), (OVER, f"> {steps[-1][0]} %")]
    for n, (colour, label) in enumerate(labels):
        x = MARGIN_PX + n * LEGEND_STEP_PX
        yield f'<rect x="{x}" y="{top}" width="14" height="14" fill="{colour}" stroke="#888" stroke-width="1"/>'
        yield f'<text x="{x + 19}" y="{top + 12}" {FONT} font-size="12">{label}</text>'
