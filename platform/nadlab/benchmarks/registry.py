"""Benchmarks by name: embedded ones, tables in `$NADLAB_DATA` or `../shared/data`, archives in the cache folder, extras of pip.

A name leads to its own file, so a search opens no other; a listing says of every other file why it is left out. An
archive replaces a table of the same name, since it also holds every run. A name `module:function` is a plugin: the
function gets the name and returns an `Oracle` with that name. `train:SOURCE` trains (`nadlab.benchmarks.training`).
"""

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

from nadlab.benchmarks.archive import check_values, open_archive
from nadlab.benchmarks.container import SUFFIX, open_container
from nadlab.benchmarks.oracle import Oracle, facts_of, optimum_of
from nadlab.benchmarks.packages.installed import absent, packaged, uncovered
from nadlab.benchmarks.packages.own import own_benchmark
from nadlab.benchmarks.presets import check_protocol
from nadlab.benchmarks.surrogates import surrogate
from nadlab.benchmarks.table import SAMPLE, tables
from nadlab.benchmarks.tabular import open_benchmark
from nadlab.cache import cache_folder
from nadlab.errors import UserError, did_you_mean
from nadlab.plugins import TRAINING, is_plugin

EMBEDDED = Path(__file__).parent / "embedded"
"""Archives that the package holds, made by `studies/mnist1d/embed.py`."""
NAMED = 6
"""benchmarks that an error names; `nadlab benchmarks` lists all"""
_LOOKS_LIKE_ONE = re.compile(r"\.(csv|tsv|safetensors)(\.\w+|~)?$", re.IGNORECASE)

Opener = Callable[[], Oracle]


@dataclass(frozen=True)
class _Place:
    """A folder of benchmark files."""

    folder: Path
    suffix: str
    rule: str
    """what a file there must be, for files that only look like one"""
    names: Callable[[Path], Mapping[str, Opener]]
    """a file -> name -> opener of every benchmark in it, by its header; raises UserError"""

    def files(self, name: str) -> list[Path]:
        """Return the files that may hold a benchmark of that name."""
        stem = name.partition("/")[0]
        stems = dict.fromkeys((stem, stem + SAMPLE)) if self.suffix == ".csv" else (stem,)
        paths = [self.folder / f"{each}{self.suffix}" for each in stems if each and not each.startswith(".")]
        return [path for path in paths if os.path.lexists(path)]


@dataclass(frozen=True)
class Listing:
    """What a machine has."""

    found: dict[str, tuple[Path, Opener]]
    left_out: dict[Path, str]
    """file or folder -> a sentence that says why it cannot be read"""


def data_folder() -> Path | None:
    """Return the folder of downloaded tables, or None; raise UserError when $NADLAB_DATA names no folder."""
    named = os.environ.get("NADLAB_DATA")
    if named:
        if not os.path.isdir(named):
            raise UserError(
                f"$NADLAB_DATA is {named!r}, which is not a folder: unset it or name the folder of your tables"
            )
        return Path(named)
    beside = Path(__file__).parents[4] / "shared" / "data"
    return beside if os.path.isdir(beside) else None


def archives(path: Path, preset: str = "paper") -> dict[str, Opener]:
    """Return name -> opener of every benchmark in an archive or surrogate; raises UserError that names a damaged file.

    A file `nasbench201.safetensors` gives `nasbench201/<dataset>`; with one data set its stem alone is the name.
    """
    if open_container(path)[0].kind == surrogate.KIND:
        return {path.stem: partial(surrogate.open_surrogate, path, path.stem, preset)}
    datasets = list(open_archive(path)[0].answers)
    names = {each: path.stem if len(datasets) == 1 else f"{path.stem}/{each}" for each in datasets}
    return {name: partial(open_benchmark, path, dataset, name, preset) for dataset, name in names.items()}


def listing(preset: str = "paper") -> Listing:
    """Return every benchmark of this machine under a protocol, and what had to be left out.

    Headers alone are read. Raises UserError for an unknown protocol.
    """
    found: dict[str, tuple[Path, Opener]] = {}
    left_out: dict[Path, str] = {}
    for place in _places(preset):
        here: dict[str, tuple[Path, Opener]] = {}
        for path in _visible(place, left_out):
            try:
                for name, opener in _names(place, path).items():
                    if name in here:
                        raise UserError(_twice(name, here.pop(name)[0], path))
                    here[name] = (path, opener)
            except UserError as error:
                left_out[path] = str(error)
        found |= here
    refused = uncovered(preset)
    found |= {name: each for name, each in packaged(preset).items() if name.partition("/")[0] not in refused}
    return Listing(found, left_out | {Path(name): reason for name, reason in refused.items()})


def sources(preset: str = "paper") -> dict[str, tuple[Path, Opener]]:
    """Return name -> (file, opener) of every benchmark that `listing` finds."""
    return listing(preset).found


def verify(path: Path) -> str:
    """Verify the digest and the content of a container, and return the digest.

    Raises UserError that says what is wrong.
    """
    container, digest = open_container(path)
    if container.digest() != digest:
        raise UserError(f"{path} differs from what was written (wrong digest): convert the official file again")
    if container.kind == surrogate.KIND:
        surrogate.open_surrogate(path, path.stem)
    else:
        open_archive(path)
        check_values(path, container.arrays)
    return digest


def refuse_held_out(oracle: Oracle) -> None:
    """Raise UserError when no setting may be chosen on a benchmark."""
    if facts_of(oracle).held_out:
        raise UserError(
            f"no setting is chosen on {oracle.name}: it is held out for reporting; tune on another benchmark"
        )


def check_optima(names: Iterable[str], protocol: str = "paper") -> None:
    """Raise UserError when a benchmark can't be opened, or does not know its optimum."""
    for name in names:
        if optimum_of(benchmark(name, protocol)) is None:
            raise UserError(f"{name} has no known optimum, so its regret cannot be computed: choose another benchmark")


@cache
def benchmark(name: str, protocol: str = "paper") -> Oracle:
    """Open a benchmark under a protocol: `paper`, `validation` or `naslib` (`nadlab.benchmarks.presets`).

    No file but its own is opened. Raises UserError when that file is damaged or has not what the protocol needs, or that lists the names when there is none of that name.
    """
    if is_plugin(name):
        return own_benchmark(name, protocol)
    if name.startswith(TRAINING):
        from nadlab.benchmarks.training.benchmark import training_benchmark  # late: torch takes seconds

        return training_benchmark(name, protocol)
    places = list(_places(protocol))
    if name in (extras := packaged(protocol)):
        return extras[name][1]()
    for place in reversed(places):
        hits: list[tuple[Path, Opener]] = []
        refused: list[UserError] = []
        for path in place.files(name):
            try:
                hits += [(path, opener) for found, opener in _names(place, path).items() if found == name]
            except UserError as error:
                refused.append(error)
        if len(hits) > 1:
            raise UserError(_twice(name, hits[0][0], hits[1][0]))
        if hits:
            return hits[0][1]()
        if refused:
            raise refused[0]
    known = listing(protocol)
    stem = name.partition("/")[0].lower()
    near = [sentence for path, sentence in known.left_out.items() if stem and path.name.lower().startswith(stem)]
    from nadlab.benchmarks.download import how_to_get  # late: requests would slow down every command

    official = how_to_get(name)
    others = len(known.found) - NAMED
    listed = ", ".join([*list(known.found)[:NAMED], *([f"{others} more (`nadlab benchmarks`)"] if others > 0 else [])])
    raise UserError(
        f"unknown benchmark {name!r}: {f'{official}; ' if official else did_you_mean(name, known.found)}choose from those on this machine, {listed}; "
        "others are looked up in $NADLAB_DATA, are downloaded with `nadlab benchmarks fetch`, "
        + "".join(f"are installed with `pip install 'nadlab[{extra}]'`, " for extra in absent())
        + "are trained as train:SOURCE, or are your own module:function"
        + "".join(f"; {sentence}" for sentence in near)
    )


def _places(preset: str) -> Iterator[_Place]:
    """Yield the folders, later ones before earlier ones for the same name."""
    check_protocol(preset)
    opened = partial(archives, preset=preset)
    rule = f"an archive here is a file NAME{SUFFIX}, and a table NAME.csv belongs in $NADLAB_DATA"
    yield _Place(EMBEDDED, SUFFIX, rule, opened)
    folder = data_folder()
    if folder:
        table_rule = f"a table here is an unpacked file NAME.csv in small letters, with commas between its columns, and an archive NAME{SUFFIX} belongs in $NADLAB_CACHE"
        yield _Place(folder, ".csv", table_rule, partial(tables, preset=preset))
    yield _Place(cache_folder(), SUFFIX, rule, opened)


def _visible(place: _Place, left_out: dict[Path, str]) -> Iterator[Path]:
    """Yield the files to open; hidden ones are nobody's tables, such as those that macOS adds."""
    try:
        paths = sorted(place.folder.iterdir())
    except FileNotFoundError:
        return
    except OSError as error:
        left_out[place.folder] = (
            f"{place.folder} cannot be listed ({error.strerror}): make it a readable folder, or set $NADLAB_CACHE or $NADLAB_DATA to another"
        )
        return
    for path in paths:
        if path.name.startswith("."):
            continue
        if path.suffix == place.suffix:
            yield path
        elif _LOOKS_LIKE_ONE.search(path.name):
            left_out[path] = f"{path} is not read: {place.rule}"


def _names(place: _Place, path: Path) -> Mapping[str, Opener]:
    names = place.names(path) if path.name.isprintable() else {}
    if not names or not all(name.isprintable() for name in names):
        raise UserError(
            f"{str(path)!a} is left out: characters that cannot be printed are in its name, or in a data set's; rename it"
        )
    return names


def _twice(name: str, one: Path, other: Path) -> str:
    return f"{other} and {one.name} both hold the benchmark {name}: move one of them away"
