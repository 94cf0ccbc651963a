"""A run on disk: weights and optimizer states as safetensors, all else as JSON; nothing is pickled.

A folder holds `weights.safetensors`, `optimizers.safetensors` and `state.json`. A resumed run continues bit for bit.
"""

import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
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
from nadlab.spaces.cells import concatenate

STATE = "state.json"
"""the file of all that is no tensor"""


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


def save(folder: Path, model: BiArch2Perf, ledger: QueryLedger, state: State) -> None:
    """Write a run into an existing folder."""
    weights = {key: value.contiguous().cpu() for key, value in model.networks.state_dict().items()}
    moments: dict[str, Tensor] = {}
    for name, optimizer in model.optimizers.items():
        for index, values in optimizer.state_dict()["state"].items():
            moments |= {f"{name}.{index}.{key}": value.contiguous().cpu() for key, value in values.items()}
    save_file(weights, folder / "weights.safetensors")
    save_file(moments, folder / "optimizers.safetensors")
    text = strict_json(
        asdict(state)
        | {
            "random": random_state(model),
            "queries": [asdict(query) for query in ledger.queries],
        }
    )
    (folder / STATE).write_text(text, encoding="utf-8")


def load(folder: Path, oracle: Oracle, design: Settings | None = None) -> tuple[BiArch2Perf, QueryLedger, State]:
    """Read a run back; with `design` as it was when the labels were learnt, with these settings and their K queries left.

    Raises UserError when the folder holds no run, or one of another benchmark table, when `design` differs in more than
    what NACG alone reads (`DESIGN`), and when the networks have learnt from final queries.
    """
    state, queries, random = _read(folder, oracle)
    if design is not None:
        _check_design(folder, state, design)
        queries, random = queries[: state.settings.labels], state.design_random or random
        state = replace(state, settings=design, design_random="", report=None)
    ledger = QueryLedger(oracle, state.settings.budget)
    ledger.load(queries)
    labelled = concatenate([oracle.space.parse(query.cell) for query in queries[: state.settings.labels]])
    model = build(ledger, state.settings, labelled, state.seed)
    model.steps_taken = state.epoch * model.steps_per_epoch
    weights = load_file(folder / "weights.safetensors")
    if weights.keys() != model.networks.state_dict().keys():
        raise UserError(f"{folder} was written by a version of nadlab with other networks: resume it with that version")
    model.networks.load_state_dict(weights)
    moments = load_file(folder / "optimizers.safetensors")
    for name, optimizer in model.optimizers.items():
        loaded: dict[int, dict[str, Tensor]] = {}
        for key, value in moments.items():
            owner, index, moment = key.split(".")
            if owner == name:
                loaded.setdefault(int(index), {})[moment] = value
        optimizer.load_state_dict({**optimizer.state_dict(), "state": loaded})
    _set_random(model, random)
    return model, ledger, state


def _read(folder: Path, oracle: Oracle) -> tuple[State, tuple[Query, ...], str]:
    """Return the state, the queries and where the random numbers stand; raises as `load`."""
    if not (folder / STATE).exists():
        raise UserError(f"{folder} holds no checkpoint: {STATE} is missing")
    raw = json.loads((folder / STATE).read_text(encoding="utf-8"))
    queries = tuple(Query(**query) for query in raw.pop("queries"))
    random = raw.pop("random")
    trained = [Segment(**each) for each in raw.pop("trained", [])]
    state = State(**raw | {"settings": Settings(**raw["settings"]), "trained": trained})
    if state.digest != oracle.digest:
        raise UserError(
            f"{folder} was trained on another {state.benchmark} table (digest {short_digest(state.digest)})"
        )
    return state, queries, random


def training_of(settings: Settings) -> dict[str, Any]:
    """Return the settings that decide the networks; what only NACG reads is left out."""
    return {name: value for name, value in asdict(settings).items() if name not in DESIGN}


def _check_design(folder: Path, state: State, design: Settings) -> None:
    asked = training_of(design)
    if other := [name for name, value in training_of(state.settings).items() if asked[name] != value]:
        raise UserError(f"{folder} was trained with another {other[0]}: it can't be asked what that would give")
    if state.design_random and state.settings.per_round is not None:
        raise UserError(f"{folder} has learnt from its final queries: it can't be asked for others")


def redesigned(folder: Path, oracle: Oracle) -> QueryLedger:
    """Design the final queries of a finished run once more, from its networks and random numbers; return the new ledger.

    Raises UserError when the run has not designed, or has learnt from its final queries.
    """
    state, _, _ = _read(folder, oracle)
    if state.settings.per_round is not None:
        raise UserError("the run has learnt from its final queries, so its checkpoint can't repeat them: use --retrain")
    if not state.design_random:
        raise UserError(f"{folder} does not hold how its final queries were designed: use --retrain")
    model, ledger, _ = load(folder, oracle, state.settings)
    finish(model, ledger)
    return ledger


def random_state(model: BiArch2Perf) -> str:
    """Return where a model's random numbers stand, hexadecimal."""
    return model.random.get_state().numpy().tobytes().hex()


def _set_random(model: BiArch2Perf, state: str) -> None:
    model.random.set_state(torch.from_numpy(np.frombuffer(bytes.fromhex(state), np.uint8).copy()))
