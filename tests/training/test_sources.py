"""Images come from arrays, CIFAR's official pickles and folders; what is wrong with a source is named."""

import pickle
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from PIL import Image

from nadlab.benchmarks.training.data import dataset
from nadlab.errors import UserError

RNG = np.random.default_rng(0)


class Python2(pickle._Pickler):
    """Writes text and bytes as Python 2 did, as CIFAR's files have them."""

    dispatch: ClassVar[dict[type, Any]] = dict(pickle._Pickler.dispatch)

    def save_text(self, value: str | bytes) -> None:
        data = value.encode("latin1") if isinstance(value, str) else value
        self.write(b"T" + struct.pack("<i", len(data)) + data)  # type: ignore[attr-defined]

    dispatch |= {str: save_text, bytes: save_text}


def write(path: Path, content: dict[str, Any]) -> None:
    with path.open("wb") as file:
        Python2(file, 2).dump(content)


def cifar10(folder: Path, images: int = 20) -> Path:
    inside = folder / "cifar-10-batches-py"
    inside.mkdir()
    for name in [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]:
        labels = [number % 2 for number in range(images)]
        write(inside / name, {"data": RNG.integers(0, 256, (images, 3072), np.uint8), "labels": labels})
    write(inside / "batches.meta", {"label_names": ["cat", "dog"]})
    return inside


def test_digits_are_split_the_same_every_time() -> None:
    digits = dataset("digits")
    assert digits.shape == (1, 8, 8)
    assert [len(each) for each in (digits.train, digits.valid, digits.test)] == [1151, 287, 359]
    dataset.cache_clear()
    assert dataset("digits").digest == digits.digest


def test_cifar_10_has_its_own_test_part(tmp_path: Path) -> None:
    inside = cifar10(tmp_path)
    found = dataset(str(tmp_path))
    assert found.classes == ("cat", "dog")
    assert [len(each) for each in (found.train, found.valid, found.test)] == [80, 20, 20]
    first = pickle.loads((inside / "test_batch").read_bytes(), encoding="latin1")["data"]  # noqa: S301 - written above
    np.testing.assert_array_equal(found.test.images, first.reshape(20, 3, 32, 32))


def test_cifar_100_is_read_with_its_fine_labels(tmp_path: Path) -> None:
    for name in ("train", "test"):
        labels = [number % 4 for number in range(10)]
        images = RNG.integers(0, 256, (10, 3072), np.uint8)
        write(tmp_path / name, {"data": images, "fine_labels": labels, "coarse_labels": [0] * 10})
    write(tmp_path / "meta", {"fine_label_names": list("abcd")})
    assert dataset(str(tmp_path)).classes == tuple("abcd")


def test_a_hostile_pickle_runs_nothing(tmp_path: Path) -> None:
    inside = cifar10(tmp_path)
    (inside / "test_batch").write_bytes(b"cposix\nsystem\n(S'touch " + str(tmp_path / "hit").encode() + b"'\ntR.")
    with pytest.raises(UserError, match=r"posix\.system"):
        dataset(str(tmp_path))
    assert not (tmp_path / "hit").exists()


def test_npz_without_a_test_part_is_split_in_three(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", images=RNG.random((50, 4, 4)), labels=np.arange(50) % 5)
    found = dataset(str(tmp_path / "a.npz"))
    assert [len(each) for each in (found.train, found.valid, found.test)] == [32, 8, 10]
    assert found.train.images.dtype == np.float32
    mean, deviation = found.moments()
    assert mean == pytest.approx([found.train.images.mean()])
    assert deviation == pytest.approx([found.train.images.std()])


@pytest.mark.parametrize("parts", [[""], ["train", "test"]])
def test_a_folder_a_class_is_read(tmp_path: Path, parts: list[str]) -> None:
    for part in parts:
        for name, colour in (("blue", (0, 0, 255)), ("red", (255, 0, 0))):
            folder = tmp_path / part / name
            folder.mkdir(parents=True)
            for number in range(10):
                Image.new("RGB", (6, 4), colour).save(folder / f"{number}.png")
    found = dataset(str(tmp_path))
    assert (found.classes, found.shape) == (("blue", "red"), (3, 4, 6))
    assert (found.test.images[:, 2].max(axis=(1, 2)) == np.where(found.test.labels == 0, 255, 0)).all()


def _two_sizes(folder: Path) -> str:
    for number in (4, 8):
        (folder / str(number)).mkdir()
        Image.new("L", (number, number)).save(folder / str(number) / "a.png")
    return str(folder)


def _deep(folder: Path) -> str:
    (folder / "a").mkdir()
    Image.fromarray(np.full((4, 4), 60_000, np.uint16)).save(folder / "a" / "b.png")
    return str(folder)


def _classes_apart(folder: Path) -> str:
    for part, name in (("train", "cat"), ("train", "dog"), ("test", "Cat"), ("test", "dog")):
        (folder / part / name).mkdir(parents=True)
        Image.new("L", (4, 4)).save(folder / part / name / "a.png")
    return str(folder)


def _bare_array(folder: Path) -> str:
    np.save(folder / "a.npy", np.zeros(4))
    (folder / "a.npy").rename(folder / "a.npz")
    return str(folder / "a.npz")


def _no_image(folder: Path) -> str:
    (folder / "a").mkdir()
    (folder / "a" / "b.png").write_text("no image")
    return str(folder)


def _arrays(**arrays: Any) -> Callable[[Path], str]:
    def source(folder: Path) -> str:
        np.savez(folder / "a.npz", **arrays)
        return str(folder / "a.npz")

    return source


def _truncated(folder: Path) -> str:
    inside = cifar10(folder)
    (inside / "data_batch_3").write_bytes((inside / "data_batch_3").read_bytes()[:1000])
    return str(folder)


IMAGES, LABELS = np.zeros((20, 4, 4)), np.arange(20) % 2
WRONG: dict[str, Callable[[Path], str]] = {
    "whole path": lambda _: "cifar10",
    "not a folder": lambda folder: str(folder / "absent"),
    "one size": _two_sizes,
    "no images": str,
    "cannot be read as an image": _no_image,
    "more than 8 bits": _deep,
    "but Cat is in only one of them": _classes_apart,
    "not a readable .npz": _bare_array,
    "six images": _arrays(images=IMAGES[:5], labels=LABELS[:5]),
    "images and labels": _arrays(images=IMAGES),
    r"must be \(N": _arrays(images=IMAGES, labels=LABELS[:-1]),
    "whole numbers": _arrays(images=IMAGES, labels=LABELS - 1),
    "not finite": _arrays(images=IMAGES + np.nan, labels=LABELS),
    "two classes": _arrays(images=IMAGES, labels=LABELS * 0),
    "data_batch_3": _truncated,
}


@pytest.mark.parametrize("sentence", WRONG)
def test_what_is_wrong_with_a_source_is_said(sentence: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=sentence):
        dataset(WRONG[sentence](tmp_path))
