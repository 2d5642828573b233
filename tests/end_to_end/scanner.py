"""Looks for planted words, in every spelling that a program gives a text, in every file of a state folder and in all that was answered."""

import asyncio
import base64
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import httpx

from erbium.stack import Stack
from tests.end_to_end.scanning import _databases, _records

PIECE_BYTES = 64 * 1024 * 1024
OVERLAP_BYTES = 1_024  # a word may lie across two pieces


def spellings(word: str) -> dict[str, bytes]:
    """How a program may have written it. All are compared without regard to case but base64, which has a spelling of each case."""
    found = {
        "utf-8": word.encode(),
        "utf-16": word.encode("utf-16-le"),
        "utf-16-be": word.encode("utf-16-be"),
        "json": word.encode("ascii", "backslashreplace").replace(b"\\x", b"\\u00"),
        "percent": quote(word, safe="").encode(),
        "hex": word.encode().hex().encode(),
    }
    if not word.isascii():
        found["latin-1"] = word.encode("latin-1", "replace")
    return {name: form.lower() for name, form in found.items()}


def base64_spellings(word: str) -> dict[str, bytes]:
    """What stands in base64 wherever the word begins: the characters at its ends depend on its neighbours and are left out."""
    found = {}
    for case, text in (("", word), (" lower", word.lower()), (" upper", word.upper())):
        for shift, lead in enumerate((0, 2, 3)):  # bytes before it in a group of three, and the characters that they reach into
            encoded = base64.b64encode(b"\0" * shift + text.encode()).rstrip(b"=")
            shared_end = (shift + len(text.encode())) % 3 != 0
            inner = encoded[lead : len(encoded) - shared_end]
            found[f"base64{case} {shift}"] = inner
            found[f"base64url{case} {shift}"] = inner.translate(bytes.maketrans(b"+/", b"-_"))
    return found


@dataclass(slots=True)
class Scanner:
    """`words`: what must be nowhere; each long enough to stand nowhere by chance."""

    words: Iterable[str]
    found: list[str] = field(default_factory=list)
    looked_at: int = 0
    _folded: dict[str, bytes] = field(default_factory=dict)
    _exact: dict[str, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """All spellings of all words."""
        for word in self.words:
            for case in (word, word.upper()):  # of letters beyond ASCII, bytes know no case
                self._folded |= {f"{name} of {case}": form for name, form in spellings(case).items()}
            self._exact |= {f"{name} of {word}": form for name, form in base64_spellings(word).items()}

    def look(self, place: str, content: bytes) -> None:
        """Remembers each spelling that stands in it."""
        self.looked_at += 1
        folded = content.lower()
        self.found += [f"{place}: {name}" for name, form in self._folded.items() if form in folded]
        self.found += [f"{place}: {name}" for name, form in self._exact.items() if form in content]

    def look_into(self, folder: Path) -> int:
        """Every file below it, none left out. Returns how many bytes were read; holes of sparse files hold nothing."""
        total = 0
        for path in sorted(folder.rglob("*")):
            if path.is_symlink() or not path.is_file():
                continue
            for piece in _pieces(path):
                total += len(piece)
                self.look(str(path.relative_to(folder)), piece)
            self.look("the names of files", str(path.relative_to(folder)).encode())
        return total

    def look_at_answer(self, answer: httpx.Response) -> None:
        """Headers of every answer, and the body where it is a problem. Bodies of other answers are what the name is kept for."""
        place = f"answer {answer.status_code} to {answer.request.method}"
        for name, value in answer.headers.raw:
            self.look(f"{place}, header {name.decode()}", name + b": " + value)
        if answer.is_error:
            self.look(f"{place}, problem", answer.read())

    def look_at_servers(self, stack: Stack) -> None:
        """Every table as the database gives it (in files, large values lie compressed), every record as the broker does, every metric."""
        self.found += asyncio.run(_databases(stack, [word.encode() for word in self.words]))
        asyncio.run(self._topics(stack))
        for name, endpoint in stack.services.items():
            self.look(f"metrics of {name}", httpx.get(endpoint.metrics, trust_env=False, timeout=30).content)
            for place in endpoint.readiness:
                self.look(f"readiness of {name}", httpx.get(place, trust_env=False, timeout=30).content)

    async def _topics(self, stack: Stack) -> None:
        seen = 0
        async for record in _records(stack, None):
            seen += 1
            parts = [record.key or b"", record.value or b"", *(name.encode() + b"=" + (value or b"") for name, value in record.headers)]
            self.look(f"a record of {record.topic}", b"\n".join(parts))
        assert seen, "the topics are empty: nothing was looked at"


def _pieces(path: Path) -> Iterator[bytes]:
    """The parts of a file that hold data, each with the end of the one before. A file that went away meanwhile holds nothing."""
    try:
        opened = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return
    try:
        place = 0
        while True:
            try:
                begin = os.lseek(opened, place, os.SEEK_DATA)
                end = os.lseek(opened, begin, os.SEEK_HOLE)
            except OSError:  # nothing but a hole is left
                return
            end = min(end, begin + PIECE_BYTES)
            start = max(0, begin - OVERLAP_BYTES)
            yield os.pread(opened, end - start, start)
            place = end
    finally:
        os.close(opened)
