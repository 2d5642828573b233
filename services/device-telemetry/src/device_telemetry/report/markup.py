"""Headings, tables and paragraphs of a report that is read, read aloud, printed and filed. Everything is escaped here, and only here."""

from collections.abc import Sequence
from html import escape
from typing import Final

STYLE: Final = """
:root { --ink: #1d1d1b; --soft: #5c5a55; --line: #c9c5bb; --alarm: #8a1c0e; }
body { font: 15px/1.5 "Helvetica Neue", Helvetica, Arial, sans-serif; color: var(--ink); }
body { margin: 2rem auto; max-width: 62rem; padding: 0 1.2rem; }
h1 { font-size: 1.6rem; margin: 0; } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; border-bottom: 2px solid var(--ink); }
p { margin: .4rem 0; } .soft { color: var(--soft); } .alarm { color: var(--alarm); font-weight: bold; }
.state { border: 1px solid var(--line); border-left: 6px solid var(--ink); padding: .5rem .9rem; margin: 1rem 0; }
.state.open { border-left-color: var(--alarm); }
table { border-collapse: collapse; width: 100%; margin: .4rem 0; } caption { text-align: left; color: var(--soft); padding: .2rem 0; }
th, td { text-align: left; vertical-align: top; padding: .25rem .6rem .25rem 0; border-bottom: 1px solid var(--line); }
thead th { font-size: .85rem; } tbody th { font-weight: normal; } .pairs tbody th { width: 17rem; color: var(--soft); }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; } td.t { white-space: nowrap; font-variant-numeric: tabular-nums; }
.id { font: .88em ui-monospace, Menlo, Consolas, monospace; overflow-wrap: anywhere; }
figure { margin: .5rem 0; } figure svg { max-width: 100%; height: auto; } figcaption { color: var(--soft); }
.signs { display: flex; gap: 3rem; margin-top: 3.5rem; } .signs div { flex: 1; border-top: 1px solid var(--ink); padding-top: .2rem; }
@media print {
  @page { size: A4; margin: 16mm; } body { margin: 0; max-width: none; padding: 0; font-size: 9.5pt; }
  section, tr, figure, .state, .signs { break-inside: avoid; } section.long { break-inside: auto; } h2 { break-after: avoid; }
  thead { display: table-header-group; } * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
"""


class Markup(str):
    """Text that is markup already."""

    __slots__ = ()


def safe(value: str) -> Markup:
    """Markup as it is, everything else escaped."""
    return value if isinstance(value, Markup) else Markup(escape(value))


def ident(value: object) -> Markup:
    """An id, in a face in which it can be compared."""
    return Markup(f'<span class="id">{escape(str(value))}</span>')


def alarm(value: str) -> Markup:
    """What must not be overlooked, also without colour."""
    return Markup(f'<span class="alarm">{escape(value)}</span>')


def paragraph(value: str, kind: str = "") -> Markup:
    """One paragraph."""
    return Markup(f"<p{_of(kind)}>{safe(value)}</p>")


def section(heading: str, *parts: Markup, long: bool = False) -> Markup:
    """A headed part. `long`: it may be broken over pages."""
    return Markup(f"<section{_of('long' if long else '')}><h2>{escape(heading)}</h2>{''.join(parts)}</section>")


def pairs(rows: Sequence[tuple[str, str]]) -> Markup:
    """Names and values."""
    body = "".join(f'<tr><th scope="row">{safe(name)}</th><td>{safe(value)}</td></tr>' for name, value in rows)
    return Markup(f'<table class="pairs"><tbody>{body}</tbody></table>')


def table(caption: str, head: Sequence[str], rows: Sequence[Sequence[str]], kinds: str) -> Markup:
    """`kinds`, one letter a column: h heads the row, n is a number, t a time, anything else text."""

    def cell(kind: str, value: str) -> str:
        return f'<th scope="row">{safe(value)}</th>' if kind == "h" else f"<td{_of(kind if kind in 'nt' else '')}>{safe(value)}</td>"

    heads = "".join(f'<th scope="col"{_of("n" if kind == "n" else "")}>{safe(value)}</th>' for kind, value in zip(kinds, head, strict=True))
    body = "".join("<tr>" + "".join(map(cell, kinds, row)) + "</tr>" for row in rows)
    return Markup(f"<table><caption>{escape(caption)}</caption><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>")


def _of(kind: str) -> str:
    return f' class="{kind}"' if kind else ""
