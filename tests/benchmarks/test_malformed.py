"""Malformed and hostile files: each ends in one sentence and status 2, and leaves nothing in the cache folder."""

import base64
import bz2
import hashlib
import json
import os
import pickle
import shutil
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

from nadlab.benchmarks.archive import write_archive
from nadlab.benchmarks.official.nasbench101 import read_nasbench101
from nadlab.benchmarks.official.tfrecord import masked_crc
from nadlab.cli.benchmarks import COMMANDS
from nadlab.cli.command_line import run_command
from nadlab.spaces import space
from perf.benchmarks.nasbench101_file import nasbench101_records, write_records
from tests.benchmarks.official_files import nasbench201_content, write_nats

RECORD = next(nasbench101_records(space("nasbench101").parse("011/001/000;input|conv3x3-bn-relu|output")))
Maker = Callable[[Path], Path]
CASES: dict[str, Maker] = {}


class Hostile:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("ran",)


def case(name: str) -> Callable[[Maker], Maker]:
    def add(make: Maker) -> Maker:
        CASES[name] = make
        return make

    return add


def damages(whole: bytes) -> dict[str, bytes]:
    """Cut and flip a file in several places."""
    found = {f"cut to {share} percent": whole[: len(whole) * share // 100] for share in (0, 1, 50, 99)}
    for share in (1, 40, 80):
        flipped = bytearray(whole)
        flipped[len(whole) * share // 100] ^= 0x10
        found[f"bit flipped at {share} percent"] = bytes(flipped)
    return found | {
        "wrong magic": b"GIF89a" + whole[6:],
        "text": b"<html>Quota exceeded</html>\n",
        "longer": whole + b"x",
    }


def add_tfrecords(good: Path) -> None:
    write_records(good, [RECORD] * 3)
    for name, data in damages(good.read_bytes()).items():
        CASES[f"tfrecord: {name}"] = lambda folder, data=data: written(folder / "x.tfrecord", data)  # type: ignore[misc]
    module, budget, digits, labels, metrics = json.loads(RECORD)
    rows: dict[str, Any] = {
        "no list": {"a": 1},
        "too short": [module, budget],
        "budget as text": [module, "108", digits, labels, metrics],
        "huge budget": [module, 2**70, digits, labels, metrics],
        "adjacency as number": [module, budget, 11, labels, metrics],
        "not square": [module, budget, "0110", labels, metrics],
        "unknown operation": [module, budget, digits, "input,conv9x9,output", metrics],
        "no path": [module, budget, "000000000", labels, metrics],
        "metrics not base64": [module, budget, digits, labels, "?"],
        "metrics no protobuf": [module, budget, digits, labels, base64.b64encode(b"\xff\xff").decode()],
        "metrics empty": [module, budget, digits, labels, ""],
        "module a list": [[], budget, digits, labels, metrics],
        "accuracy above one": [module, budget, digits, labels, inflated(metrics, 2.0)],
        "accuracy not a number": [module, budget, digits, labels, inflated(metrics, float("nan"))],
    }
    for name, row in rows.items():
        CASES[f"tfrecord: {name}"] = lambda folder, row=row: records(folder, json.dumps(row).encode())  # type: ignore[misc]
    CASES["tfrecord: deeply nested"] = lambda folder: records(folder, b"[" * 200_000)
    CASES["tfrecord: not JSON"] = lambda folder: records(folder, b"\xff")
    CASES["tfrecord: no record at all"] = lambda folder: written(folder / "x.tfrecord", b"")
    huge = struct.pack("<Q", 1 << 60)
    CASES["tfrecord: record of an exabyte"] = lambda folder: written(
        folder / "x.tfrecord", huge + struct.pack("<I", masked_crc(huge)) + b"x"
    )


def inflated(metrics: str, accuracy: float) -> str:
    from nadlab.benchmarks.official.model_metrics import ModelMetrics

    message = ModelMetrics.FromString(base64.b64decode(metrics))
    message.evaluation_data[2].test_accuracy = accuracy
    return base64.b64encode(message.SerializeToString()).decode()


def records(folder: Path, data: bytes) -> Path:
    write_records(folder / "x.tfrecord", [data])
    return folder / "x.tfrecord"


def written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def nats(folder: Path, name: str, data: bytes) -> Path:
    write_nats(folder / "nats", nasbench201_content(2))
    written(folder / "nats" / f"{name}.pickle.pbz2", data)
    return folder / "nats"


def add_nats(scratch: Path) -> None:
    write_nats(scratch / "nats", nasbench201_content(1))
    for part in ("000000", "meta"):
        for name, data in damages((scratch / "nats" / f"{part}.pickle.pbz2").read_bytes()).items():
            CASES[f"nats {part}: {name}"] = lambda folder, part=part, data=data: nats(folder, part, data)  # type: ignore[misc]
    info = nasbench201_content(1)["arch2infos"][0]
    result = next(iter(info["less"]["all_results"].values()))
    contents: dict[str, Any] = {
        "hostile": {"12": Hostile()},
        "a list": [],
        "empty": {},
        "budget no number": {"x": info["less"]},
        "another architecture": {"12": nasbench201_content(2)["arch2infos"][1]["less"]},
        "a path": {"12": "000000.pth"},
        "no results": {"12": {"arch_str": info["less"]["arch_str"], "all_results": None}},
        "object array": {"12": np.array([Hostile()], dtype=object)},
    }
    changes: dict[str, Any] = {
        "accuracy as text": {"train_acc1es": {0: "99"}},
        "accuracy above 100": {"train_acc1es": {0: 101.0}},
        "accuracy not a number": {"eval_acc1es": {"x-valid@0": float("nan")}},
        "epoch beyond all": {"eval_acc1es": {"x-valid@99999999999": 1.0}},
        "split without epoch": {"eval_acc1es": {"x-valid": 1.0}},
        "no parameters": {"params": None},
        "a million epochs": {"epochs": 1_000_000},
        "epochs as text": {"epochs": "12"},
        "a method as text": {"get_train": "x"},
    }
    for name, change in changes.items():
        trial = {("cifar10", 1): {**result, **change}}
        contents[name] = {"12": {**info["less"], "all_results": trial}}
    for name, content in contents.items():
        data = bz2.compress(pickle.dumps(content, 4))
        CASES[f"nats: {name}"] = lambda folder, data=data: nats(folder, "000000", data)  # type: ignore[misc]
    CASES["nats: bz2 bomb"] = lambda folder: nats(folder, "000000", bz2.compress(bytes(50_000_000)))
    CASES["nats: bz2 bomb as meta"] = lambda folder: nats(folder, "meta", bz2.compress(bytes(50_000_000)))
    CASES["nats: memo bomb"] = lambda folder: nats(folder, "000000", bz2.compress(b"Nr\xff\xff\xff\x7f0."))
    CASES["nats: index beyond meta"] = lambda folder: nats(folder, "000099", b"")


def pth(folder: Path, data: bytes) -> Path:
    return written(folder / "x.pth", data)


def add_torch(scratch: Path) -> None:
    for zipped in (True, False):
        kind = "pth" if zipped else "old pth"
        torch.save(nasbench201_content(1), scratch / "x.pth", _use_new_zipfile_serialization=zipped)
        whole = (scratch / "x.pth").read_bytes()
        # the format has no checksum of its own; the digits in the official name are one
        name = f"NAS-Bench-201-v1_1-{hashlib.md5(whole, usedforsecurity=False).hexdigest()[-6:]}.pth"
        for damage, data in damages(whole).items():
            CASES[f"{kind}: {damage}"] = lambda folder, data=data, name=name: written(folder / name, data)  # type: ignore[misc]
        torch.save({"extra": Hostile()}, scratch / "x.pth", _use_new_zipfile_serialization=zipped)
        hostile = (scratch / "x.pth").read_bytes()
        CASES[f"{kind}: hostile"] = lambda folder, data=hostile: pth(folder, data)  # type: ignore[misc]

    @case("pth: zip bomb")
    def zip_bomb(folder: Path) -> Path:
        with zipfile.ZipFile(folder / "x.pth", "w", zipfile.ZIP_DEFLATED) as container:
            container.writestr("x/data.pkl", bytes(50_000_000))
            container.writestr("x/version", "3")
        return folder / "x.pth"


def add_archives(scratch: Path) -> None:
    write_records(scratch / "good.tfrecord", [RECORD] * 3)
    write_archive(read_nasbench101(scratch / "good.tfrecord"), scratch / "good.safetensors")
    whole = (scratch / "good.safetensors").read_bytes()
    size = int.from_bytes(whole[:8], "little")
    metadata = json.loads(whole[8 : 8 + size])["__metadata__"]
    facts = json.loads(metadata["facts"])
    for name, data in damages(whole).items():
        CASES[f"archive: {name}"] = lambda folder, data=data: archive(folder, data)  # type: ignore[misc]
    arrays = load_file(scratch / "good.safetensors")
    changes: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
        "keys as floats": ({"keys": arrays["keys"].astype(np.float64)}, {}),
        "keys as bytes": ({"keys": arrays["keys"].astype(np.int8)}, {}),
        "accuracies in double": ({"cifar10/108/test/accuracy": arrays["cifar10/108/test/accuracy"].astype("f8")}, {}),
        "accuracies of two axes": ({"cifar10/108/test/accuracy": arrays["cifar10/108/test/accuracy"][0]}, {}),
        "too few rows": ({"keys": np.arange(2)}, {}),
        "another version": ({}, {"format": "nadlab-archive-0"}),
        "unknown space": ({}, {"facts": json.dumps({**facts, "space": "imagenet"})}),
        "facts no JSON": ({}, {"facts": "{"}),
        "facts a list": ({}, {"facts": "[]"}),
        "answers without arrays": ({}, {"facts": json.dumps({**facts, "answers": {"x": {"1": {"test": "absent"}}}})}),
        "answers a list": ({}, {"facts": json.dumps({**facts, "answers": [1]})}),
    }
    for name, (changed, meta) in changes.items():
        save_file({**arrays, **changed}, scratch / "bad.safetensors", {**metadata, **meta})
        data = (scratch / "bad.safetensors").read_bytes()
        CASES[f"archive: {name}"] = lambda folder, data=data: archive(folder, data)  # type: ignore[misc]
    save_file(arrays, scratch / "bad.safetensors")
    bare = (scratch / "bad.safetensors").read_bytes()
    CASES["archive: no metadata"] = lambda folder: archive(folder, bare)


def archive(folder: Path, data: bytes) -> Path:
    return written(folder / "x.safetensors", data)


@pytest.fixture(scope="module", autouse=True)
def cases(tmp_path_factory: pytest.TempPathFactory) -> None:
    scratch = tmp_path_factory.mktemp("scratch")
    for add in (add_nats, add_torch, add_archives):
        add(scratch)
    add_tfrecords(scratch / "x.tfrecord")


def run(*arguments: str) -> int:
    return run_command(click.Group("benchmarks", commands=list(COMMANDS)), list(arguments))


@pytest.mark.parametrize("format_name", ["tfrecord", "nats", "pth", "old pth", "archive"])
def test_each_ends_in_one_sentence_and_leaves_nothing(
    format_name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    chosen = [name for name in CASES if name.startswith((f"{format_name}:", f"{format_name} "))]
    assert len(chosen) >= 10
    for name in chosen:
        cache, folder = tmp_path / "cache", tmp_path / "in"
        folder.mkdir()
        monkeypatch.setenv("NADLAB_CACHE", str(cache if format_name != "archive" else folder))
        source = CASES[name](folder)
        status = run("verify") if format_name == "archive" else run("convert", str(source))
        captured = capsys.readouterr()
        assert status == 2, name
        assert captured.err.splitlines()[-1].startswith("error: "), (name, captured.err)
        assert str(folder) in captured.err.splitlines()[-1], (name, captured.err)
        assert not [path for path in cache.glob("*") if path.suffix != ".lock"], name
        assert not (tmp_path / "ran").exists(), name
        shutil.rmtree(folder)


def test_there_are_more_than_a_hundred_such_files() -> None:
    assert len(CASES) > 100
