"""MNIST-1D (Greydanus and Kobak 2024): digits as signals of 40 numbers, made offline by its own generator."""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

LENGTH, DIGITS = 40, 10


@dataclass(frozen=True, slots=True)
class Dataset:
    """How much of it is made, and how noisy."""

    train_samples: int = 4_000
    valid_samples: int = 5_000
    test_samples: int = 5_000
    iid_noise: float = 0.02
    """standard deviation of the white noise; the generator's own default"""
    correlated_noise: float = 0.3
    """of the correlated noise; the generator's own default is 0.25"""
    seed: int = 42


@dataclass(frozen=True, slots=True)
class Split:
    """signals: float32 (N, 40); digits: int64 (N,)."""

    signals: NDArray[np.float32]
    digits: NDArray[np.int64]


@cache
def splits(dataset: Dataset) -> tuple[Split, Split, Split]:
    """Make the train, validation and test sets; equal for equal arguments."""
    from mnist1d.data import get_dataset_args, make_dataset

    sizes = (dataset.train_samples, dataset.valid_samples, dataset.test_samples)
    args = get_dataset_args()
    args.num_samples = sum(sizes)
    args.iid_noise_scale, args.corr_noise_scale = dataset.iid_noise, dataset.correlated_noise
    args.train_split, args.seed = 1.0, dataset.seed
    made = make_dataset(args)
    signals, digits = made["x"].astype(np.float32), made["y"].astype(np.int64)
    ends = np.cumsum(sizes)
    train, valid, test = (Split(signals[e - n : e], digits[e - n : e]) for n, e in zip(sizes, ends, strict=True))
    return train, valid, test
