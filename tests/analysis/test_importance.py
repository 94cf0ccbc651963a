"""Hyperparameter importance of Optuna studies whose answer is known."""

from pathlib import Path

import optuna
import pytest

from nadlab.analysis.importance import find_tuning, importance
from nadlab.errors import UserError

optuna.logging.set_verbosity(optuna.logging.WARNING)


def tuned(trials: int) -> optuna.Study:
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=0))

    def accuracy(trial: optuna.Trial) -> float:
        x, y = trial.suggest_float("x", -1, 1), trial.suggest_float("y", -1, 1)
        rate = trial.suggest_float("rate", 1e-4, 1e-1, log=True)
        trial.suggest_float("idle", -1, 1)
        return 3 * x * y + 0 * rate

    study.optimize(accuracy, trials)
    return study


def test_pair_that_acts_only_together_is_found() -> None:
    found = importance(tuned(120))
    strongest = max(found.interactions, key=found.interactions.__getitem__)
    assert strongest == ("x", "y")
    assert found.interactions["x", "y"] > 0.7
    assert found.trials == 120


def test_importance_is_optunas_own_and_names_the_strong_hyperparameter() -> None:
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=0))
    study.optimize(lambda trial: trial.suggest_float("strong", 0, 1) + 0.1 * trial.suggest_float("weak", 0, 1), 60)
    found = importance(study)
    for shares in (found.fanova, found.ped_anova):
        assert shares["strong"] > 0.7 > shares["weak"]
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
    assert found.fanova == optuna.importance.get_param_importances(study, evaluator=evaluator)


def test_few_trials_are_refused() -> None:
    with pytest.raises(UserError, match=r"5 finished trials .* needs 16"):
        importance(tuned(5))


def test_study_of_a_folder_is_found_and_a_second_one_refused(tmp_path: Path) -> None:
    assert find_tuning(tmp_path) is None
    storage = f"sqlite:///{tmp_path / 'optuna.db'}"
    optuna.create_study(storage=storage, study_name="one").add_trial(optuna.trial.create_trial(value=1.0))
    found = find_tuning(tmp_path)
    assert found
    assert [trial.value for trial in found.trials] == [1.0]
    optuna.create_study(storage=storage, study_name="two")
    with pytest.raises(UserError, match="2 Optuna studies, one, two"):
        find_tuning(tmp_path)
