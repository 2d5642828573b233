"""Where an error came from, in words that hold no data: for parked keys, logs and metrics."""

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

PARTS_SHOWN = 3  # of a file's path
TRAIL_FRAMES_MAX = 12  # innermost ones


def reason_of(error: BaseException) -> str:
    """`ClassName at package/file.py:line`: the innermost place in our own code; never the error's text, which may hold data."""
    place = _innermost(error.__traceback__)
    return f"{type(error).__name__} at {place}" if place else type(error).__name__


def trail_of(error: BaseException) -> list[str]:
    """The places the error came through, outermost first: what a traceback tells, without any value."""
    return [f"{where}:{line}" for _, where, line in _frames(error.__traceback__)][-TRAIL_FRAMES_MAX:]


def _innermost(traceback: TracebackType | None) -> str:
    ours = anywhere = ""
    for file, where, line in _frames(traceback):
        anywhere = f"{where}:{line}"
        if not {"site-packages", "asyncio"} & set(file.parts) and not file.name.startswith("<"):
            ours = anywhere
    return ours or anywhere


def _frames(traceback: TracebackType | None) -> Iterator[tuple[Path, str, int]]:
    while traceback is not None:
        file = Path(traceback.tb_frame.f_code.co_filename)
        yield file, "/".join(file.parts[-PARTS_SHOWN:]), traceback.tb_lineno
        traceback = traceback.tb_next
