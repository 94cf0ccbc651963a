"""TFRecord files without TensorFlow: each record is its length, a checksum of that, its bytes, a checksum of those.

Little-endian; the checksums are CRC-32C, rotated right by 15 bits plus a constant ("masked", TensorFlow's
`core/lib/io/record_writer.h`).
"""

import mmap
import struct
from collections.abc import Iterator
from pathlib import Path

from crc32c import crc32c

from nadlab.errors import UserError

_LENGTH = struct.Struct("<QI")
_CHECK = struct.Struct("<I")
LONGEST = 1 << 20
"""Bytes of a record; those of NAS-Bench-101 have about 400."""


def masked_crc(data: bytes) -> int:
    """Return the checksum as the format stores it."""
    crc = crc32c(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def read_records(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield (position in the file, bytes) of each record.

    Raises UserError that names the position when the file is empty, truncated or a checksum is wrong.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            position = 0
            while position < size:
                record = _record(path, data, position, size)
                yield position, record
                position += _LENGTH.size + len(record) + _CHECK.size
    except (OSError, ValueError) as error:
        if isinstance(error, UserError):
            raise
        raise UserError(f"{path} cannot be read ({error}); download it again") from error


def _record(path: Path, data: mmap.mmap, position: int, size: int) -> bytes:
    start = position + _LENGTH.size
    if start > size:
        raise UserError(f"{path} is truncated at byte {position:,}; download it again")
    header = data[position:start]
    length, length_crc = _LENGTH.unpack(header)
    if masked_crc(header[:8]) != length_crc or length > LONGEST:
        raise UserError(f"{path} is not a TFRecord file, or damaged, at byte {position:,}; download it again")
    stop = start + length
    if stop + _CHECK.size > size:
        raise UserError(f"{path} is truncated at byte {position:,}; download it again")
    record = data[start:stop]
    if masked_crc(record) != _CHECK.unpack(data[stop : stop + _CHECK.size])[0]:
        raise UserError(f"{path} is damaged at byte {position:,} (wrong checksum); download it again")
    return record
