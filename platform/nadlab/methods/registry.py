"""Search methods by name: each is called as `searcher(ledger, rng)` and spends the ledger's budget."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

import numpy as np

from nadlab.errors import UserError, did_you_mean
from nadlab.parameters.hyperparameters import Hyperparameter, hyperparameters, with_values
from nadlab.parameters.values import Value
from nadlab.plugins import check_call, instance, is_plugin, load_object
from nadlab.queries.ledger import BudgetSpent, QueryLedger
from nadlab.searchers.ag_net import AGNet
from nadlab.searchers.arch2vec import Arch2vecBO, Arch2vecRL
from nadlab.searchers.bananas import BANANAS
from nadlab.searchers.baselines.random_forest import RandomForest
from nadlab.searchers.bayesian_optimisation import BayesianOptimisation
from nadlab.searchers.fidelities.hyperband import Hyperband
from nadlab.searchers.fidelities.semigan_nad import LowFidelitySemiGANNAD
from nadlab.searchers.ga_nas import GANAS
from nadlab.searchers.local_search import LocalSearch
from nadlab.searchers.nao import NAO
from nadlab.searchers.objectives.nsga2 import NSGA2
from nadlab.searchers.pre_nas import PRENAS
from nadlab.searchers.random_search import random_search
from nadlab.searchers.regularized_evolution import RegularizedEvolution
from nadlab.searchers.reinforce import Reinforce
from nadlab.searchers.seminas import SemiNAS
from nadlab.semigan.method import SemiGANNAD
from nadlab.semigan.settings import (
    CHOSEN,
    GENERATOR_LIKELIHOOD,
    PAPER,
    PAPER_T,
    PREDICTOR_POOL,
    PREDICTOR_SEMI,
    PREDICTOR_SEQUENTIAL,
    SEQUENTIAL,
)

Searcher = Callable[[QueryLedger, np.random.Generator], None]

SEARCHERS: dict[str, Searcher] = {
    "random-search": random_search,
    "regularized-evolution": RegularizedEvolution(),
    "local-search": LocalSearch(),
    "reinforce": Reinforce(),
    "random-forest": RandomForest(),
    "bayesian-optimisation": BayesianOptimisation(),
    "bananas": BANANAS(),
    "nao": NAO(),
    "seminas": SemiNAS(),
    "arch2vec-rl": Arch2vecRL(),
    "arch2vec-bo": Arch2vecBO(),
    "ga-nas": GANAS(),
    "ag-net": AGNet(),
    "pre-nas": PRENAS(),
    "nsga-ii": NSGA2(),
    "successive-halving": Hyperband(brackets=1),
    "hyperband": Hyperband(),
    "predictor-pool": SemiGANNAD(PREDICTOR_POOL),
    "predictor-sequential": SemiGANNAD(PREDICTOR_SEQUENTIAL),
    "predictor-semi": SemiGANNAD(PREDICTOR_SEMI),
    "generator-likelihood": SemiGANNAD(GENERATOR_LIKELIHOOD),
    "semigan-nad": SemiGANNAD(),
    "semigan-nad-paper": SemiGANNAD(PAPER, PAPER_T),
    "semigan-nad-sequential": SemiGANNAD(SEQUENTIAL),
    "semigan-nad-fidelities": LowFidelitySemiGANNAD(),
}
SEMIGAN = (SemiGANNAD, LowFidelitySemiGANNAD)
MULTI_FIDELITY = (Hyperband, LowFidelitySemiGANNAD)
"""what needs a benchmark with several fidelities"""

_NOT_COMPARED = ("semigan-nad-paper", "nsga-ii", "predictor-semi", "generator-likelihood")
COMPARED = tuple(
    name for name, method in SEARCHERS.items() if name not in _NOT_COMPARED and not isinstance(method, MULTI_FIDELITY)
)
"""The methods of studies of all methods: the paper's setting trains on the whole space, on NAS-Bench-101 for an hour, NSGA-II is
the baseline for several objectives, of the parts of SemiGAN-NAD PP alone is a rival, and most benchmarks have one fidelity."""


def chosen_on(method: str) -> Sequence[str] | None:
    """Return the benchmarks on which a method's settings were chosen; empty for published ones, None for your own methods."""
    found = SEARCHERS.get(method)
    if isinstance(found, SEMIGAN):
        return next(benchmarks for settings, benchmarks in CHOSEN.values() if settings == found.settings)
    return None if found is None else ()


def searcher(method: str) -> Searcher:
    """Return a method by name, or by `module:object` one of your own, with its default settings.

    A class is called without arguments. Raises UserError when there is none, or it can't be called as a method.
    """
    if not is_plugin(method):
        if method not in SEARCHERS:
            meant = did_you_mean(method, SEARCHERS)
            raise UserError(
                f"unknown method {method!r}: {meant}choose from {', '.join(SEARCHERS)}, or name your own module:object"
            )
        return SEARCHERS[method]
    made: Searcher = instance(method, load_object(method))
    check_call(method, made, "ledger", "rng")
    return made


def split_name(name: str) -> tuple[str, str]:
    """Return method and hyperparameter of `bananas.ensemble` or `climb:Climb.steps`."""
    module, colon, rest = name.rpartition(":")
    method, _, hyperparameter = rest.partition(".")
    return f"{module}{colon}{method}", hyperparameter


def hyperparameter(name: str) -> Hyperparameter:
    """Return a method's hyperparameter by `method.hyperparameter`; raise UserError that lists the known ones."""
    method, own = split_name(name)
    known = hyperparameters(searcher(method))
    if own not in known:
        choice = f"{did_you_mean(own, known, f'{method}.')}choose from {', '.join(known)}" if known else "it has none"
        raise UserError(f"{own!r} is not a setting of {method}: {choice}")
    return known[own]


def own_values(method: str, values: Mapping[str, Value]) -> dict[str, Value]:
    """Return those of the values, named `method.hyperparameter`, that are a method's own, by their hyperparameter."""
    named = [(*split_name(name), value) for name, value in values.items()]
    return {name: value for owner, name, value in named if owner == method}


def configured(method: str, values: Mapping[str, Value]) -> Searcher:
    """Return a method with those of the values, named `method.hyperparameter`, that are its own."""
    own = own_values(method, values)
    try:
        return with_values(searcher(method), own)
    except UserError as error:
        raise UserError(f"{method}: {error}") from error


def run_search(method: Searcher, ledger: QueryLedger, rng: np.random.Generator) -> None:
    """Search until the method ends, or queries more than is left of the budget."""
    with suppress(BudgetSpent):
        method(ledger, rng)
