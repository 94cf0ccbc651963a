"""The checklist states what benchmark, settings and records declare; what they do not say, it does not claim."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from nadlab.analysis.evidence import Evidence
from nadlab.analysis.sections.checklist import checklist
from nadlab.benchmarks.container import facts_from
from nadlab.benchmarks.oracle import Facts
from nadlab.benchmarks.registry import benchmark
from nadlab.methods.registry import SEARCHERS, chosen_on
from nadlab.methods.request import SearchRequest
from nadlab.semigan.method import SemiGANNAD
from nadlab.semigan.settings import CHOSEN
from nadlab.study.records import Record, StudyRecord, Trial
from nadlab.study.study import study_record
from studies.ablate_additions import STUDY as ADDITIONS
from studies.ablate_alpha import STUDY
from studies.label_efficiency import STUDY as METHODS

CODE = "Released the code that trains the evaluated architectures"
DEPTH = "Used tabular or surrogate benchmarks for depth"
TIME = "Reported the time of the whole method, end to end"
TUNED = "Reported how hyperparameters were tuned, and its cost"
SETTINGS = "Released the method's hyperparameters and seeds"
CONFOUNDERS = "Controlled confounding factors"

RECORD = StudyRecord(
    "s", "?", "?", "module:class", "toy", "0" * 64, "paper", "valid", "test", 95.0, {}, {"alpha": 0.5}, "id"
)


def answers(study: StudyRecord, provenance: Any = None, **settings: Any) -> dict[str, tuple[str, str]]:
    """Return item -> answer and reason for a study with one finished trial."""
    trial = Trial(study.benchmark, study.digest, 0, settings or dict(study.default), "module:class")
    record = Record(trial, "FINISHED", {"best_reported": 94.0, "regret": 1.0}, [], [], 0.0, 1.0, provenance or {})
    section = checklist(Evidence(study, (record,), (), ()), np.random.default_rng(0))
    assert section
    return {item: (word, why) for item, word, why in section.tables[0].rows}


def of(name: str, study: Any = STUDY) -> dict[str, tuple[str, str]]:
    return answers(study_record(study, benchmark(name), "id"))


def test_cells_of_unknown_origin_are_claimed_for_nobody() -> None:
    for study in (RECORD, replace(RECORD, benchmark="mnist1d-of-my-own"), replace(RECORD, benchmark="nasbench201/x")):
        found = answers(study)
        assert found[CODE] == ("no", "The benchmark does not say who trained its cells or with which code.")
        assert found[DEPTH][0] == "no"
        assert found[DEPTH][1].endswith("does not say whether its answers are stored, predicted or trained.")
        assert "looked up" not in found[TIME][1]


@pytest.mark.parametrize(
    ("answer", "word", "says"),
    [
        ("stored", "yes", "returns stored trainings"),
        ("predicted", "yes", "returns the predictions of a surrogate"),
        ("trained", "no", "trains each network"),
    ],
)
def test_answers_are_called_what_the_benchmark_declares(answer: str, word: str, says: str) -> None:
    found = answers(replace(RECORD, answers=answer))
    assert found[DEPTH] == (word, f"toy {says}.")
    assert (answer in found[TIME][1]) == (answer != "trained")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("mnist1d-201", "stored trainings"),
        ("mnist1d-101", "predictions of a surrogate"),
        ("mnist1d-darts", "predictions of a surrogate"),
    ],
)
def test_embedded_benchmarks_say_by_their_own_files_who_trained_their_cells(name: str, says: str) -> None:
    found = of(name)
    assert found[CODE][0] == "yes"
    assert "trained by this project; recorded command: python studies/" in found[CODE][1]
    assert says in found[DEPTH][1]


@pytest.mark.usefixtures("data")
def test_table_of_means_does_not_say_who_trained_its_cells() -> None:
    assert of("nasbench201/toy")[CODE][0] == "no"


def test_converted_official_file_is_its_authors() -> None:
    assert facts_from("stored", {"source_sha256": "0", "origin": "x"}) == Facts("stored", "the benchmark's authors")
    assert facts_from("predicted", {}) == Facts("predicted")
    found = answers(replace(RECORD, trained_by="the benchmark's authors"))
    assert found[CODE] == (
        "partly",
        "The cells were trained by the benchmark's authors; the records don't name the code.",
    )


def test_benchmark_that_settings_were_chosen_on_is_marked() -> None:
    word, why = of("mnist1d-201")[TUNED]
    assert word == "partly"
    assert why.startswith(
        "How settings were chosen: SemiGAN-NAD's default settings: tuned on mnist1d-201, nasbench201/cifar10, including this benchmark"
    )
    assert "including this benchmark" not in of("mnist1d-101")[TUNED][1]
    assert "including this benchmark" in of("mnist1d-101", ADDITIONS)[TUNED][1]
    assert "SemiGAN-NAD's sequential settings but for final_k, labels:" in of("mnist1d-101", ADDITIONS)[TUNED][1]


def test_methods_with_published_settings_and_ones_own_are_told_apart() -> None:
    why = of("mnist1d-101", METHODS)[TUNED][1]
    assert "random-search, " in why
    assert ": published settings" in why
    assert "semigan-nad-sequential: tuned on " in why
    own = replace(RECORD, chosen_on={"lab:Method": None, "bananas": []})
    assert answers(own)[TUNED][0] == "no"
    assert "lab:Method: not known; bananas: published" in answers(own)[TUNED][1]
    assert answers(RECORD)[TUNED][1].startswith("The records don't say how the settings were chosen")


def test_every_preset_and_method_declares_where_it_was_chosen() -> None:
    presets = {method.settings for method in SEARCHERS.values() if isinstance(method, SemiGANNAD)}
    assert {settings for settings, _ in CHOSEN.values()} == presets
    assert all(chosen_on(method) is not None for method in SEARCHERS)
    assert chosen_on("lab:Method") is None
    assert SearchRequest(method="semigan-nad").chosen_on(()) == {"semigan-nad": CHOSEN["default"][1]}


def test_versions_that_no_record_holds_are_not_called_equal() -> None:
    word, why = answers(RECORD, {"python": "3.11", "host": "one"})[CONFOUNDERS]
    assert word == "no"
    assert "torch" in why
    keys = ("python", "torch", "numpy", "ray", "nadlab", "host", "cpus", "git_revision")
    assert answers(RECORD, dict.fromkeys(keys, "1"))[CONFOUNDERS][0] == "yes"


def test_settings_of_a_method_by_name_are_not_called_recorded() -> None:
    study = replace(RECORD, default={"method": "nao"})
    assert answers(study, method="nao", queries=20)[SETTINGS][0] == "partly"
    assert answers(study, None, **{"method": "nao", "nao.width": 3})[SETTINGS][0] == "yes"
    assert answers(RECORD)[SETTINGS][0] == "yes"
