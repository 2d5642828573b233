"""The wire form of frames: what is read, what is refused and on which line, and how much a small body may become."""

import gzip
from typing import Any

import msgspec
import pytest
from backports import zstd

from device_telemetry.frames.codec import (
    ERRORS_MAX,
    FRAMES_MAX,
    BatchRefused,
    Receipt,
    read_batch,
    read_record,
    write_record,
)
from device_telemetry.frames.unpack import UNPACKED_BYTES_MAX, EncodingUnknown, TooLarge, Unpackable, unpacked
from device_telemetry.http.treatment_examples import FRAMES
from tests.device_telemetry.making import CHAIN, NOW, batch, body, frame, header

GOOD = body([frame(0), frame(1)])


def lines(raw: bytes) -> list[int]:
    with pytest.raises(BatchRefused) as caught:
        read_batch(raw)
    return [number for number, _ in caught.value.lines]


def changed(line: int, value: bytes) -> bytes:
    """The good batch with one line replaced (numbered from 1)."""
    parts = GOOD.split(b"\n")
    parts[line - 1] = value
    return b"\n".join(parts)


def row(**values: Any) -> bytes:
    names = list(frame(0).__struct_fields__)
    usual = dict(zip(names, msgspec.to_builtins(frame(0)), strict=True))
    return msgspec.json.encode(list({**usual, **values}.values()))


def test_read_as_written() -> None:
    """A batch is read as it was written, with or without a last newline or blank lines, and so is the record on the topic."""
    read = read_batch(GOOD)
    assert (read.header, read.frames) == (header(), (frame(0), frame(1)))
    assert read_batch(GOOD.rstrip(b"\n")) == read == read_batch(GOOD + b"\n\n")
    receipt = Receipt(v=1, chain_id=CHAIN, received_at=NOW, stored_at=NOW)
    assert read_record(write_record(receipt, GOOD)) == (receipt, read)
    assert len(read_batch(FRAMES.encode()).frames) == 2


@pytest.mark.parametrize(
    "bad",
    [
        b"{", b"[1,2]", b"\xff\xfe", b"null", b'{"v":1}', row()[:-1] + b",7]", row(seq=-1), row(seq=2**54), row(seq=1.5), row(zone="knee"),
        row(energy_mj=-0.1), row(energy_mj=1001), row(energy_mj="40"), row(mtz_count=-1), row(mtz_count=100_001), row(pass_no=0),
        row(grid_row=4096), row(emission=1), row(temp_tip_c=999), row(fault_bits=2**31), row(energy_mj=None), b"[" + b"[" * 5000,
        row().replace(b"40.0", b"1e999", 1), row().replace(b"40.0", b"NaN", 1),
    ],
)  # fmt: skip
def test_a_bad_row_is_named_by_its_line(bad: bytes) -> None:
    """One bad row refuses the whole batch, and the refusal names its line; nothing of it is kept."""
    assert lines(changed(3, bad)) == [3]
    assert lines(changed(2, bad)) == [2]


def test_many_bad_rows() -> None:
    """The first 20 bad lines are named, good ones between them are not."""
    rows = [msgspec.json.encode(header()), *([row(seq=-1), row()] * 30)]
    assert lines(b"\n".join(rows)) == list(range(2, 2 + 2 * ERRORS_MAX, 2))


@pytest.mark.parametrize(
    "first",
    [
        b"", b"{}", b"[]", b'{"v":2}', b"x" * 3000,
        msgspec.json.encode(header(first_seq=5, last_seq=4)),
        msgspec.json.encode(header()).replace(b'"v":1', b'"v":1,"surprise":1'),
        msgspec.json.encode(header()).replace(b'"v":1', b'"v":1,"v":1'),
        msgspec.json.encode(header()).replace(b'"v":1', b'"v":1,"first_seq":7,"\\u0066irst_seq":0'),
        msgspec.json.encode(header()).replace(b'"grid_cell_mm":10.0', b'"grid_cell_mm":0'),
    ],
)  # fmt: skip
def test_a_bad_header_is_line_one(first: bytes) -> None:
    """An empty, unknown, contradictory, doubled or oversized header refuses the batch on line 1."""
    assert lines(changed(1, first)) == [1]


def test_no_frames_and_too_many() -> None:
    """A batch has 1 to 5,000 frames."""
    with pytest.raises(BatchRefused):
        read_batch(msgspec.json.encode(header()))
    assert len(read_batch(body([frame(seq) for seq in range(FRAMES_MAX)])).frames) == FRAMES_MAX
    with pytest.raises(BatchRefused, match="5001 frames"):
        read_batch(body([frame(seq) for seq in range(FRAMES_MAX + 1)]))


def test_refusals_quote_nothing() -> None:
    """What was sent does not come back in a refusal."""
    with pytest.raises(BatchRefused) as caught:
        read_batch(changed(3, row(zone="Zq9Xw7MarkedName")))
    assert "Zq9Xw7" not in str(caught.value)


def test_usable() -> None:
    """Frames before the treatment's first number are told apart."""
    found = batch([frame(4), frame(5)], first_seq=5)
    assert ([one.seq for one in found.kept], [one.seq for one in found.refused]) == ([5], [4])


@pytest.mark.parametrize("encoding", ["gzip", "zstd", None, "identity", "GZIP"])
def test_unpacked(encoding: str | None) -> None:
    """Plain, gzip and zstd bodies are the same body."""
    packed = {"gzip": gzip.compress(GOOD), "zstd": zstd.compress(GOOD)}.get((encoding or "").lower(), GOOD)
    assert unpacked(packed, encoding) == GOOD


@pytest.mark.parametrize(("encoding", "pack"), [("gzip", gzip.compress), ("zstd", zstd.compress)])
def test_bombs(encoding: str, pack: Any) -> None:
    """A small body that becomes a large one is refused, by its size or by its ratio, without ever being held."""
    with pytest.raises((TooLarge, Unpackable)):
        unpacked(pack(b"\0" * 50_000_000), encoding)
    with pytest.raises(TooLarge, match="times its size"):
        unpacked(pack(b" " * (UNPACKED_BYTES_MAX - 1)), encoding)


@pytest.mark.parametrize(("encoding", "pack"), [("gzip", gzip.compress), ("zstd", zstd.compress)])
def test_damaged(encoding: str, pack: Any) -> None:
    """Cut short, followed by something else, or not compressed at all: refused."""
    for damaged in (pack(GOOD)[:-5], pack(GOOD) + pack(GOOD), GOOD, b""):
        with pytest.raises(Unpackable):
            unpacked(damaged, encoding)


def test_other_encodings_and_sizes() -> None:
    """An encoding that is not known, and a plain body above the cap, are refused."""
    with pytest.raises(EncodingUnknown):
        unpacked(GOOD, "br")
    with pytest.raises(TooLarge):
        unpacked(b" " * (UNPACKED_BYTES_MAX + 1), None)


def test_a_window_above_the_cap() -> None:
    """A zstd frame that asks for a window of 64 MiB gets none."""
    made = zstd.ZstdCompressor(options={zstd.CompressionParameter.window_log: 26})
    packed = made.compress(GOOD) + made.flush()
    with pytest.raises(Unpackable, match="window"):
        unpacked(packed, "zstd")


def test_a_receipt_without_a_zone_is_not_read() -> None:
    """A time that does not say its zone cannot be compared with ours: the record is set aside instead of stopping its partition."""
    receipt = (
        b'{"v":1,"chain_id":"00000000-0000-7000-8000-00000000c4a1","received_at":"2026-04-15T10:30:00","stored_at":"2026-04-15T10:30:00Z"}'
    )
    with pytest.raises(BatchRefused):
        read_record(receipt + b"\n" + body([frame(0)]))


def test_what_was_acknowledged_is_read() -> None:
    """A batch that an earlier version took with a field named twice is stored all the same: its laser has forgotten it."""
    receipt = Receipt(v=1, chain_id=CHAIN, received_at=NOW, stored_at=NOW)
    doubled = GOOD.replace(b'"v":1', b'"v":1,"v":1')
    assert lines(doubled) == [1]
    assert len(read_record(write_record(receipt, doubled))[1].frames) == 2
