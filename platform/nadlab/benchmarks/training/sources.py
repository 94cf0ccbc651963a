"""Images as they lie on disk, read into arrays: scikit-learn's digits, .npz, CIFAR's official pickles, folders of images."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from nadlab.benchmarks.official.unpickle import ARRAYS, NumberArray, read_pickle_file
from nadlab.errors import UserError

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp")
CIFAR = {"cifar-10-batches-py": "cifar10", "cifar-100-python": "cifar100"}


@dataclass(frozen=True, eq=False)
class Arrays:
    """What a source holds."""

    images: NDArray[Any]
    """(N, C, H, W) or (N, H, W)"""
    labels: NDArray[Any]
    """(N,)"""
    test_images: NDArray[Any] | None = None
    test_labels: NDArray[Any] | None = None
    """None without a test part"""
    classes: tuple[str, ...] = ()
    """names, empty where it has none"""


def digits() -> Arrays:
    """Return scikit-learn's digits: whole numbers from 0 to 16."""
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    return Arrays(images.reshape(-1, 1, 8, 8).astype(np.uint8), labels)


def npz(path: Path) -> Arrays:
    """Return the arrays of a file; raise UserError where it is no such file or lacks `images` or `labels`."""
    names = ("images", "labels", "test_images", "test_labels")
    try:
        with np.load(path, allow_pickle=False) as file:
            found = {name: file[name] for name in names if name in file.files}
    except (OSError, ValueError, TypeError, EOFError, BadZipFile) as error:
        # TypeError: a .npy file by another name
        raise UserError(f"{path} is not a readable .npz file of arrays: {error}") from error
    if len(found) not in (2, 4) or "images" not in found or "labels" not in found:
        raise UserError(
            f"{path} has {', '.join(found) or 'none'} of the arrays it needs: write images and labels, and, with a test "
            "part, test_images and test_labels"
        )
    return Arrays(**found)


def cifar_folder(path: Path) -> Path | None:
    """Return the folder of CIFAR's batches, itself or the one inside; None where there is none."""
    places = [path, *(path / name for name in CIFAR)]
    return next(
        (place for place in places if any((place / file).is_file() for file in ("data_batch_1", "train"))), None
    )


def cifar(folder: Path) -> Arrays:
    """Return CIFAR-10 or CIFAR-100 (fine labels), their pickles read without trusting them.

    Raises UserError that names a file that is missing, damaged or hostile.
    """
    ten = (folder / "data_batch_1").is_file()
    labels, names, meta = (
        ("labels", "label_names", "batches.meta") if ten else ("fine_labels", "fine_label_names", "meta")
    )
    parts = [_batch(folder / name, labels) for name in (map("data_batch_{}".format, range(1, 6)) if ten else ["train"])]
    test = _batch(folder / ("test_batch" if ten else "test"), labels)
    classes = _content(folder / meta).get(names)
    if not isinstance(classes, list):
        raise UserError(f"{folder / meta} has no {names}: download it again")
    images, found = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    return Arrays(images, found, *test, tuple(map(str, classes)))


def _batch(path: Path, labels: str) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    content = _content(path)
    data, found = content.get("data"), content.get(labels)
    if (
        not isinstance(data, NumberArray)
        or not isinstance(found, list)
        or data.values.shape != (len(found), 3 * 32 * 32)
    ):
        raise UserError(f"{path} is not a batch of CIFAR: it needs data (N, 3072) and N {labels}; download it again")
    return data.values.astype(np.uint8).reshape(-1, 3, 32, 32), np.array(found, np.int64)


def _content(path: Path) -> dict[str, Any]:
    content = read_pickle_file(path, ARRAYS, "latin1")
    return content if isinstance(content, dict) else {}


def image_folder(path: Path) -> Arrays:
    """Return the images of a folder per class, RGB or grey; raise UserError where their sizes differ or one cannot be read."""
    parts = path / "train", path / "test"
    if not all(part.is_dir() for part in parts):
        return _classes(path, _subfolders(path))
    names = _subfolders(parts[0])
    if others := set(names) ^ set(_subfolders(parts[1])):
        raise UserError(
            f"{path}: train and test need folders of the same classes, but {min(others)} is in only one of them"
        )
    train, test = (_classes(part, names) for part in parts)
    return Arrays(train.images, train.labels, test.images, test.labels, train.classes)


def _subfolders(path: Path) -> list[str]:
    return sorted(each.name for each in path.iterdir() if each.is_dir() and not each.name.startswith("."))


def _classes(path: Path, names: list[str]) -> Arrays:
    from PIL import UnidentifiedImageError
    from PIL.Image import open as open_image

    images, labels = [], []
    for label, name in enumerate(names):
        for file in sorted(each for each in (path / name).glob("*") if each.suffix.lower() in SUFFIXES):
            try:
                with open_image(file) as opened:
                    if opened.mode.startswith(("I", "F")):
                        raise UserError(
                            f"{file} has pixels of more than 8 bits ({opened.mode}): reduce them, or write all images to an .npz file"
                        )
                    images.append(np.asarray(opened.convert("L" if opened.mode in ("1", "L") else "RGB")))
            except (OSError, UnidentifiedImageError) as error:
                raise UserError(f"{file} cannot be read as an image ({error}): remove or replace it") from error
            labels.append(label)
    shapes = sorted({image.shape for image in images})
    if len(shapes) != 1:
        found = " and ".join(map(str, shapes[:3])) or "no images"
        raise UserError(f"{path} needs a folder per class, with images of one size and colour, but has {found}")
    stacked = np.stack(images)
    return Arrays(
        stacked if stacked.ndim == 3 else stacked.transpose(0, 3, 1, 2), np.array(labels), classes=tuple(names)
    )
