"""Images with labels, in three parts: for training, validation and test. `train:SOURCE` names them.

| source | what it is | parts |
| --- | --- | --- |
| `digits` | scikit-learn's 1,797 digits, 8 x 8 | a fifth of all each for test and validation |
| `/folder/cifar-10-batches-py`, or the folder around it | CIFAR-10 in its official pickles; CIFAR-100 alike | its own test part |
| `/file.npz` | arrays `images` (N, C, H, W) or (N, H, W) and `labels` (N,) | `test_images` and `test_labels` where they are there |
| `/folder` | a folder per class, with images of one size | subfolders `train` and `test` where they are there |

Without a test part of its own, a fifth of the images is drawn for the test; validation is a fifth of what is left for training.
"""

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nadlab.benchmarks.training import sources
from nadlab.errors import UserError

SHARE = 0.2
"""of the images, for validation, and for test where there is no test part"""
SPLIT_SEED = 0


@dataclass(frozen=True, eq=False)
class Part:
    """N images with their classes."""

    images: NDArray[Any]
    """(N, C, H, W), uint8 or float32"""
    labels: NDArray[np.int64]
    """(N,), from 0"""

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, rows: NDArray[np.int64]) -> "Part":
        return Part(self.images[rows], self.labels[rows])


@dataclass(frozen=True, eq=False)
class Dataset:
    """Three parts of one data set."""

    train: Part
    valid: Part
    test: Part
    classes: tuple[str, ...]
    """name of each class"""
    digest: str
    """SHA-256 of all images and labels, in their parts"""

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width."""
        channels, height, width = self.train.images.shape[1:]
        return channels, height, width

    def moments(self) -> tuple[list[float], list[float]]:
        """Return mean and standard deviation of each channel of the training images; 1 where a channel is constant."""
        mean = self.train.images.mean(axis=(0, 2, 3), dtype=np.float64)
        deviation = self.train.images.std(axis=(0, 2, 3), dtype=np.float64)
        return mean.tolist(), np.where(deviation > 0, deviation, 1.0).tolist()


@cache
def dataset(source: str) -> Dataset:
    """Return a data set by its source, split by `SPLIT_SEED`; raise UserError that names what is wrong with the source."""
    found = sources.digits() if source == "digits" else _at(source)
    part = Part(*_checked(source, found.images, found.labels))
    rng = np.random.default_rng(SPLIT_SEED)
    if found.test_images is not None and found.test_labels is not None:
        test = Part(*_checked(source, found.test_images, found.test_labels))
    else:
        test, part = _split(part, rng)
    valid, train = _split(part, rng)
    classes = found.classes or tuple(map(str, range(int(max(part.labels.max(), test.labels.max())) + 1)))
    if not len(valid) or len(classes) < 2 or train.images.shape[1:] != test.images.shape[1:]:
        raise UserError(f"{source}: it needs at least two classes, six images, and a test part of the same image size")
    digest = hashlib.sha256()
    for each in (train, valid, test):
        for array in (each.images, each.labels):
            digest.update(f"{array.dtype} {array.shape} ".encode())
            digest.update(np.ascontiguousarray(array).data)
    return Dataset(train, valid, test, classes, digest.hexdigest())


def _at(source: str) -> sources.Arrays:
    path = Path(source)
    if not path.is_absolute():
        raise UserError(f"train:{source}: name `digits`, or the whole path of a folder or an .npz file, from its /")
    if path.suffix == ".npz":
        return sources.npz(path)
    if not path.is_dir():
        raise UserError(
            f"{path} is not a folder: name `digits`, an .npz file, CIFAR's folder, or one with a folder per class"
        )
    batches = sources.cifar_folder(path)
    return sources.cifar(batches) if batches else sources.image_folder(path)


def _checked(source: str, images: NDArray[Any], labels: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.int64]]:
    if images.ndim == 3:
        images = images[:, None]
    if images.ndim != 4 or labels.shape != images.shape[:1] or not len(images):
        raise UserError(
            f"{source}: images must be (N, C, H, W) or (N, H, W) and labels (N,), not {images.shape} and {labels.shape}"
        )
    if images.dtype.kind not in "fui" or labels.dtype.kind not in "ui" or labels.min() < 0:
        raise UserError(f"{source}: images must be numbers and labels whole numbers from 0")
    if images.dtype != np.uint8:
        images = images.astype(np.float32)
        if not np.isfinite(images).all():
            raise UserError(f"{source}: an image has a number that is not finite")
    return images, labels.astype(np.int64)


def _split(part: Part, rng: np.random.Generator) -> tuple[Part, Part]:
    """Return `SHARE` of a part, drawn at random, and the rest."""
    order = rng.permutation(len(part))
    count = int(SHARE * len(part))
    return part[order[:count]], part[order[count:]]
