"""The density map: one square per cell of the laser's grid, coloured by its share of the planned density. Pure, whole numbers only.

It is read on paper, in grey and by readers who see no red: up to the plan darker is more, and what is beyond it carries a mark as well.
"""

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Final, NamedTuple

from device_telemetry.binding import Binding, ZonePlan
from device_telemetry.frames.totals import CellKey, Sum
from device_telemetry.report.wording import number

CELL_PX: Final = 18
CELL_PX_MIN: Final = 2
MARKED_PX_MIN: Final = 8  # smaller cells carry no marks and no words of their own
SIDE_PX_MAX: Final = 860
MARGIN_PX: Final = 20
AXIS_PX: Final = 34  # room for the numbers of rows
HEAD_PX: Final = 46
LEGEND_ROW_PX: Final = 24
LEGEND_COLUMN_PX: Final = 260
LABELS_PER_SIDE_MAX: Final = 12
WORDS_MAX: Final = 5_000  # cells with words of their own, so that the page stays a page
# Share of the planned density in per cent, up to and including -> colour.
STEPS: Final = ((25, "#eaf1f4"), (50, "#c3dae3"), (75, "#93bbcb"), (90, "#5f97ae"), (110, "#2f6d88"))
NEAR_LIMIT: Final = "#e0a13a"  # up to the limit above which the guard closes a zone or cell
OVER: Final = "#a61b1b"
UNPLANNED: Final = "#6a3d9a"
FONT: Final = 'font-family="Helvetica Neue, Helvetica, Arial, sans-serif"'


class Look(NamedTuple):
    """How a cell is drawn. `mark`: a path inside a square of 10 by 10, or nothing."""

    fill: str
    mark: str
    label: str


SLASH: Final = "M1 9L9 1"
CROSS: Final = "M1 1L9 9M1 9L9 1"
BARS: Final = "M1 3.5H9M1 6.5H9"


def density_map_svg(binding: Binding, cells: Mapping[CellKey, Sum]) -> str:
    """All zones that were planned or received something, one below the other, with a legend."""
    zones = [*binding.ids.zones, *sorted({zone for zone, _, _ in cells} - set(binding.ids.zones))]
    parts, top, width = [], MARGIN_PX, 2 * MARGIN_PX + 2 * LEGEND_COLUMN_PX
    looks, told = _looks(binding), []
    for zone in zones:
        mine = {(row, col): one for (name, row, col), one in cells.items() if name == zone}
        drawn, across, down = _zone(zone, binding, mine, top, looks, words=len(cells) <= WORDS_MAX)
        parts.extend(drawn)
        told.append(_in_words(zone, binding, mine))
        top += down
        width = max(width, across)
    legend = [*_legend(top, looks)]
    height = top + LEGEND_ROW_PX * ((len(looks) + 2) // 2 + 1) + MARGIN_PX
    name = f"Density map of treatment {binding.ids.treatment_id}, {binding.on.isoformat()}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-labelledby="map-name map-words" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}"><title id="map-name">{escape(name)}</title>'
        f'<desc id="map-words">{escape(" ".join(told))}</desc><rect width="{width}" height="{height}" fill="#fff"/>'
        + "".join([*parts, *legend])
        + "</svg>"
    )


def _zone(
    zone: str,
    binding: Binding,
    cells: Mapping[tuple[int, int], Sum],
    top: int,
    looks: Sequence[Look],
    *,
    words: bool,
) -> tuple[list[str], int, int]:
    """(elements, width, height) of one zone."""
    parts = [
        _text(MARGIN_PX, top + 14, zone, 'font-size="15" font-weight="bold"'),
        _text(MARGIN_PX, top + 32, _under_name(zone, binding, cells), 'font-size="12" fill="#5c5a55"'),
    ]
    if not cells:
        return parts, 2 * MARGIN_PX, HEAD_PX + MARGIN_PX
    first_row, last_row = min(row for row, _ in cells), max(row for row, _ in cells)
    first_col, last_col = min(col for _, col in cells), max(col for _, col in cells)
    rows, cols = last_row - first_row + 1, last_col - first_col + 1
    px = max(CELL_PX_MIN, min(CELL_PX, SIDE_PX_MAX // max(rows, cols)))
    left, upper = MARGIN_PX + AXIS_PX, top + HEAD_PX + 14
    for (row, col), one in sorted(cells.items()):
        x, y = left + (col - first_col) * px, upper + (row - first_row) * px
        said = _words(row, col, one, zone, binding) if words else ""
        parts.append(_cell(x, y, px, _look(one, binding.planned(zone), binding, looks), said))
    parts.append(f'<rect x="{left}" y="{upper}" width="{cols * px}" height="{rows * px}" fill="none" stroke="#5c5a55"/>')
    parts.extend(_axes(left, upper, px, range(first_row, last_row + 1), range(first_col, last_col + 1)))
    return parts, cols * px + 2 * MARGIN_PX + AXIS_PX, rows * px + HEAD_PX + 14 + MARGIN_PX


def _cell(x: int, y: int, px: int, look: Look, words: str) -> str:
    shape = f'<rect x="{x}" y="{y}" width="{px}" height="{px}" fill="{look.fill}"'
    shape += f' stroke="#fff" stroke-width="{1 if px >= MARKED_PX_MIN else 0}"'
    shape += f"><title>{escape(words)}</title></rect>" if words else "/>"
    return shape + (_mark(x, y, px, look.mark) if px >= MARKED_PX_MIN else "")


def _mark(x: int, y: int, px: int, path: str) -> str:
    if not path:
        return ""
    return f'<path d="{path}" transform="translate({x} {y}) scale({px / 10:g})" stroke="#fff" stroke-width="1.2" fill="none"/>'


def _axes(left: int, upper: int, px: int, rows: range, cols: range) -> Iterator[str]:
    """Numbers of rows and columns, every so many."""
    style = 'font-size="10" fill="#5c5a55"'
    for place in range(0, len(cols), _every(len(cols))):
        yield _text(left + place * px + px // 2, upper - 5, str(cols[place]), f'{style} text-anchor="middle"')
    for place in range(0, len(rows), _every(len(rows))):
        yield _text(left - 6, upper + place * px + px // 2 + 4, str(rows[place]), f'{style} text-anchor="end"')


def _every(count: int) -> int:
    return max(1, -(-count // LABELS_PER_SIDE_MAX))


def _percent_of_plan(one: Sum, plan: ZonePlan, binding: Binding) -> int:
    """Rounded up, so that no cell beyond the limit looks as if it were at it."""
    planned = plan.density_mtz_per_cm2 * binding.cell_area_cm2
    return -int(-100 * one.mtz_count // planned)


def _look(one: Sum, plan: ZonePlan | None, binding: Binding, looks: Sequence[Look]) -> Look:
    if plan is None:
        return looks[-1]
    percent = _percent_of_plan(one, plan, binding)
    upto = [*(step for step, _ in STEPS), int(binding.guard.over_plan_percent)]
    return looks[next((place for place, step in enumerate(upto) if percent <= step), len(upto))]


def _looks(binding: Binding) -> list[Look]:
    limit = int(binding.guard.over_plan_percent)
    low = [0, *(upto for upto, _ in STEPS)]
    steps = [Look(fill, "", f"above {start} to {upto} %") for start, (upto, fill) in zip(low, STEPS, strict=False)]
    near = Look(NEAR_LIMIT, SLASH, f"above {low[-1]} to {limit} %: up to the limit")
    over = Look(OVER, CROSS, f"above {limit} %: beyond the limit")
    return [*steps, near, over, Look(UNPLANNED, BARS, "delivered in a zone outside the plan")]


def _legend(top: int, cell_looks: Sequence[Look]) -> Iterator[str]:
    heading = "Delivered density, in per cent of the planned density of the cell"
    yield _text(MARGIN_PX, top + 12, heading, 'font-size="12" font-weight="bold"')
    looks = [Look("#fff", "", "empty: nothing was delivered in this cell"), *cell_looks]
    rows = (len(looks) + 1) // 2
    for place, look in enumerate(looks):
        x, y = MARGIN_PX + place // rows * LEGEND_COLUMN_PX, top + LEGEND_ROW_PX * (1 + place % rows)
        yield f'<rect x="{x}" y="{y}" width="16" height="16" fill="{look.fill}" stroke="#5c5a55"/>{_mark(x, y, 16, look.mark)}'
        yield _text(x + 24, y + 12, look.label, 'font-size="12"')


def _under_name(zone: str, binding: Binding, cells: Mapping[tuple[int, int], Sum]) -> str:
    mtz, plan = sum(one.mtz_count for one in cells.values()), binding.planned(zone)
    if not cells:
        return "nothing delivered"
    of_plan = f" of {number(plan.planned_mtz)} planned" if plan else ", not planned"
    cell = "1 cell" if len(cells) == 1 else f"{number(len(cells))} cells"
    return f"{number(mtz)} MTZ{of_plan}, in {cell} of {binding.grid_cell_mm:g} × {binding.grid_cell_mm:g} mm"


def _in_words(zone: str, binding: Binding, cells: Mapping[tuple[int, int], Sum]) -> str:
    """For readers who do not see the drawing."""
    plan = binding.planned(zone)
    if not cells or plan is None:
        return f"{zone}: {_under_name(zone, binding, cells)}."
    percents = sorted(_percent_of_plan(one, plan, binding) for one in cells.values())
    limit = int(binding.guard.over_plan_percent)
    over = sum(percent > limit for percent in percents)
    middle = percents[len(percents) // 2]
    spread = f"from {percents[0]} to {percents[-1]} per cent of the planned density, half of them up to {middle}"
    return f"{zone}: {_under_name(zone, binding, cells)}, {spread}; {number(over)} cells beyond {limit} per cent."


def _words(row: int, col: int, one: Sum, zone: str, binding: Binding) -> str:
    plan = binding.planned(zone)
    of_plan = f"{_percent_of_plan(one, plan, binding)} % of plan" if plan else "not planned"
    return f"row {row}, column {col}: {number(one.mtz_count)} MTZ, {of_plan}"


def _text(x: int, y: int, words: str, style: str) -> str:
    return f'<text x="{x}" y="{y}" {FONT} {style}>{escape(words)}</text>'
