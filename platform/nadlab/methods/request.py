"""The settings of a study of search methods: method and number of queries."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from nadlab.errors import UserError
from nadlab.methods.registry import chosen_on, searcher


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchRequest:
    """A search without seed and benchmark: a method by name, with its published settings."""

    method: str = "semigan-nad"
    queries: int = 160

    @property
    def budget(self) -> int:
        """Queries of a trial."""
        return self.queries

    def chosen_on(self, varied: Collection[str]) -> Mapping[str, Sequence[str] | None]:  # noqa: ARG002 - the hook's
        """Return the method -> the benchmarks on which its settings were chosen, as `nadlab.methods.registry.chosen_on`."""
        return {self.method: chosen_on(self.method)}

    def __post_init__(self) -> None:
        searcher(self.method)  # raises for an unknown one
        if self.queries < 1:
            raise UserError(f"queries must be at least 1, not {self.queries}")
