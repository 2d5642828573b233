"""The generated event catalogue is the current one."""

from pathlib import Path

from erbium.event_catalogue import catalogue

ROOT = Path(__file__).parents[2]


def test_events_page_is_current() -> None:
    """`docs/events.md` is what `make docs` would write now."""
    assert (ROOT / "docs" / "events.md").read_text() == catalogue(ROOT), "run `make docs`"
