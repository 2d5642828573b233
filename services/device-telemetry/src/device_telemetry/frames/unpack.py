"""Compressed bodies: opened within a size and a ratio, so that no small request becomes a large memory."""

import zlib
from typing import Final

from backports import zstd

UNPACKED_BYTES_MAX: Final = 900_000  # with its receipt below Kafka's 1 MiB; 5,000 rows of 70 bytes are 350,000
PACKED_BYTES_MAX: Final = 900_000
RATIO_MAX: Final = 100  # frames shrink about six-fold
RATIO_FREE_BYTES: Final = 64 * 1024  # so little is harmless whatever its ratio
ZSTD_WINDOW_LOG_MAX: Final = 23  # 8 MiB, what every decoder must manage (RFC 8878 section 3.1.1.1.2)
GZIP_WBITS: Final = 31


class Unpackable(Exception):
    """The body is not what its Content-Encoding says."""


class TooLarge(Exception):
    """The body, unpacked, passes its size or its ratio."""


class EncodingUnknown(Exception):
    """A Content-Encoding other than identity, gzip or zstd."""


def unpacked(body: bytes, encoding: str | None) -> bytes:
    """The body as it was before it was packed. Raises: EncodingUnknown, Unpackable, TooLarge; never holds more than the cap."""
    match (encoding or "identity").strip().lower():
        case "identity":
            found = body[: UNPACKED_BYTES_MAX + 1]
        case "gzip" | "x-gzip":
            found = _gunzip(body)
        case "zstd":
            found = _unzstd(body)
        case _:
            raise EncodingUnknown
    if len(found) > UNPACKED_BYTES_MAX:
        raise TooLarge(f"more than {UNPACKED_BYTES_MAX} bytes after unpacking")
    if len(found) > max(RATIO_FREE_BYTES, RATIO_MAX * len(body)):
        raise TooLarge(f"unpacks to more than {RATIO_MAX} times its size")
    return found


def _gunzip(body: bytes) -> bytes:
    unzip = zlib.decompressobj(wbits=GZIP_WBITS)
    try:
        found = unzip.decompress(body, UNPACKED_BYTES_MAX + 1)
    except zlib.error:
        raise Unpackable("not gzip") from None
    if len(found) <= UNPACKED_BYTES_MAX and (not unzip.eof or unzip.unused_data):
        raise Unpackable("gzip is cut short, or more than one member")
    return found


def _unzstd(body: bytes) -> bytes:
    unzip = zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: ZSTD_WINDOW_LOG_MAX})
    try:
        found = unzip.decompress(body, UNPACKED_BYTES_MAX + 1)
    except zstd.ZstdError:
        raise Unpackable("not zstd, or with a window above 8 MiB") from None
    if len(found) <= UNPACKED_BYTES_MAX and (not unzip.eof or unzip.unused_data):
        raise Unpackable("zstd is cut short, or more than one frame")
    return found
