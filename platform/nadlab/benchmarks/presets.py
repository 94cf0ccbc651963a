"""Protocols by name: the settings that two results on one benchmark must share to be comparable.

| protocol | benchmark | a query answers with | judged by | runs | surrogate |
| --- | --- | --- | --- | --- | --- |
| `paper` | NAS-Bench-101 | validation, 108 epochs | test | mean of the three | - |
| `paper` | NAS-Bench-201, NATS-Bench | test, 200 epochs | test | mean of all seeds | - |
| `paper` | NAS-Bench-301 | validation | validation | - | mean, no noise |
| `naslib` | NAS-Bench-101 | validation, 108 epochs | test | one at random | - |
| `naslib` | NAS-Bench-201, NATS-Bench | validation, 200 epochs | validation | mean of all seeds | - |
| `naslib` | NAS-Bench-301 | validation | validation | - | with noise |
| `paper` | `mnist1d-201` | validation, 10 epochs | test | mean of all seeds | - |
| `naslib` | `mnist1d-201` | validation, 10 epochs | test | one at random | - |
| `paper` | NAS-Bench-Graph | validation | test | mean of the three | - |
| `paper` | NATS-Bench, size | validation, 90 epochs | test | mean of all seeds | - |
| `naslib` | NATS-Bench, size | validation, 90 epochs | test | mean of all seeds | - |
| `paper` | AnalogNAS-Bench | its one accuracy | the same | as published | - |
| `validation` | every one that has both | validation | test | mean | - |

`paper`: SemiGAN-NAD's Appendices A and C (average of three runs; validation for the search and test as the result on
NAS-Bench-101; test throughout on NAS-Bench-201; only validation on NAS-Bench-301, whose noise it does not mention).
`naslib`: NASLib's `query` methods. NAS-Bench-101's API draws one of the three runs; on NAS-Bench-201 validation
answers for both metrics (how its pickle was made of the seeds is not stated: their mean is taken here); the
surrogate's `predict` keeps its default, noise. The embedded benchmarks follow what each says of NAS-Bench-101 (tables)
and NAS-Bench-301 (surrogates). The paper and NASLib know neither NAS-Bench-Graph nor AnalogNAS-Bench: `paper` searches
them as it does NAS-Bench-101 and -201. The paper does not know NATS-Bench's size space either; NASLib's
`natsbenchsize/graph.py` has it, with a mean over the seeds (`is_random=False`) and no validation on CIFAR-10, which here
is that of the training on the training half.
`validation`: what most papers do on NAS-Bench-201. Each split is read from the longest training that has it: in the
table `nasbench201.csv` validation after 12 epochs and test after 200. A benchmark with one split is refused.

The data set is the benchmark's name: `nasbench201/cifar10` reads validation accuracy from the training on the
training half and test accuracy from the training on both halves, as the official API does; `nasbench201/cifar10-valid`
reads both from the training on the training half alone, as NASLib does.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from nadlab.benchmarks.oracle import Oracle, Split, optimum_of, ranges_of, search_optimum_of
from nadlab.errors import UserError, did_you_mean

Runs = Literal["mean", "one"]


@dataclass(frozen=True, slots=True)
class Protocol:
    """How a benchmark returns accuracies."""

    name: str
    search_split: Split
    report_split: Split
    runs: Runs
    """`mean` of an architecture's runs, or `one`, drawn per architecture and then always the same"""
    noise: bool = False
    """whether a surrogate adds its ensemble's spread, drawn per architecture"""


PAPER, VALIDATION = "paper", "validation"
_BY_VALIDATION = Protocol(VALIDATION, "valid", "test", "mean")

PRESETS: dict[str, dict[str, Protocol]] = {
    "paper": {
        "nasbench101": Protocol("paper", "valid", "test", "mean"),
        "nasbench201": Protocol("paper", "test", "test", "mean"),
        "surrogate": Protocol("paper", "valid", "valid", "mean"),
        "mnist1d": Protocol("paper", "valid", "test", "mean"),
        "nasbenchgraph": Protocol("paper", "valid", "test", "mean"),
        "natssize": Protocol("paper", "valid", "test", "mean"),
    },
    VALIDATION: dict.fromkeys(
        ("nasbench101", "nasbench201", "surrogate", "mnist1d", "nasbenchgraph", "natssize"), _BY_VALIDATION
    ),
    "naslib": {
        "nasbench101": Protocol("naslib", "valid", "test", "one"),
        "nasbench201": Protocol("naslib", "valid", "valid", "mean"),
        "surrogate": Protocol("naslib", "valid", "valid", "mean", noise=True),
        "mnist1d": Protocol("naslib", "valid", "test", "one"),
        "natssize": Protocol("naslib", "valid", "test", "mean"),
    },
}
"""Name -> search space, data set that has its own, or `surrogate` -> protocol."""
WORDS: dict[Split, str] = {"valid": "validation", "test": "test"}
"""Split -> its word."""


def benchmark_text(benchmark: str, protocol: str) -> str:
    """Return a benchmark's name, with the protocol where that is not the paper's."""
    return benchmark if protocol == PAPER else f"{benchmark} (protocol {protocol})"


def check_protocol(name: str) -> None:
    """Raise UserError that names the protocols there are when this is none of them."""
    if name not in PRESETS:
        raise UserError(f"unknown protocol {name!r}: {did_you_mean(name, PRESETS)}choose one of {', '.join(PRESETS)}")


def protocol(preset: str, name: str, splits: Collection[str], *kinds: str) -> Protocol:
    """Return a named protocol on a benchmark: that of the first of its kinds (the keys of `PRESETS`) that has one.

    splits: those that the benchmark answers by. Raises UserError when the protocol is unknown, says nothing of the
    benchmark, or needs a split that it lacks.
    """
    check_protocol(preset)
    found = next((PRESETS[preset][kind] for kind in kinds if kind in PRESETS[preset]), None)
    if found is None:
        raise UserError(f"the protocol {preset!r} is not defined for {name}: choose another protocol")
    needed = {found.search_split} | ({found.report_split} if preset == VALIDATION else set())
    if not needed <= set(splits):
        wanted, there = (" and ".join(WORDS[each] for each in WORDS if each in some) for some in (needed, splits))
        raise UserError(
            f"the protocol {preset!r} needs {wanted} answers, and {name} has {there or 'no'} answers only: choose another protocol"
        )
    return found


@dataclass(frozen=True)
class Under:
    """A benchmark of one's own under another protocol: everything else is the benchmark's."""

    oracle: Oracle
    preset: str
    search_split: Split
    report_split: Split

    @property
    def optimum(self) -> float | None:
        """The benchmark's, which is by the split that it reports; None where that is another one."""
        return optimum_of(self.oracle) if self.report_split == self.oracle.report_split else None

    @property
    def search_optimum(self) -> float | None:
        """The benchmark's, which is by the split that it searches; None where that is another one."""
        return search_optimum_of(self.oracle) if self.search_split == self.oracle.search_split else None

    @property
    def ranges(self) -> Mapping[str, tuple[float, float]]:
        """The benchmark's, which are by the split that it reports; none where that is another one."""
        return ranges_of(self.oracle) if self.report_split == self.oracle.report_split else {}

    def __getattr__(self, name: str) -> Any:
        if name == "oracle":  # not yet there, as in a copy that is being made
            raise AttributeError(name)
        return getattr(self.oracle, name)


def under(oracle: Oracle, preset: str) -> Oracle:
    """Return a benchmark of one's own under a protocol: its own, `paper` where it names none, or `validation`."""
    named = getattr(oracle, "preset", None)
    if named == preset or (named is not None and preset != VALIDATION):
        return oracle
    splits: tuple[Split, Split] = ("valid", "test")
    if preset != VALIDATION:
        preset, splits = PAPER, (oracle.search_split, oracle.report_split)
    return cast(Oracle, Under(oracle, preset, *splits))


def draw(keys: NDArray[np.int64], seed: int) -> NDArray[np.uint64]:
    """Return a random-looking 64-bit number for each key, the same for equal keys and seeds (SplitMix64), shape (N,)."""
    with np.errstate(over="ignore"):
        mixed = keys.astype(np.uint64) + np.uint64(seed % 2**64) * np.uint64(0x9E3779B97F4A7C15)
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
            mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
        return np.asarray(mixed ^ (mixed >> np.uint64(31)))
