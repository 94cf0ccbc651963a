"""What regularized evolution, local search, REINFORCE, BO, BANANAS, NAO and SemiNAS are made of."""

import numpy as np
import pytest
import torch

from nadlab.errors import UserError
from nadlab.queries.ledger import QueryLedger
from nadlab.queries.neighbourhood import Neighbourhood
from nadlab.queries.path_encoding import path_encoding
from nadlab.queries.sampling import some_unqueried
from nadlab.searchers.bananas import mutants
from nadlab.searchers.models.choices import choices_of, one_hot
from nadlab.searchers.models.encoder_decoder import EncoderDecoder, Training
from nadlab.searchers.models.ensemble import Perceptrons
from nadlab.searchers.models.latent_ascent import Schedule
from nadlab.searchers.nao import NAO
from nadlab.spaces import SPACES
from tests.oracles import counting
from tests.searchers.shortened import SHORTENED
from tests.spaces.toy import error

METHODS = ("bananas", "bayesian-optimisation", "local-search", "nao", "regularized-evolution", "reinforce", "seminas")
SPACE_NAMES = sorted(SPACES)


def ledger_of(name: str, budget: int, pool: int = 200, *, whole: bool = True) -> QueryLedger:
    return QueryLedger(counting(name, pool, whole=whole), budget)


@pytest.mark.parametrize("method", METHODS)
def test_method_can_spend_a_pool_to_the_last_cell(method: str) -> None:
    held = len(np.unique(SPACES["nasbench201"].keys(ledger_of("nasbench201", 1, 30).oracle.pool())))
    ledger = ledger_of("nasbench201", held, 30, whole=False)
    SHORTENED[method](ledger, np.random.default_rng(0))
    assert ledger.remaining == 0


@pytest.mark.parametrize("least", [0.1, 0.3])
def test_latent_ascent_of_few_seeds_ends_with_random_cells(least: float) -> None:
    ledger = QueryLedger(error("own:error"), 40)
    NAO(epochs=2, schedule=Schedule(first=least, rounds=1, best=0.02, largest_step=3))(ledger, np.random.default_rng(0))
    assert ledger.remaining == 0
    with pytest.raises(UserError, match="best must be positive"):
        Schedule(best=0.0)


@pytest.mark.parametrize("name", SPACE_NAMES)
def test_choices_write_and_read_every_cell(name: str) -> None:
    space = SPACES[name]
    cells = space.sample(300, np.random.default_rng(0))
    sequences = choices_of(space).encode(cells)
    assert (space.keys(choices_of(space).decode(sequences)) == space.keys(cells)).all()
    assert (one_hot(sequences, choices_of(SPACES[name]).sizes).sum(axis=1) == len(choices_of(SPACES[name]).sizes)).all()


def test_paths_of_a_known_cell_are_found() -> None:
    space = SPACES["nasbench101"]
    cell = space.parse("0111/0010/0001/0000;input|conv3x3-bn-relu|maxpool3x3|output")
    # the direct path; max pooling; convolution, then max pooling
    assert np.flatnonzero(path_encoding(cell, space)[0]).tolist() == [0, 1 + 2, 1 + 3 + 2]


@pytest.mark.parametrize(("name", "features"), [("nasbench101", 364), ("nasbench201", 156), ("darts", 5602)])
def test_path_encoding_is_as_long_as_published_and_begins_with_its_truncation(name: str, features: int) -> None:
    space = SPACES[name]
    cells = space.sample(50, np.random.default_rng(0))
    full, short = path_encoding(cells, space), path_encoding(cells, space, 2)
    assert full.shape[1] == features
    assert (full[:, : short.shape[1]] == short).all()


@pytest.mark.parametrize("name", ["nasbench101", "darts"])
def test_isomorphic_cells_have_the_same_paths(name: str) -> None:
    space = SPACES[name]
    cells = space.sample(300, np.random.default_rng(0))
    assert (path_encoding(cells, space) == path_encoding(space.canonical(cells), space)).all()


def test_neighbourhood_is_the_neighbours_where_the_whole_space_can_be_queried() -> None:
    neighbourhood = Neighbourhood(ledger_of("nasbench201", 10), np.random.default_rng(0))
    cell = neighbourhood.ledger.oracle.pool()[:1]
    space = SPACES["nasbench201"]
    near, neighbours = neighbourhood.of(cell), space.neighbours(cell)
    assert (space.identities(near) == space.identities(neighbours)).all()


def test_lacking_neighbours_are_replaced_by_the_nearest_cells_of_the_pool() -> None:
    ledger = ledger_of("nasbench101", 10, pool=500, whole=False)
    neighbourhood, space, pool = (
        Neighbourhood(ledger, np.random.default_rng(0)),
        ledger.oracle.space,
        ledger.oracle.pool(),
    )
    for cell in pool[:3]:
        near = neighbourhood.of(cell)
        assert len(near) == len(space.neighbours(cell))
        assert ledger.oracle.queryable(near).all()
        assert space.keys(cell)[0] not in space.keys(near)
        distances = (path_encoding(pool, space) != path_encoding(cell, space)).sum(axis=1)
        chosen = (path_encoding(near, space) != path_encoding(cell, space)).sum(axis=1)
        assert chosen.mean() <= np.sort(distances)[1 : len(near) + 1].mean() + 1


def test_child_is_found_where_all_around_is_paid_for() -> None:
    ledger = ledger_of("nasbench201", 100)
    neighbourhood = Neighbourhood(ledger, np.random.default_rng(0))
    parent = ledger.oracle.pool()[:1]
    ledger.query(ledger.oracle.space.neighbours(parent))
    ledger.query(parent)
    child = neighbourhood.child(parent)
    assert not ledger.known(child)[0]


def test_cell_without_neighbours_has_children_all_the_same() -> None:
    ledger = ledger_of("nasbench101", 10)
    assert (
        len(Neighbourhood(ledger, np.random.default_rng(0)).child(ledger.oracle.space.parse("01/00;input|output"))) == 1
    )


def test_some_unqueried_are_new_and_of_different_classes() -> None:
    ledger = ledger_of("nasbench201", 50)
    ledger.query(ledger.oracle.pool()[:20])
    cells = some_unqueried(ledger, 100, np.random.default_rng(0))
    assert not ledger.known(cells).any()
    assert len(np.unique(ledger.oracle.space.keys(cells))) == len(cells)


def test_mutants_are_new_distinct_and_near_the_best_parent() -> None:
    ledger = ledger_of("nasbench201", 10)
    parents = ledger.oracle.pool()[:5]
    ledger.query(parents)
    found = mutants(parents, 20, Neighbourhood(ledger, np.random.default_rng(0)))
    assert len(np.unique(ledger.oracle.space.keys(found))) == 20
    assert not ledger.known(found).any()
    assert ((found[:10].operations != parents.operations[:1]).sum(axis=1) <= 2).all()


def test_mutants_of_the_cell_without_neighbours_can_be_queried() -> None:
    ledger = ledger_of("nasbench101", 10, pool=50, whole=False)
    parent = ledger.oracle.space.parse("01/00;input|output")
    found = mutants(parent, 10, Neighbourhood(ledger, np.random.default_rng(0)))
    assert ledger.oracle.queryable(found).all()


def test_ensemble_learns_and_its_members_differ() -> None:
    generator = torch.Generator().manual_seed(0)
    features = torch.randint(0, 2, (100, 10), generator=generator).float()
    targets = features @ torch.linspace(-1, 1, 10)
    predicted = Perceptrons(ensemble=3, layers=3).fit(features, targets, generator).predict(features)
    assert predicted.shape == (3, 100)
    assert (predicted.mean(dim=0) - targets).abs().mean() < 0.2
    assert predicted.std(dim=0).mean() > 0


@pytest.mark.parametrize("name", SPACE_NAMES)
def test_decoder_writes_only_what_each_place_may_hold(name: str) -> None:
    sizes = choices_of(SPACES[name]).sizes
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = EncoderDecoder(sizes).eval()
    sequences = torch.from_numpy(np.random.default_rng(0).integers(0, sizes, (20, len(sizes))))
    written = model.improve(sequences, 5.0).numpy()
    assert ((written >= 0) & (written < sizes)).all()


def test_encoder_and_decoder_give_cells_back_and_a_step_raises_the_prediction() -> None:
    sizes = choices_of(SPACES["nasbench201"]).sizes
    sequences = torch.from_numpy(np.random.default_rng(0).integers(0, sizes, (60, len(sizes))))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = EncoderDecoder(sizes)
        scores = (sequences == 3).sum(dim=1).float()
        targets = (scores - scores.mean()) / scores.std()
        Training(learning_rate=5e-3).fit(model, sequences, targets, 150, torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert (model.decode(model.encode(sequences)) == sequences).float().mean() > 0.9
        before = model.predict(model.encode(sequences))
    assert torch.corrcoef(torch.stack([before, targets]))[0, 1] > 0.9
    improved = model.improve(sequences, 3.0)
    assert (improved == 3).sum() > (sequences == 3).sum()
