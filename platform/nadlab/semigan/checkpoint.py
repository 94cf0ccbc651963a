"""A run at rest, in memory or in a folder, from which it goes on bit for bit.

A folder holds `weights.safetensors`, `optimizers.safetensors` and `state.json`; nothing is pickled.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from nadlab.benchmarks.files import short_digest
from nadlab.benchmarks.oracle import Oracle
from nadlab.errors import UserError
from nadlab.json_text import strict_json
from nadlab.provenance.training import Segment
from nadlab.queries.ledger import Query, QueryLedger
from nadlab.semigan.biarch2perf import BiArch2Perf
from nadlab.semigan.method import build, finish
from nadlab.semigan.settings import DESIGN, Settings

WEIGHTS, MOMENTS, STATE = "weights.safetensors", "optimizers.safetensors", "state.json"
"""the files; the last one has all that is no tensor"""


@dataclass(frozen=True, slots=True)
class State:
    """What a run holds besides its tensors."""

    benchmark: str
    digest: str
    seed: int
    settings: Settings
    epoch: int
    history: list[dict[str, float | None]]
    """one row of losses an epoch, all of them finite; PP's tau where it is watched, None of constant predictions"""
    seconds: float
    design_random: str = ""
    """state of the random numbers when the final queries were designed, hexadecimal; empty before"""
    trained: list[Segment] = field(default_factory=list)
    """how the epochs were trained, as it was, not as the run was last resumed"""
    report: dict[str, Any] | None = None
    """the last report, without history and ledger; None while the run has not ended"""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What is kept of a run; its tensors are copies on the CPU."""

    state: State
    queries: tuple[Query, ...]
    random: str
    """where the random numbers stand, hexadecimal"""
    weights: Mapping[str, Tensor]
    moments: Mapping[str, Tensor]
    """of the optimizers: `OPTIMIZER.PARAMETER.NAME` -> value"""
    place: str = "the checkpoint"
    """where it lies, for messages"""

    @classmethod
    def of(cls, model: BiArch2Perf, ledger: QueryLedger, state: State) -> "Checkpoint":
        """Copy a run."""
        moments = {
            f"{name}.{index}.{key}": _copy(value)
            for name, optimizer in model.optimizers.items()
            for index, values in optimizer.state_dict()["state"].items()
            for key, value in values.items()
        }
        weights = {name: _copy(value) for name, value in model.networks.state_dict().items()}
        return cls(state, tuple(ledger.queries), random_state(model), weights, moments)

    @classmethod
    def read(cls, folder: Path) -> "Checkpoint":
        """Read a folder; raise UserError where it holds no checkpoint, or one that is damaged or of another version."""
        if not (folder / STATE).exists():
            raise UserError(f"{folder} holds no checkpoint: {STATE} is missing")
        file = STATE
        try:
            raw = json.loads((folder / STATE).read_text(encoding="utf-8"))
            queries, random = tuple(Query(**query) for query in raw.pop("queries")), str(raw.pop("random"))
            trained = [Segment(**each) for each in raw.pop("trained", [])]
            state = State(**raw | {"settings": Settings(**raw["settings"]), "trained": trained})
            file = WEIGHTS
            weights = load_file(folder / WEIGHTS)
            file = MOMENTS
            return cls(state, queries, random, weights, load_file(folder / MOMENTS), str(folder))
        except (OSError, ValueError, LookupError, TypeError, AttributeError, UserError, SafetensorError) as error:
            raise UserError(
                f"{folder / file} can't be read ({type(error).__name__}: {error}): it is damaged, or of another version of nadlab"
            ) from error

    def write(self, folder: Path) -> None:
        """Write the files into an existing folder."""
        save_file(dict(self.weights), folder / WEIGHTS)
        save_file(dict(self.moments), folder / MOMENTS)
        queries = [asdict(query) for query in self.queries]
        text = strict_json(asdict(self.state) | {"random": self.random, "queries": queries})
        (folder / STATE).write_text(text, encoding="utf-8")

    def opened(self, oracle: Oracle, design: Settings | None = None) -> tuple[BiArch2Perf, QueryLedger, State]:
        """Build the run; with `design` as it was when the labels were learnt, with these settings and their K queries left.

        Raises UserError when it is of another benchmark table or of other networks than today's, when `design` differs in
        more than what NACG alone reads (`DESIGN`), and when the networks have learnt from final queries.
        """
        state, queries, random = self.state, self.queries, self.random
        if state.digest != oracle.digest:
            raise UserError(
                f"{self.place} was trained on another {state.benchmark} table (digest {short_digest(state.digest)})"
            )
        if design is not None:
            self._check_design(design)
            queries, random = queries[: state.settings.labels], state.design_random or random
            state = replace(state, settings=design, design_random="", report=None)
        ledger = QueryLedger(oracle, state.settings.budget)
        ledger.load(queries)
        model = build(ledger, state.settings, ledger.cells[: state.settings.labels], state.seed)
        model.steps_taken = state.epoch * model.steps_per_epoch
        self._put_into(model)
        model.random.set_state(torch.from_numpy(np.frombuffer(bytes.fromhex(random), np.uint8).copy()))
        return model, ledger, state

    def _put_into(self, model: BiArch2Perf) -> None:
        weights = model.networks.state_dict()
        fits = {name: value.shape for name, value in weights.items()} == {
            name: value.shape for name, value in self.weights.items()
        }
        loaded: dict[str, dict[int, dict[str, Tensor]]] = {name: {} for name in model.optimizers}
        for key, value in self.moments.items():
            owner, index, moment = key.split(".")
            loaded[owner].setdefault(int(index), {})[moment] = value.clone()  # the optimizer takes it, not a copy
        for name, optimizer in model.optimizers.items():
            shapes = [parameter.shape for group in optimizer.param_groups for parameter in group["params"]]
            fits &= all(
                value.shape in ((), shapes[index]) for index, each in loaded[name].items() for value in each.values()
            )
        if not fits:
            raise UserError(
                f"{self.place} was written by a version of nadlab with other networks: resume it with that version"
            )
        model.networks.load_state_dict(self.weights)
        for name, optimizer in model.optimizers.items():
            optimizer.load_state_dict({**optimizer.state_dict(), "state": loaded[name]})

    def _check_design(self, design: Settings) -> None:
        settings, asked = self.state.settings, training_of(design)
        if other := [name for name, value in training_of(settings).items() if asked[name] != value]:
            raise UserError(f"{self.place} was trained with another {other[0]}: it can't be asked what that would give")
        if self.state.design_random and settings.per_round is not None:
            raise UserError(f"{self.place} has learnt from its final queries: it can't be asked for others")


def _copy(tensor: Tensor) -> Tensor:
    return tensor.detach().cpu().clone().contiguous()


def training_of(settings: Settings) -> dict[str, Any]:
    """Return the settings that decide the networks; what only NACG reads is left out."""
    return {name: value for name, value in asdict(settings).items() if name not in DESIGN}


def redesigned(folder: Path, oracle: Oracle) -> QueryLedger:
    """Design the final queries of a finished run once more, from its networks and random numbers; return the new ledger.

    Raises UserError when the run has not designed, or has learnt from its final queries.
    """
    try:
        checkpoint = Checkpoint.read(folder)
    except UserError as error:
        raise UserError(f"{error}; --retrain trains the run anew") from error
    settings = checkpoint.state.settings
    if settings.per_round is not None:
        raise UserError("the run has learnt from its final queries, so its checkpoint can't repeat them: use --retrain")
    if not checkpoint.state.design_random:
        raise UserError("the checkpoint does not hold how its final queries were designed: use --retrain")
    model, ledger, _ = checkpoint.opened(oracle, settings)
    finish(model, ledger)
    return ledger


def random_state(model: BiArch2Perf) -> str:
    """Return where a model's random numbers stand, hexadecimal."""
    return model.random.get_state().numpy().tobytes().hex()
