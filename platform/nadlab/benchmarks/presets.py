"""Protocols by name: the settings that two results on one benchmark must share to be comparable.

| preset | benchmark | a query answers with | judged by | runs | surrogate |
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

`paper`: SemiGAN-NAD's Appendices A and C (average of three runs; validation for the search and test as the result on
NAS-Bench-101; test throughout on NAS-Bench-201; only validation on NAS-Bench-301, whose noise it does not mention).
`naslib`: NASLib's `query` methods. NAS-Bench-101's API draws one of the three runs; on NAS-Bench-201 validation
answers for both metrics (how its pickle was made of the seeds is not stated: their mean is taken here); the
surrogate's `predict` keeps its default, noise. The embedded benchmarks follow what each says of NAS-Bench-101 (tables)
and NAS-Bench-301 (surrogates). The paper and NASLib know neither NAS-Bench-Graph nor AnalogNAS-Bench: `paper` searches
them as it does NAS-Bench-101 and -201. The paper does not know NATS-Bench's size space either; NASLib's
`natsbenchsize/graph.py` has it, with a mean over the seeds (`is_random=False`) and no validation on CIFAR-10, which here
is that of the training on the training half.

The data set is the benchmark's name: `nasbench201/cifar10` reads validation accuracy from the training on the
training half and test accuracy from the training on both halves, as the official API does; `nasbench201/cifar10-valid`
reads both from the training on the training half alone, as NASLib does.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from nadlab.benchmarks.oracle import Split
from nadlab.errors import UserError

Runs = Literal["mean", "one"]


@dataclass(frozen=True, slots=True)
class Protocol:
    """How a benchmark returns accuracies."""

    name: str
    search_split: Split
    report_split: Split
    runs: Runs
    """`mean` of an architecture's runs, or `one`, drawn per architecture by `seed` and then always the same"""
    noise: bool = False
    """whether a surrogate adds its ensemble's spread, drawn per architecture by `seed`"""
    seed: int = 0


PRESETS: dict[str, dict[str, Protocol]] = {
    "paper": {
        "nasbench101": Protocol("paper", "valid", "test", "mean"),
        "nasbench201": Protocol("paper", "test", "test", "mean"),
        "surrogate": Protocol("paper", "valid", "valid", "mean"),
        "mnist1d": Protocol("paper", "valid", "test", "mean"),
        "nasbenchgraph": Protocol("paper", "valid", "test", "mean"),
        "natssize": Protocol("paper", "valid", "test", "mean"),
    },
    "naslib": {
        "nasbench101": Protocol("naslib", "valid", "test", "one"),
        "nasbench201": Protocol("naslib", "valid", "valid", "mean"),
        "surrogate": Protocol("naslib", "valid", "valid", "mean", noise=True),
        "mnist1d": Protocol("naslib", "valid", "test", "one"),
        "natssize": Protocol("naslib", "valid", "test", "mean"),
    },
}
"""Preset -> search space, data set that has its own, or `surrogate` -> protocol."""


def protocol(preset: str, space_name: str, dataset: str = "") -> Protocol:
    """Return a preset's protocol on a data set; raise UserError that names the presets there are."""
    if preset not in PRESETS:
        raise UserError(f"unknown protocol {preset!r}: choose one of {', '.join(PRESETS)}")
    found = PRESETS[preset].get(dataset) or PRESETS[preset].get(space_name)
    if found is None:
        raise UserError(f"the protocol {preset!r} says nothing of tables of the space {space_name!r}")
    return found


def draw(keys: NDArray[np.int64], seed: int) -> NDArray[np.uint64]:
    """Return a random-looking 64-bit number for each key, the same for equal keys and seeds (SplitMix64), shape (N,)."""
    with np.errstate(over="ignore"):
        mixed = keys.astype(np.uint64) + np.uint64(seed % 2**64) * np.uint64(0x9E3779B97F4A7C15)
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
            mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
        return np.asarray(mixed ^ (mixed >> np.uint64(31)))
