"""The treatment report as one HTML page that can be read, read aloud, printed and filed. Ids only, no name. Pure."""

from html import escape

from device_telemetry.report import sections
from device_telemetry.report.contents import Contents
from device_telemetry.report.density_map import density_map_svg
from device_telemetry.report.markup import STYLE, Markup, ident, section
from device_telemetry.report.wording import number, phase, utc
from device_telemetry.treatment.state import Settled

CAPTION = "Each square is one cell of the laser's grid, rows and columns numbered as the laser does. White: nothing was delivered there."


def report_html(contents: Contents) -> str:
    """One page. The same treatment gives the same bytes; it fetches nothing and runs nothing."""
    on, name = contents.binding.on.isoformat(), f"Treatment report {contents.binding.on.isoformat()}"
    treatment = ident(contents.binding.ids.treatment_id)
    parts = [
        _state(contents), sections.identity(contents), sections.times(contents), sections.persons(contents), sections.dose(contents),
        _map(contents), sections.limits(contents), sections.parameters(contents), sections.happened(contents),
        sections.completeness(contents), _signatures(),
    ]  # fmt: skip
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{escape(name)}</title><style>{STYLE}</style></head><body><main>"
        f"<header><h1>Treatment report</h1><p>{on}, local date of the clinic; treatment {treatment}</p></header>"
        f"{''.join(parts)}{_made_from(contents)}</main></body></html>"
    )


def _state(contents: Contents) -> Markup:
    """In one box what every reader must know first: how far these numbers may be trusted."""
    word, meaning = phase(contents.state)
    now = contents.now
    settled = isinstance(contents.state, Settled) and now.whole
    totals = "Totals are final." if settled else f"Totals may still change: {number(now.missing_frames)} frames are known to be missing."
    kind = "state" if settled else "state open"
    told = f"<p><strong>{escape(word.capitalize())}.</strong> {escape(meaning)}</p><p>{escape(totals)}</p>"
    return Markup(f'<div class="{kind}" role="note">{told}</div>')


def _map(contents: Contents) -> Markup:
    svg = density_map_svg(contents.binding, contents.frames.cells)
    return section("Density map", Markup(f"<figure>{svg}<figcaption>{escape(CAPTION)}</figcaption></figure>"), long=True)


def _signatures() -> Markup:
    return Markup('<div class="signs"><div>Operator, date, signature</div><div>Physician, date, signature</div></div>')


def _made_from(contents: Contents) -> Markup:
    newest = max((one.last_received_at for one in contents.kept.recordings if one.last_received_at), default=None)
    frames = f"the newest frame came at {utc(newest)} UTC" if newest else "no frame has come"
    rules = f"guard table version {contents.binding.guard.version}"
    return Markup(f'<footer><p class="soft">Made from version {contents.version} of the record; {frames}; {rules}.</p></footer>')
