"""`nadlab benchmarks fetch | convert | verify | show`: official files become archives in the cache folder."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from nadlab.cli.command_line import echo_json, json_option
from nadlab.errors import UserError

TRAINED_ON = {"mnist1d-": "mnist1d", "nasbench101": "cifar10", "nasbench301": "cifar10", "analog-nasbench/": "cifar10"}
"""first letters of a benchmark's name -> data set, where the name has none behind its slash"""


@click.command()
@click.argument("name")
@click.option("--keep-download", is_flag=True, help="keep the official file beside the archive")
def fetch(name: str, keep_download: bool) -> None:
    """Download a benchmark's official file, check it and convert it; an interrupted download resumes.

    \b
    Names: nasbench101, nasbench101-full, nasbench201, nasbench301-v0.9, nasbench301-v1.0
    """
    from nadlab.benchmarks.container import SUFFIX
    from nadlab.benchmarks.convert import convert
    from nadlab.benchmarks.download import download, official
    from nadlab.benchmarks.registry import archives
    from nadlab.cache import cache_folder, is_there, locked

    found, url = official(name)
    archive = cache_folder() / f"{found.name}{SUFFIX}"
    source = cache_folder() / "downloads" / found.file
    with locked(source.with_suffix(".fetch")):  # another process finds the archive, not a file that is gone
        if not is_there(archive):
            archive = convert(download(url, source, found.sha256), found.name, url)
            if not keep_download:
                source.unlink(missing_ok=True)
    archives(archive)  # one that lay there before may be damaged
    click.echo(f"{name} is ready: {archive}")


@click.command("convert")
@click.argument("source", type=click.Path(path_type=Path))
@click.option("--name", help="name of the benchmark  [default: the format's]")
def convert_command(source: Path, name: str | None) -> None:
    """Convert a downloaded official file or unpacked folder into an archive that opens in milliseconds.

    \b
    Files:
      NAS-Bench-101  nasbench_only108.tfrecord, nasbench_full.tfrecord
      NAS-Bench-201  NAS-Bench-201-v1_1-096897.pth
      NATS-Bench     NATS-tss-v1_0-3ffb9 (topology), NATS-sss-v1_0-50262 (size):
                     -simple.tar, the folder that it unpacks to, or .pickle.pbz2
      NAS-Bench-301  nasbench301_models_v1.0.zip, or the folder
      NASLib         nb201_..._full_training.pickle, nasbench_only108.pkl
    """
    from nadlab.benchmarks.convert import convert, found_in

    path = convert(source, name)
    click.echo(f"converted: {path}")
    for line in found_in(path):
        click.echo(f"  {line}")


@click.command()
@click.argument("names", nargs=-1)
def verify(names: tuple[str, ...]) -> int:
    """Check every byte of the named archives in the cache folder, or of all. Exit status 2 when one is damaged."""
    from nadlab.benchmarks.registry import verify as verify_file

    status = 0
    for path in _chosen(names):
        try:
            click.echo(f"{path.stem}: intact, digest {verify_file(path)}")
        except UserError as error:
            click.echo(f"error: {error}", err=True)
            status = 2
    return status


@click.command()
@click.argument("name")
@json_option("everything as one JSON object")
def show(name: str, as_json: bool) -> None:
    """Show the content of an archive: space, data sets, budgets, provenance, digest, arrays and their shapes."""
    from nadlab.benchmarks.container import open_container

    (path,) = _chosen((name,))
    container, digest = open_container(path)
    facts = {
        "name": path.stem,
        "file": str(path),
        "megabytes": round(path.stat().st_size / 1e6, 1),
        "digest": digest,
        **container.facts,
        "arrays": {key: list(array.shape) for key, array in sorted(container.arrays.items())},
    }
    if as_json:
        echo_json(facts)
        return
    for key, value in facts.items():
        if isinstance(value, dict):
            click.echo(f"{key}:")
            for inner, detail in value.items():
                click.echo(f"  {inner:<40} {detail}")
        else:
            click.echo(f"{key + ':':<12} {value}")


def _chosen(names: tuple[str, ...]) -> list[Path]:
    from nadlab.benchmarks.container import SUFFIX
    from nadlab.cache import cache_folder

    folder = cache_folder()
    try:
        found = [path for path in sorted(folder.iterdir()) if path.suffix == SUFFIX] if folder.exists() else []
    except OSError as error:
        raise UserError(f"{folder} cannot be listed ({error.strerror}): set $NADLAB_CACHE to another folder") from error
    present = {path.stem: path for path in found if path.name.isprintable() and not path.name.startswith(".")}
    missing = [name for name in names if name not in present]
    if missing or not present:
        there = f"it has {', '.join(present)}" if present else "it has none"
        raise UserError(
            f"no archive {', '.join(missing) or 'at all'} in {folder}: {there}; get one with `nadlab benchmarks fetch NAME` or `convert FILE`"
        )
    return [present[name] for name in names or present]


def readable_benchmarks(protocol: str) -> tuple[list[dict[str, Any]], list[str]]:
    """Open every benchmark of this machine under a protocol; return a row for each, and a line for each file that cannot be read."""
    from nadlab.benchmarks.oracle import facts_of, metric_of, optimum_of
    from nadlab.benchmarks.presets import PRESETS
    from nadlab.benchmarks.registry import listing

    known = listing(protocol)
    others = {each: listing(each).found for each in PRESETS if each != protocol}
    rows: list[dict[str, Any]] = []
    left_out = list(known.left_out.values())
    for name, (path, opener) in known.found.items():
        try:
            oracle = opener()
            optimum = optimum_of(oracle)
            facts: dict[str, Any] = {
                "space": oracle.space.name,
                "data_set": data_set(name),
                "kind": facts_of(oracle).answers,
                "cells": oracle.space.size,
                "queryable": oracle.queryable_count,
                "optimum": optimum,
                "unit": metric_of(oracle).unit,
                "protocols": [each for each in PRESETS if each == protocol or _opens(name, others[each])],
                "digest": oracle.digest,
            }
            extras = {extra: quantity.unit for extra, quantity in getattr(oracle, "extras", {}).items()}
            facts |= {"source": str(path), "report_split": oracle.report_split}
            rows.append({"name": name, "protocol": protocol, **facts, "extras": extras})
        except UserError as error:
            left_out.append(str(error))
    lines = (" ".join(line.split()) for line in dict.fromkeys(left_out))
    return rows, [line if line.isprintable() else ascii(line) for line in lines]


def _opens(name: str, found: Mapping[str, tuple[Path, Callable[[], object]]]) -> bool:
    """Return whether a benchmark has what a protocol needs: found are those that its listing names."""
    try:
        return name in found and found[name][1]() is not None
    except UserError:
        return False


def data_set(name: str) -> str:
    """Return the data set that a benchmark's cells were trained on, by its name; empty where that does not say."""
    known = next((of for stem, of in TRAINED_ON.items() if name.startswith(stem)), "")
    return known or name.partition("/")[2]


def for_people(row: dict[str, Any]) -> dict[str, Any]:
    """Return a benchmark's row with a short source and its optimum's unit, without what `--json` alone has."""
    from nadlab.benchmarks.packages.installed import PACKAGES
    from nadlab.benchmarks.registry import EMBEDDED

    source, package = row["source"], row["name"].partition("/")[0]
    if Path(source).parent == EMBEDDED:
        source = "embedded"
    elif package in (each.name for each in PACKAGES):
        source = "pip"  # its name begins with the package's
    optimum = "" if row["optimum"] is None else f"{row['optimum']:.2f} {row['unit']}".rstrip()
    hidden = ("protocol", "report_split", "extras", "digest", "unit", "cells")
    shown = {column: value for column, value in row.items() if column not in hidden}
    return shown | {"optimum": optimum, "protocols": ", ".join(row["protocols"]), "source": source}


def missing(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Return a line for each benchmark of the paper that the rows lack, or that lacks test accuracies: how to get it."""
    from nadlab.benchmarks.download import how_to_get
    from nadlab.study.published import TABLE_1, TABLE_2, TABLE_3

    there = {row["name"]: row["report_split"] for row in rows}
    lines = []
    for number, table in enumerate((TABLE_1, TABLE_2, TABLE_3), start=1):
        for name in table[0].accuracies:
            lacks_test = number == 1 and there.get(name) == "valid"
            if name not in there or lacks_test:
                what = f"{name}'s test accuracies" if lacks_test else name
                lines.append(f"{what} (Table {number} of the paper): {how_to_get(name)}")
    return lines


COMMANDS = (fetch, convert_command, verify, show)
