"""The NAS best practice checklist of Lindauer and Hutter (JMLR 2020), answered from the records alone.

An answer is `no` unless the records show more.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from nadlab.analysis.evidence import Evidence
from nadlab.analysis.sections.content import Section, Table
from nadlab.analysis.statistics.comparisons import fewest_seeds
from nadlab.analysis.text import settings_text
from nadlab.benchmarks.files import short_digest

VERSIONS = ("python", "torch", "numpy", "ray", "nadlab")


class Answer(NamedTuple):
    """The answer to one item."""

    word: str
    """yes, partly, no"""
    why: str


def checklist(evidence: Evidence, _rng: np.random.Generator) -> Section | None:
    """Return every item with its answer."""
    if not evidence.groups:
        return None
    answers = [(item, answer(evidence)) for item, answer in ITEMS]
    table = Table(
        "checklist",
        ("item", "answer", "what the records say"),
        tuple((item, answer.word, answer.why) for item, answer in answers),
        "Items after Lindauer and Hutter, Best Practices for Scientific Research on Neural Architecture Search, JMLR 2020.",
    )
    counts = {word: sum(answer.word == word for _, answer in answers) for word in ("yes", "partly", "no")}
    said = ", ".join(f"{count} {word}" for word, count in counts.items() if count) + f" of {len(answers)} items."
    return Section("Best practice", (said,), (), (table,), folded=True)


def _evaluation_code(evidence: Evidence) -> Answer:
    study = evidence.study
    if not study.trained_by:
        return Answer("no", "The benchmark does not say who trained its cells or with which code.")
    if study.training_code:
        return Answer("yes", f"The cells were trained by {study.trained_by}; recorded command: {study.training_code}.")
    return Answer("partly", f"The cells were trained by {study.trained_by}; the records don't name the code.")


def _code(evidence: Evidence) -> Answer:
    revisions = evidence.provenance("git_revision")
    if any(value == "unknown" or value.endswith("+dirty") for value in revisions):
        return Answer("no", "Some trials ran on uncommitted code.")
    if len(revisions) > 1:
        return Answer("partly", f"Committed, but the trials come from {len(revisions)} revisions.")
    return Answer("yes", f"Every trial ran at commit {revisions[0][:12]}.")


def _same_benchmark(evidence: Evidence) -> Answer:
    tables = {(record.trial.benchmark, record.trial.digest) for record in evidence.records}
    if len(tables) == 1:
        return Answer("yes", f"One table, digest {short_digest(evidence.study.digest)}, for every trial.")
    return Answer("no", f"The trials used {len(tables)} tables.")


def _confounders(evidence: Evidence) -> Answer:
    missing = [key for key in (*VERSIONS, "host", "cpus", "git_revision") if "unknown" in evidence.provenance(key)]
    if missing:
        return Answer("no", f"Some records don't hold {', '.join(missing)}.")
    mixed = [key for key in (*VERSIONS, "host", "cpus", "git_revision") if len(evidence.provenance(key)) > 1]
    if mixed:
        return Answer("no", f"Trials differ in {', '.join(mixed)}.")
    return Answer("yes", "One machine, one set of versions, one revision.")


def _ablations(evidence: Evidence) -> Answer:
    if "method" in evidence.varied:
        return Answer("no", "This study compares methods; ablations are other studies.")
    if evidence.varied:
        return Answer("yes", f"It varies {', '.join(evidence.varied)} and holds the rest.")
    return Answer("no", "Nothing was varied.")


def _protocol(evidence: Evidence) -> Answer:
    budgets = {len(record.ledger) for group in evidence.groups.values() for record in group}
    study = evidence.study
    same = f"All are searched by {study.searched_by} and reported by {study.reported_by} {study.measured.name}"
    if evidence.study.search_split == evidence.study.report_split == "test":
        return Answer("partly", f"{same}: the same for all, but the searched split is also the reported one.")
    if len(budgets) > 1 and not {"queries", "labels", "final_k"} & set(evidence.varied):
        return Answer("partly", f"{same}, but budgets run from {min(budgets)} to {max(budgets)} queries.")
    return Answer("yes", f"{same}; every query goes through one counted ledger.")


def _repeats(evidence: Evidence) -> Answer:
    counts = [len(group) for group in evidence.groups.values()]
    seeds = sorted({record.trial.seed for record in evidence.records})
    least = fewest_seeds(max(1, len(counts) - 1))
    words = f"{min(counts)} to {max(counts)}" if min(counts) < max(counts) else f"{counts[0]}"
    said = f"{words} seeds per level, from {seeds[0]} to {seeds[-1]}"
    if min(counts) < 2:
        return Answer("no", f"{said}.")
    if min(counts) < least:
        return Answer("partly", f"{said}; a significant difference needs {least}.")
    return Answer("yes", f"{said}, all listed below.")


def _tuning(evidence: Evidence) -> Answer:
    if evidence.study.is_tuning:
        return Answer("yes", f"This study is the tuning; it took the {len(evidence.records)} trials below.")
    chosen = evidence.study.chosen_on
    if not chosen:
        return Answer("no", "The records don't say how the settings were chosen or what that cost.")
    return Answer(
        "no" if None in chosen.values() else "partly",
        f"{settings_text(evidence.study)} The cost is not in the records.",
    )


def _hyperparameters(evidence: Evidence) -> Answer:
    count = f"({len(evidence.records)} records)"
    names = {name for record in evidence.records for name in record.trial.settings}
    if "method" in names and not any("." in name for name in names):
        return Answer(
            "partly", f"Every record holds method and seed {count}; a method's settings are those of the code."
        )
    return Answer("yes", f"Every record holds its settings and seed {count}.")


def _depth(evidence: Evidence) -> Answer:
    words = {"stored": "returns stored trainings", "predicted": "returns the predictions of a surrogate"}
    name, answers = evidence.study.benchmark, evidence.study.answers
    if answers in words:
        return Answer("yes", f"{name} {words[answers]}.")
    if answers == "trained":
        return Answer("no", f"{name} trains each network.")
    return Answer("no", f"{name} does not say whether its answers are stored, predicted or trained.")


def _details(evidence: Evidence) -> Answer:
    failed = sum(record.status != "FINISHED" for record in evidence.records)
    if failed:
        said = "Settings, versions and machine are below"
        return Answer("partly", f"{said}; {failed} trials failed or were stopped and are left out.")
    return Answer("yes", "Settings, versions, machine and every trial are below.")


def _over_time(evidence: Evidence) -> Answer:
    if all(record.ledger for group in evidence.groups.values() for record in group):
        return Answer("yes", "Regret by query is above; wall-clock time is not compared.")
    return Answer("no", "Some trials have no ledger of queries.")


def _random_search(evidence: Evidence) -> Answer:
    if any(record.trial.settings.get("method") == "random-search" for record in evidence.records):
        return Answer("yes", "Random search ran on the same table and seeds.")
    return Answer("no", "Random search is not among the trials of this study.")


def _end_to_end(evidence: Evidence) -> Answer:
    names = sorted({name for record in evidence.records for name in record.metrics if name.endswith("seconds")})
    measured = f"Measured: {', '.join(names)}. " if names else ""
    free = evidence.study.answers in ("stored", "predicted")
    why = f"is {evidence.study.answers}, so its time is not in the records" if free else "is not timed by itself"
    return Answer("no", f"{measured}The training of the queried cells {why}.")


ITEMS: tuple[tuple[str, Callable[[Evidence], Answer]], ...] = (
    ("Released the code that trains the evaluated architectures", _evaluation_code),
    ("Released the code of the search space and of the method", _code),
    (
        "Released the settings and seeds of the final evaluation",
        lambda _: Answer("no", "The records name the table by its digest, not the settings of its cells' training."),
    ),
    (
        "Released the method's hyperparameters and seeds",
        _hyperparameters,
    ),
    ("Compared on exactly the same benchmark", _same_benchmark),
    ("Controlled confounding factors", _confounders),
    ("Ran ablations", _ablations),
    ("Used the same evaluation protocol for all", _protocol),
    ("Compared performance over time", _over_time),
    ("Compared with random search", _random_search),
    ("Ran several seeds and reported them", _repeats),
    (
        "Used tabular or surrogate benchmarks for depth",
        _depth,
    ),
    ("Reported how hyperparameters were tuned, and its cost", _tuning),
    ("Reported the time of the whole method, end to end", _end_to_end),
    ("Reported all details of the setup", _details),
)
