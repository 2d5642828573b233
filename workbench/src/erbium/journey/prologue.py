"""What a reader must know before the story begins: who, when, how to read it, and the few words of the trade."""

import textwrap
from collections.abc import Callable, Iterator
from datetime import date

from erbium.journey.cited import day
from erbium.journey.story import WIDTH

HEAD, TERM = 7, 18  # columns for the first word of a paragraph, and for a word of the trade
WORDS = {
    "nafl_1550": "non-ablative fractional laser of 1550 nm: it heats fine columns of skin, removes nothing",
    "MTZ": "microthermal zone: one such column, about a quarter of a millimetre wide",
    "coverage": "the share of the skin's surface that lies in such columns; the rest stays whole",
    "mJ, kJ": "energy: thousandths of a joule for one MTZ, thousands of joules for a face",
    "frame": "what the laser reports ten times a second: where it is, how many MTZ, how much energy",
    "biorevitalisation": "injections of hyaluronic acid into the skin, to moisten it",
    "clearance": "a doctor's permission: one patient, one kind of laser, these zones, until this day",
}


def prologue(tell: Callable[[str], None], names: tuple[str, str], starts_on: date) -> None:
    """Told once, before the first chapter."""
    for lead, text in [*_how_to_read(*names, f"{day(starts_on)} {starts_on.year}"), *_words()]:
        for line in textwrap.wrap(text, WIDTH, initial_indent=lead, subsequent_indent=" " * len(lead)) or [""]:
            tell(line)


def _how_to_read(first: str, second: str, begins: str) -> list[tuple[str, str]]:
    """Paragraphs: what stands in front, and the text."""
    what = (
        "A few days in a chain of two clinics, played on servers that really run on this machine, through the services' public "
        "interfaces only. Everybody in it is invented. Nothing here is medical advice."
    )
    when = (
        f"The development clock is moved: the calendar below is made of moved time. It begins on {begins} at 09:00 in Madrid (08:00 in "
        "Las Palmas), and the night passes in no time. Times are those on the wall of the clinic named beside them."
    )
    how = (
        "Each sentence is something that a person, the laser, or one of the four services does (screening, scheduling, "
        "device-telemetry, aftercare). Below it:"
    )
    rule = (
        "what decided: its id and version, what it says, and where its number comes from: the founding article (the one that Erbium "
        "grew from), published work, or a house default, which the chain's medical director has to sign off"
    )
    fact = "what a service told the others, and where it was measured, after how many real milliseconds another had acted on it"
    return [
        ("", what),
        ("", ""),
        (f"{'Who':<{HEAD}}", f"{first} had Botox five days ago: she is told when to come back, and her data are erased in the end."),
        (" " * HEAD, f"{second} is examined, cleared and treated (day 0), and has blisters the next morning (day 1)."),
        (f"{'When':<{HEAD}}", when),
        (f"{'How':<{HEAD}}", how),
        (f"{'':<{HEAD}}  rule  ", rule),
        (f"{'':<{HEAD}}  fact  ", fact),
    ]


def _words() -> Iterator[tuple[str, str]]:
    for n, (word, meaning) in enumerate(WORDS.items()):
        yield f"{'' if n else 'Words':<{HEAD}}{word:<{TERM}} ", meaning
