"""What a package with benchmarks declares of itself, and its file as a benchmark."""

import hashlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nadlab.benchmarks.container import SUFFIX, Arrays, Container, open_container, save_container
from nadlab.benchmarks.files import read_file
from nadlab.benchmarks.oracle import Facts, Split
from nadlab.benchmarks.presets import Protocol, protocol
from nadlab.benchmarks.tabular import DECODE, Quantity, TableBenchmark
from nadlab.cache import cache_folder, made_once
from nadlab.spaces import space

KIND = "nadlab-package-1"
_LARGEST = 64 << 20
"""Bytes of a file; the largest has 5.6 MB."""


@dataclass(frozen=True, kw_only=True)
class Package:
    """A package on PyPI; the extra that installs it and its benchmarks `name/<dataset>` have its name."""

    name: str
    module: str
    space: str
    files: Mapping[str, str]
    """data set -> its file in the module's folder"""
    answers: Callable[[str], Mapping[Split, str]]
    """data set -> split -> the column that answers"""
    units: Mapping[str, str]
    """column -> its unit"""
    read: Callable[[bytes, Path], Arrays]
    """a file's bytes -> ascending `keys` and every column of `units`, (N,); raises UserError that names the file"""
    facts: Facts
    maximised: Collection[str] = ()
    """columns beside the answer of which more is better"""

    def rule(self, preset: str) -> Protocol:
        """Return the protocol of that name on these benchmarks; raise UserError when there is none."""
        return protocol(preset, self.name, self.answers(next(iter(self.files))), self.name, self.space)

    def open(self, path: Path, dataset: str, preset: str) -> TableBenchmark:
        """Open the benchmark of a data set; its digest is the SHA-256 of the package's file.

        The file is unpickled once for a machine: 0.25 to 1 second, then milliseconds. Raises UserError when it is
        damaged or of another form, the protocol is none for it, or the cache folder cannot be written to.
        """
        rule, data = self.rule(preset), read_file(path, _LARGEST)
        digest = hashlib.sha256(data).hexdigest()
        arrays = open_container(
            made_once(
                cache_folder() / "packages" / f"{KIND}-{digest}{SUFFIX}",
                lambda partial: save_container(Container(KIND, {}, self.read(data, path)), partial),
            )
        )[0].arrays
        answers = self.answers(dataset)
        runs: dict[Split, NDArray[Any]] = {split: arrays[column][:, None] for split, column in answers.items()}
        others = self.units.keys() - set(answers.values())
        return TableBenchmark(
            f"{self.name}/{dataset}",
            space(self.space),
            digest,
            rule,
            arrays["keys"],
            runs,
            lambda: DECODE[self.space](np.asarray(arrays["keys"])),
            self.facts,
            {
                column: Quantity(self.units[column], arrays[column], column in self.maximised)
                for column in sorted(others)
            },
        )
