"""The settings of a study of search methods: method, number of queries and hyperparameters."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

from nadlab.benchmarks.fidelity import fidelities_of, one_fidelity
from nadlab.benchmarks.oracle import Oracle
from nadlab.errors import UserError
from nadlab.methods.registry import (
    MULTI_FIDELITY,
    SEARCHERS,
    SEMIGAN,
    Searcher,
    chosen_on,
    configured,
    hyperparameter,
    searcher,
    split_name,
)
from nadlab.parameters.hyperparameters import INERT, hyperparameters
from nadlab.parameters.values import Value, coerced
from nadlab.plugins import is_plugin
from nadlab.queries.goals import Goals

OWN_GOALS = ("objectives", "at_most")


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchRequest:
    """A search without seed and benchmark: a method by name, its published settings, and what differs from them."""

    method: str = "semigan-nad"
    queries: int = 160
    hyperparameters: Mapping[str, Value] = field(default_factory=dict)
    """`method.hyperparameter` -> value, such as {"bananas.ensemble": 3}; those of other methods are inert, and a default
    value is left out"""
    objectives: str | None = None
    """names separated by commas, the benchmark's metric first: `accuracy,latency`; None for the metric alone"""
    at_most: str | None = None
    """constraints, separated by commas: `latency=0.01`; a cell that breaks one is never the best"""

    @property
    def budget(self) -> int:
        """Queries of a trial."""
        return self.queries

    def chosen_on(self, varied: Collection[str]) -> Mapping[str, Sequence[str] | None]:  # noqa: ARG002 - the hook's
        """Return the method -> the benchmarks on which its settings were chosen, as `nadlab.methods.registry.chosen_on`."""
        return {self.method: chosen_on(self.method)}

    def misfits(self, oracle: Oracle, bfloat16: bool | None) -> Mapping[str, str]:
        """Return setting -> why no search can use it on this benchmark and machine; other methods than SemiGAN-NAD say nothing."""
        found = self.searcher
        own = found.settings.misfits(oracle, bfloat16) if isinstance(found, SEMIGAN) else {}
        lacking = {}
        if isinstance(found, MULTI_FIDELITY) and len(fidelities_of(oracle).epochs) < 2:
            lacking["method"] = f"{self.method}: {one_fidelity(oracle)}"
        return lacking | {f"{self.method}.{name}": reason for name, reason in own.items()}

    def inert(self) -> Mapping[str, str]:
        """Return `method.setting` -> why its value changes nothing, given the method's others."""
        found = self.searcher
        own: Mapping[str, str] = found.inert() if hasattr(found, "inert") else {}
        return {f"{self.method}.{name}": reason for name, reason in own.items()}

    @property
    def goals(self) -> Goals:
        """Objectives and constraints."""
        return Goals.of(self.objectives, self.at_most)

    @property
    def searcher(self) -> Searcher:
        """The method with its hyperparameters."""
        return configured(self.method, self.hyperparameters)

    def __post_init__(self) -> None:
        searcher(self.method)  # raises for an unknown one
        if self.queries < 1:
            raise UserError(f"queries must be at least 1, not {self.queries}")
        for name, text in zip(OWN_GOALS, self.goals.texts, strict=True):
            object.__setattr__(self, name, text)
        changes = {}
        for name, value in self.hyperparameters.items():
            declared = hyperparameter(name)
            if value != INERT and (level := coerced(declared.kind, name, value)) != declared.default:
                changes[name] = level
        object.__setattr__(self, "hyperparameters", changes)
        for method in {split_name(name)[0] for name in changes} - {self.method}:
            configured(method, changes)
        found = self.searcher
        if isinstance(found, SEMIGAN):
            found.check_split(self.queries, {own for method, own in map(split_name, changes) if method == self.method})

    def names(self) -> set[str]:
        """Return the names of all settings: fields, and `method.hyperparameter` of the known methods and those in use."""
        own = {
            method
            for method in (self.method, *(split_name(name)[0] for name in self.hyperparameters))
            if is_plugin(method)
        }
        dotted = {f"{method}.{name}" for method in (*SEARCHERS, *own) for name in hyperparameters(searcher(method))}
        return {"method", "queries", *OWN_GOALS, *dotted}

    def kind(self, name: str) -> Any:
        """Return the declared type of a setting; raise UserError that lists the known ones."""
        own: dict[str, Any] = {"method": str, "queries": int} | dict.fromkeys(OWN_GOALS, str | None)
        return own.get(name) or hyperparameter(name).kind

    def value(self, name: str) -> Value:
        """Return the value of a setting, INERT for a hyperparameter of another method."""
        if "." not in name:
            value: Value = getattr(self, name)
            return value
        known = hyperparameter(name)
        return self.hyperparameters.get(name, known.default) if split_name(name)[0] == self.method else INERT

    def changed(self, values: Mapping[str, Value]) -> Self:
        """Return the request with other values of settings by name; raise UserError when there can't be one."""
        fields: dict[str, Any] = {name: value for name, value in values.items() if "." not in name}
        dotted = {name: value for name, value in values.items() if "." in name}
        return replace(self, **fields, hyperparameters={**self.hyperparameters, **dotted})

    def within(self, budget: int) -> Self:
        """Return the request with another budget."""
        return replace(self, queries=budget)

    def flat(self) -> dict[str, Value]:
        """Return all that decides a search but seed and benchmark, the hyperparameters that the method has included.

        Goals that are not set are left out, so that a trial without any is the same as before there were goals.
        """
        own = {f"{self.method}.{name}": each.default for name, each in hyperparameters(self.searcher).items()}
        goals = {name: text for name in OWN_GOALS if (text := getattr(self, name)) is not None}
        return {"method": self.method, "queries": self.queries, **goals, **own}

    @classmethod
    def of(cls, flat: Mapping[str, Any]) -> Self:
        """Return the request that has these settings; of an early version's, all are at their default."""
        return cls(
            method=flat["method"],
            queries=flat["queries"],
            objectives=flat.get("objectives"),
            at_most=flat.get("at_most"),
            hyperparameters={name: value for name, value in flat.items() if "." in name},
        )
