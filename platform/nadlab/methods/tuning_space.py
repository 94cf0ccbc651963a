"""The space over which a method may be tuned, as its fields declare it (`nadlab.parameters.hyperparameters.tunable`)."""

import typing

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from nadlab.errors import UserError
from nadlab.methods.registry import searcher
from nadlab.parameters.hyperparameters import Hyperparameter, Range, hyperparameters


def tuning_space(method: str) -> dict[str, BaseDistribution]:
    """Return `method.hyperparameter` -> Optuna's distribution, of those with a declared range.

    Raises UserError when the method is unknown or declares none.
    """
    declared = hyperparameters(searcher(method)).items()
    space = {f"{method}.{name}": _distribution(each, each.range) for name, each in declared if each.range}
    if not space:
        raise UserError(f"{method} has no setting with a declared range: there is nothing to tune")
    return space


def _distribution(declared: Hyperparameter, within: Range) -> BaseDistribution:
    if within.choices:
        return CategoricalDistribution(within.choices)
    if declared.kind is int or int in typing.get_args(declared.kind):
        return IntDistribution(int(within.low), int(within.high), log=within.log)
    return FloatDistribution(within.low, within.high, log=within.log)
