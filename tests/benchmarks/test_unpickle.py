"""Pickles of downloaded files: what is read, and what is refused."""

import bz2
import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nadlab.benchmarks.official.unpickle import PLAIN, read_bz2, read_pickle
from nadlab.errors import UserError

WHERE = Path("file.pickle")


class Hostile:
    """Runs a command when an ordinary unpickler opens it."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.marker,)


@pytest.mark.parametrize("protocol", range(2, 6))
def test_plain_values_and_numpy_numbers_are_read(protocol: int) -> None:
    value = {("cifar10", 777): OrderedDict([(0, np.float64(0.5)), (1, np.float32(0.25))]), "seeds": {1, 2}, "n": None}
    assert read_pickle(pickle.dumps(value, protocol), PLAIN, WHERE) == value


def test_hostile_pickle_is_refused_by_name_and_runs_nothing(tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    with pytest.raises(UserError, match=r"file\.pickle is refused: it refers to pathlib"):
        read_pickle(pickle.dumps({"a": Hostile(marker)}), PLAIN, WHERE)
    assert not marker.exists()


@pytest.mark.parametrize(
    "data",
    [
        b"cos\nsystem\n(S'true'\ntR.",
        b"cbuiltins\neval\n(S'1'\ntR.",
        b"\x80\x04\x8c\x08builtins\x8c\x04exec\x93\x8c\x04pass\x85R.",
        b"\x80\x02\x82\x01.",
        b"P1\n.",
        pickle.dumps(np.array([object()])),
        pickle.dumps(np.float64),
    ],
    ids=["os", "builtins", "stack", "extension", "persistent", "object-array", "type"],
)
def test_forbidden_globals_are_refused(data: bytes) -> None:
    with pytest.raises(UserError, match=r"file\.pickle"):
        read_pickle(data, PLAIN, WHERE)


@pytest.mark.parametrize(
    "data",
    [b"", b"\x80\x04", pickle.dumps([1, 2])[:-1], pickle.dumps(1) + b"x", b"r\xff\xff\xff\x7f.", b"\x80\x09N."],
    ids=["empty", "header", "truncated", "trailing", "memo", "protocol"],
)
def test_damaged_pickles_are_refused(data: bytes) -> None:
    with pytest.raises(UserError, match="again"):
        read_pickle(data, PLAIN, WHERE)


def test_bz2_files_are_read_up_to_a_limit(tmp_path: Path) -> None:
    path = tmp_path / "file.pbz2"
    path.write_bytes(bz2.compress(b"x" * 1_000))
    assert read_bz2(path, 1_000) == b"x" * 1_000
    with pytest.raises(UserError, match="more than 999 bytes"):
        read_bz2(path, 999)


@pytest.mark.parametrize("damage", ["truncate", "flip", "append", "empty", "other"])
def test_damaged_bz2_files_are_refused(tmp_path: Path, damage: str) -> None:
    whole = bz2.compress(bytes(range(256)) * 10)
    path = tmp_path / "file.pbz2"
    middle = len(whole) // 2
    path.write_bytes(
        {
            "truncate": whole[:-3],
            "flip": whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :],
            "append": whole + b"more",
            "empty": b"",
            "other": b"PK\x03\x04",
        }[damage]
    )
    with pytest.raises(UserError, match=r"file\.pbz2"):
        read_bz2(path, 1 << 20)
