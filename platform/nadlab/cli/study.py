"""The command of a study: options change its settings, levels and seeds."""

import inspect
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from nadlab.benchmarks.oracle import cost_of
from nadlab.benchmarks.registry import benchmark
from nadlab.cli.grammar import BASELINE, SET, VARY, assigned, factors_help, further_words, held, settings_help, varied
from nadlab.cli.options import seeds_of, study_command
from nadlab.cli.shared_options import OUTCOME, SMALLEST_EFFECT
from nadlab.errors import UserError
from nadlab.parameters.hyperparameters import INERT
from nadlab.provenance.hardware import has_bfloat16
from nadlab.study.cautions import fitted
from nadlab.study.levels import names, value_of
from nadlab.study.records import value_text
from nadlab.study.smoke import smoke
from nadlab.study.study import Study

if TYPE_CHECKING:
    from nadlab.engine.plans import StudyPlan

ABOUT = """
    Every seed is run at every level. You may stop the study at any time: the same command resumes it, and with more
    seeds or levels runs only what is missing. --out holds the report and MLflow's store.
    """


def command(study: Study) -> click.Command:
    """Return the click command of a study; its value is the exit status."""
    factor, levels = next(iter(study.vary.items()))
    two_levels = ",".join(map(value_text, levels[:2]))
    held_example = ("--set epochs=60",) if "epochs" in names(study.settings) and "epochs" not in study.vary else ()
    examples = (
        "--smoke", f"--seeds 10 --vary {factor}={two_levels}", *held_example, "--benchmark mnist1d-101 --seeds 0-9",
    )  # fmt: skip
    about = "\n\n".join(
        [inspect.cleandoc(ABOUT), factors_help(study), settings_help(study.settings, study.vary, "--set or --vary")]
    )
    return study_command(
        study, (VARY, SET, BASELINE, OUTCOME, SMALLEST_EFFECT), lambda given: _plan(study, given), about, examples
    )


def _plan(study: Study, given: dict[str, Any]) -> tuple["StudyPlan", Sequence[str]]:
    from nadlab.engine.plans import plan_study

    oracle = benchmark(given["benchmark"], given["protocol"])
    words = ["smoke"] if given["smoke"] else []
    bfloat16 = has_bfloat16(given["address"], given["gpus_per_trial"] if cost_of(oracle) is None else 0)
    own, named = smoke(study) if given["smoke"] else study, assigned("--vary", given["vary"])
    settings, changes = held(own.settings, given["set_"], {*own.vary, *named})
    chosen = varied(replace(own, settings=settings), given["vary"], given["baseline"])
    chosen = replace(
        chosen,
        outcomes=given["outcome"] or chosen.outcomes,
        smallest_effect=given["smallest_effect"] or (None if given["outcome"] else chosen.smallest_effect),
    )
    for name in assigned("--set", given["set_"]):
        if all(value_of(each, name) == INERT for each in chosen.configurations):
            raise UserError(f"--set {name} changes nothing: no trial of study {study.name} runs this method")
    chosen, said = fitted(chosen, oracle, bfloat16, named)
    chosen = replace(chosen, seeds=seeds_of(given, chosen.seeds), benchmark=oracle.name, protocol=oracle.preset)
    return plan_study(chosen, oracle, bfloat16, said), [*words, *further_words(chosen, own.vary), *changes]
