"""Pickles of downloaded files, read without trusting them: plain values and the few names that a format needs.

Every global that a pickle names is looked up in a table of stand-ins of ours, never imported, so a hostile file
runs nothing. Python's own unpickler is used rather than the C one, whose memo grows to whatever index a file
names (five bytes could ask for tens of gigabytes).
"""

import bz2
import io
import math
import pickle
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from nadlab.benchmarks.files import check_file, read_file
from nadlab.errors import UserError

Allowed = Mapping[tuple[str, str], Callable[..., Any]]
"""(module, name) as a pickle spells it -> what stands in for it."""

_NUMBERS = frozenset("biuf")


class NumberType:
    """Stands in for `numpy.dtype`: the type of one plain number, nothing structured and no objects."""

    def __init__(self, code: str, *_flags: object) -> None:
        self.code = code
        self.order = "="

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.order = str(state[1])


def number(kind: NumberType, data: bytes | str = b"") -> float:
    """Stand in for `numpy.core.multiarray.scalar`: a plain number from its bytes.

    Raises pickle.UnpicklingError unless the type is a boolean, integer or float and the bytes fit it.
    """
    dtype = np.dtype(kind.order + kind.code)
    raw = data.encode("latin1") if isinstance(data, str) else bytes(data)
    if dtype.kind not in _NUMBERS or len(raw) != dtype.itemsize:
        raise pickle.UnpicklingError(f"a number of type {kind.code!r} with {len(raw)} bytes")
    return float(np.frombuffer(raw, dtype)[0])


class NumberArray:
    """Stands in for `numpy.ndarray`: an array of plain numbers from its bytes.

    Raises pickle.UnpicklingError unless the type is a boolean, integer or float and the bytes fit type and shape.
    """

    values: NDArray[Any]

    def __init__(self, *_form: object) -> None:
        """Take what `_reconstruct` is called with, which the state then replaces."""

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, kind, by_columns, data = state
        dtype = np.dtype(kind.order + kind.code)
        data = data.encode("latin1") if isinstance(data, str) else data
        if dtype.kind not in _NUMBERS or len(data) != dtype.itemsize * math.prod(shape):
            raise pickle.UnpicklingError(f"an array of type {kind.code!r} with {len(data)} bytes")
        self.values = np.frombuffer(data, dtype).reshape(shape, order="F" if by_columns else "C")


def text_bytes(text: str, encoding: str) -> bytes:
    """Stand in for `_codecs.encode`, by which older protocols spell bytes."""
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"bytes spelt in {encoding!r}")
    return text.encode("latin1")


PLAIN: Allowed = {
    ("_codecs", "encode"): text_bytes,
    ("builtins", "set"): set,
    ("__builtin__", "set"): set,
    ("collections", "OrderedDict"): OrderedDict,
    ("numpy", "dtype"): NumberType,
    ("numpy.core.multiarray", "scalar"): number,
    ("numpy._core.multiarray", "scalar"): number,
}
"""What result files of NAS-Bench-201 and NATS-Bench use beside plain values."""

ARRAYS: Allowed = {
    **PLAIN,
    ("numpy", "ndarray"): NumberArray,
    ("numpy.core.multiarray", "_reconstruct"): NumberArray,
    ("numpy._core.multiarray", "_reconstruct"): NumberArray,
}
"""The same, and arrays of plain numbers, which are a `NumberArray` then."""


class _Restricted(pickle._Unpickler):
    def __init__(self, stream: BinaryIO, allowed: Allowed, encoding: str) -> None:
        super().__init__(stream, encoding=encoding)
        self.allowed = allowed

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self.allowed:
            raise UserError(f"it refers to {module}.{name}, which no such file needs, so it is not opened")
        return self.allowed[module, name]

    def persistent_load(self, pid: object) -> Any:
        raise UserError(f"it refers to the outside object {pid!r}, which no such file needs, so it is not opened")


def read_pickle(data: bytes | BinaryIO, allowed: Allowed, where: Path | str, encoding: str = "ASCII") -> Any:
    """Return the one object that the bytes, or the stream, hold.

    encoding: of Python 2's strings, `latin1` where arrays are among them.
    Raises UserError that names the file, and the forbidden global if there is one, for anything that is no
    complete pickle of plain values and `allowed` names.
    """
    stream = io.BytesIO(data) if isinstance(data, bytes) else data
    try:
        value = _Restricted(stream, allowed, encoding).load()
        rest = stream.read(1)
    except UserError as error:
        raise UserError(f"{where} is refused: {error}; download it again from its official source") from error
    except MemoryError:  # a large file, on a small machine
        raise
    except Exception as error:  # a damaged pickle may fail in any way that Python code can
        raise UserError(f"{where} is not a readable pickle ({_short(error)}); download it again") from error
    if rest:
        raise UserError(f"{where} has bytes after its pickle ends; download it again")
    return value


def read_pickle_file(path: Path, allowed: Allowed, encoding: str = "ASCII") -> Any:
    """Return the object of a large file, `.pbz2` or as it is, unpacked while it is read; raises as `read_pickle` does."""
    check_file(path)
    with bz2.BZ2File(path) if path.suffix == ".pbz2" else path.open("rb") as stream:
        return read_pickle(cast(BinaryIO, stream), allowed, path, encoding)


def read_bz2(path: Path, limit: int, place: tuple[int, int] | None = None) -> bytes:
    """Return the decompressed bytes of a `.pbz2` file, or of `place`, first byte and number of bytes in a file.

    Raises UserError when the file is damaged, truncated, or holds more than `limit` bytes.
    """
    packed = read_file(path, 2 * limit, place)
    decompressor = bz2.BZ2Decompressor()
    try:
        data = decompressor.decompress(packed, max_length=limit + 1)
    except OSError as error:
        raise UserError(f"{path} cannot be read as a bz2 file ({_short(error)}); download it again") from error
    if len(data) > limit:
        raise UserError(f"{path} unpacks to more than {limit:,} bytes, which no such file does; it is not opened")
    if not decompressor.eof:
        raise UserError(f"{path} is truncated; download it again")
    if decompressor.unused_data:
        raise UserError(f"{path} has bytes after its end; download it again")
    return data


def _short(error: BaseException) -> str:
    return (str(error) or type(error).__name__).splitlines()[0][:200]
