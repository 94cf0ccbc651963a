"""Small official files of every format, and random damage to them, for the fuzz test."""

import bz2
import json
import pickle
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
import xgboost

from nadlab.benchmarks.container import write_container
from nadlab.benchmarks.convert import reader
from nadlab.spaces import space
from perf.benchmarks.nasbench101_file import nasbench101_records, write_records
from tests.benchmarks.official_files import (
    TEXTS201,
    nasbench201_content,
    naslib101_content,
    naslib201_content,
    nats_content,
    size_content,
    write_nats,
    write_nats_file,
    write_nats_tar,
)

FILES = Path(__file__).parent / "files"
Damage = Callable[[bytes], bytes]
Writer = Callable[[Path, Damage], Path]
"""(empty folder, damage) -> the source that it wrote there, damaged"""


def damage(rng: np.random.Generator) -> Damage:
    """Return a random change of bytes: bits flipped, cut, spliced, a part taken out, or bytes of an extreme value."""

    def change(data: bytes) -> bytes:
        changed, length = bytearray(data), max(1, len(data))
        start, stop = sorted(rng.integers(0, length, 2).tolist())
        kind = rng.integers(5)
        if kind == 0:
            for place in rng.integers(0, length, rng.integers(1, 4)).tolist():
                changed[place] ^= 1 << int(rng.integers(8))
        elif kind == 1:
            del changed[start:]
        elif kind == 2:
            changed[stop:stop] = changed[start : start + int(rng.integers(1, 64))]
        elif kind == 3:
            del changed[start : start + int(rng.integers(1, 16))]
        else:
            count = int(rng.choice([1, 2, 4, 8]))
            changed[start : start + count] = bytes([int(rng.choice([0, 0x7F, 0x80, 0xFF]))]) * count
        return bytes(changed)

    return change


def writers() -> dict[str, Writer]:
    """Return a writer of every format and, where a checksum or compression guards the content, of what is inside."""
    records = list(nasbench101_records(space("nasbench101").parse("011/001/000;input|conv3x3-bn-relu|output")))
    content = nasbench201_content(1)
    for info in content["arch2infos"].values():
        info["full"] = info["less"]  # shorter curves, the same form
    size = size_content((284,))
    boosters = {each.name: each.read_bytes() for each in sorted(FILES.glob("*.pickle"))} | _todays_booster()
    of_one: dict[str, Writer] = {
        chosen: lambda folder, change, chosen=chosen: _surrogates(
            folder, {**boosters, chosen: change(boosters[chosen])}
        )  # type: ignore[misc]
        for chosen in boosters
    }
    return of_one | {
        "tfrecord": lambda folder, change: _changed(_tfrecord(folder, records), change),
        "record": lambda folder, change: _tfrecord(folder, [change(records[0]), *records[1:]]),
        "nats": lambda folder, change: _nats(folder, content, "000000", lambda data: change(data)),
        "nats pickle": lambda folder, change: _nats(folder, content, "000000", _inside(change)),
        "nats meta": lambda folder, change: _nats(folder, content, "meta", _inside(change)),
        "nats tar": lambda folder, change: _changed(write_nats_tar(folder / "x.tar", nats_content(content)), change),
        "nats file": lambda folder, change: _changed(write_nats_file(folder / "sss.pickle.pbz2", size), change),
        "nats file pickle": lambda folder, change: _changed(
            write_nats_file(folder / "sss.pickle.pbz2", size), _inside(change)
        ),
        "naslib 201": lambda folder, change: write_pickle(
            folder / "nb201_x_full_training.pickle", naslib201_content(), change
        ),
        "naslib 101": lambda folder, change: write_pickle(folder / "nasbench_x.pkl", naslib101_content(), change),
        "pth": lambda folder, change: _changed(_pth(folder, content, True), change),
        "old pth": lambda folder, change: _changed(_pth(folder, content, False), change),
        "zip": lambda folder, change: _changed(_surrogates(folder, boosters), change),
        "archive": lambda folder, change: _changed(_archive(_tfrecord(folder, records)), change),
        "surrogate": lambda folder, change: _changed(_archive(_surrogates(folder, boosters)), change),
        "table": lambda folder, change: _changed(_table(folder), change),
    }


def _changed(path: Path, change: Damage) -> Path:
    path.write_bytes(change(path.read_bytes()))
    return path


def _inside(change: Damage) -> Damage:
    return lambda data: bz2.compress(change(bz2.decompress(data)))


def _tfrecord(folder: Path, records: list[bytes]) -> Path:
    write_records(folder / "x.tfrecord", records)
    return folder / "x.tfrecord"


def _nats(folder: Path, content: dict[str, Any], part: str, change: Damage) -> Path:
    write_nats(folder / "nats", content)
    _changed(folder / "nats" / f"{part}.pickle.pbz2", change)
    return folder / "nats"


def write_pickle(path: Path, content: dict[str, Any], change: Damage) -> Path:
    path.write_bytes(change(pickle.dumps(content, 4)))
    return path


def _pth(folder: Path, content: dict[str, Any], zipped: bool) -> Path:
    torch.save(content, folder / "x.pth", _use_new_zipfile_serialization=zipped)
    return folder / "x.pth"


def _todays_booster() -> dict[str, bytes]:
    features = np.random.default_rng(0).integers(-1, 7, (200, 56)).astype(float)
    data = xgboost.DMatrix(features, label=90 + features[:, 10] * features[:, 11])
    settings = {"objective": "reg:squarederror", "max_depth": 3, "nthread": 1}
    return {f"xgboost-{xgboost.__version__}.pickle": pickle.dumps(xgboost.train(settings, data, num_boost_round=3))}


def _surrogates(folder: Path, boosters: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(folder / "models.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        for name, data in boosters.items():
            kind = "xgb" if name.startswith("xgboost") else "lgb_time"
            packed.writestr(f"{kind}/{name}/model_config.json", json.dumps({"model": kind}))
            packed.writestr(f"{kind}/{name}/surrogate_model.model", data)
    return folder / "models.zip"


@cache
def _converted(name: str, read: Callable[[Path], Any], data: bytes) -> bytes:
    """What `read` makes of a file, as an archive's bytes; once, since a surrogate's best cell is searched for."""
    with TemporaryDirectory() as folder:
        source = Path(folder) / name
        source.write_bytes(data)
        write_container(read(source).container(), Path(folder) / "x.safetensors")
        return (Path(folder) / "x.safetensors").read_bytes()


def _archive(source: Path) -> Path:
    path = source.with_name("x.safetensors")
    path.write_bytes(_converted(source.name, reader(source)[1], source.read_bytes()))
    source.unlink()
    return path


def _table(folder: Path) -> Path:
    rows = [f"{text},{40 + i},{50 + i}" for i, text in enumerate(TEXTS201)]
    (folder / "x.csv").write_text("\n".join(["arch_str,x_valid_12,x_test_12", *rows]) + "\n")
    return folder / "x.csv"
