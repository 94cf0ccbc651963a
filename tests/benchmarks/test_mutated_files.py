"""A thousand damaged official files, with a fixed seed: each is read, or refused in one sentence."""

import re
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest

from nadlab.benchmarks.convert import convert
from nadlab.benchmarks.oracle import Oracle, optimum_of
from nadlab.benchmarks.registry import archives, verify
from nadlab.benchmarks.table import tables
from nadlab.errors import UserError
from tests.benchmarks.mutations import damage, writers

FILES = 1_000
UNFORESEEN = r"cannot be read \(\w+(Error|Exception): "


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NADLAB_CACHE", str(tmp_path / "cache"))


def read(source: Path) -> None:
    """Do with a file what its user does: convert, verify, open, query."""
    openers: Iterable[Callable[[], Oracle]]
    if source.suffix == ".csv":
        openers = tables(source).values()
    else:
        path = source if source.suffix == ".safetensors" else convert(source, "x")
        preset = "naslib" if source.name.startswith("nb201") else "paper"  # NASLib's has no test accuracy
        openers = archives(path, preset).values()  # before it is verified, as a search does
        verify(path)
    for opener in openers:
        oracle = opener()
        cells = oracle.space.sample(3, np.random.default_rng(0))
        optimum = optimum_of(oracle)
        assert optimum is not None
        assert optimum >= 0
        assert len(oracle.evaluate(cells[oracle.queryable(cells)])) <= 3


@pytest.mark.slow
def test_each_format_is_read_as_it_is(tmp_path: Path) -> None:
    for name, write in writers().items():
        folder = tmp_path / name
        folder.mkdir()
        read(write(folder, lambda data: data))


@pytest.mark.slow
@pytest.mark.timeout(60)
def test_each_of_a_thousand_damaged_files_is_read_or_refused_in_one_sentence(tmp_path: Path) -> None:
    rng = np.random.default_rng(25)
    made, refused = writers(), 0
    for index in range(FILES):
        name = list(made)[index % len(made)]
        folder = tmp_path / "in"
        folder.mkdir()
        source = made[name](folder, damage(rng))
        try:
            read(source)
        except UserError as error:
            sentence = str(error)
            assert sentence.startswith(str(folder)), (name, sentence)
            assert "\n" not in sentence, (name, sentence)
            assert not re.search(UNFORESEEN, sentence), (name, sentence)
            refused += 1
        shutil.rmtree(folder)
    assert FILES / 2 < refused < FILES
    assert not list((tmp_path / "cache").glob("*.partial"))
