"""Hyperparameter importance of Optuna studies whose answer is known."""

import optuna
import pytest

from nadlab.analysis.statistics.importance import importance
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
    assert found.fanova == evaluator.evaluate(study)


def test_variance_that_settings_explain_together_alone_belongs_to_none_of_them() -> None:
    assert sum(importance(tuned(120)).fanova.values()) < 0.7


def test_equal_results_have_no_importance() -> None:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    study.optimize(lambda trial: 94.37 + 0 * trial.suggest_float("x", 0, 1) * trial.suggest_float("y", 0, 1), 16)
    with pytest.raises(UserError, match=r"the 16 finished trials .* all have the same result"):
        importance(study)


def test_few_trials_are_refused() -> None:
    with pytest.raises(UserError, match=r"5 finished trials .* needs at least 16"):
        importance(tuned(5))
