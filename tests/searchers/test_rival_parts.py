"""What the rival searches are made of: arch2vec's vectors, the generator's cells, weights and clusters."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from nadlab.searchers.ag_net import rank_weights
from nadlab.searchers.arch2vec import expected_improvement, nearest
from nadlab.searchers.models import cell_decoder, graph_vae
from nadlab.searchers.models.cell_decoder import CellDecoder, fresh_decoder, pretrained_decoder
from nadlab.searchers.models.choices import choices_of
from nadlab.searchers.models.dngo import DNGO
from nadlab.searchers.models.graphs import graphs_of
from nadlab.searchers.pre_nas import representatives
from nadlab.spaces import SPACES, Cells, SearchSpace
from tests.spaces.toy import toy_space


def drawn(decoder: CellDecoder, space: SearchSpace, count: int) -> Cells:
    random = torch.Generator().manual_seed(0)
    with torch.inference_mode():
        written = decoder.draw(torch.randn(count, 4, generator=random), random)
    return choices_of(space).decode(written.sequences.numpy())


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(SPACES))
def test_autoencoder_gives_back_held_out_cells_after_a_third_of_its_pretraining(name: str) -> None:
    # published, after the whole: over 99 % of operations and of pairs of vertices; here results/pretraining.md
    space, settings = SPACES[name], graph_vae.VAEPretraining(cells=20_000, epochs=5, most_steps=1_400)
    cells, held_out = graph_vae.split(space, settings)
    given = graphs_of(held_out, space)
    made = graph_vae.trained(cells, space, settings).reconstruct(given)
    rows, columns = torch.triu_indices(space.vertices, space.vertices, 1)
    assert (made.X * given.X).sum(dim=2).mean() > 0.95
    assert (made.A == given.A)[:, rows, columns].float().mean() > 0.95


@pytest.mark.parametrize("changes", [{"most_steps": 10}, {"most_steps": 1}, {"held_out": 0.99}])
def test_autoencoder_is_trained_however_few_its_steps_and_cells(changes: dict[str, Any]) -> None:
    toy = toy_space()
    settings = replace(graph_vae.VAEPretraining(width=16, cells=40), **changes)
    cells, _ = graph_vae.split(toy, settings)
    assert np.isfinite(graph_vae.embed(graph_vae.trained(cells, toy, settings), cells, toy)).all()


def test_autoencoder_of_the_cache_is_the_one_that_was_trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NADLAB_CACHE", str(tmp_path))
    space, settings = SPACES["nasbench201"], graph_vae.VAEPretraining(cells=300, epochs=1, width=16, seed=11)
    cells, held_out = graph_vae.split(space, settings)
    vectors = graph_vae.embed(graph_vae.trained(cells, space, settings), held_out, space)
    assert (graph_vae.embed(graph_vae.pretrained(space, settings), held_out, space) == vectors).all()
    graph_vae.pretrained.cache_clear()
    monkeypatch.delattr(graph_vae, "trained")  # a second process finds the weights
    assert (graph_vae.embed(graph_vae.pretrained(space, settings), held_out, space) == vectors).all()
    assert len([*tmp_path.rglob("*.pt")]) == 1


@pytest.mark.parametrize("name", sorted(SPACES))
def test_decoder_draws_every_choice_that_a_place_has_and_no_other(name: str) -> None:
    decoder, random = fresh_decoder(SPACES[name], 4, 16, seed=0), torch.Generator().manual_seed(1)
    written = decoder.draw(torch.randn(2000, 4, generator=random), random)
    sizes = choices_of(SPACES[name]).sizes
    for sequence, size in zip(written.sequences.T, sizes, strict=True):
        assert set(sequence.tolist()) == set(range(size))
    assert (written.log_probability < 0).all()


@pytest.mark.slow
@pytest.mark.parametrize(("name", "least"), [("nasbench201", 1.0), ("nasbench101", 0.6)])
def test_generator_writes_valid_cells_after_a_short_pretraining(name: str, least: float) -> None:
    space = SPACES[name]
    decoder = pretrained_decoder(space, 4, cell_decoder.DecoderPretraining(steps=150, width=64, learning_rate=1e-2))
    valid = [reason is None for reason in space.invalid_reasons(drawn(decoder, space, 1000))]
    assert np.mean(valid) >= least


def test_better_cells_weigh_more_by_their_rank_alone() -> None:
    weights = rank_weights(np.array([10.0, 93.0, 92.0]), 0.01)
    np.testing.assert_allclose(weights.numpy(), [1 / 2.03, 1 / 0.03, 1 / 1.03], rtol=1e-5)


def test_dngo_fits_a_smooth_function_and_doubts_what_is_far_away() -> None:
    features = np.linspace(-1, 1, 40, dtype=np.float32)[:, None]
    model = DNGO(features, np.sin(3 * features[:, 0]) + 90.0, torch.Generator().manual_seed(0), width=32)
    mean, near = model.predict(features)
    _, far = model.predict(np.full((1, 1), 4.0, np.float32))
    assert np.abs(mean - np.sin(3 * features[:, 0]) - 90).max() < 0.2
    assert far[0] > near.max()


def test_expected_improvement_is_that_of_the_normal_distribution() -> None:
    draws = np.random.default_rng(0).normal(1.0, 2.0, 400_000)
    expected = np.maximum(draws - 1.5, 0).mean()
    assert expected_improvement(np.array([1.0]), np.array([2.0]), 1.5)[0] == pytest.approx(expected, rel=0.01)


def test_nearest_vector_is_an_allowed_one() -> None:
    features = np.array([[0.0], [1.0], [3.0]], np.float32)
    assert nearest(features, np.array([0.1], np.float32), np.array([False, True, True])) == 1


def test_parents_are_the_best_of_each_cluster_of_the_better_half() -> None:
    features = np.array([[0.0], [0.1], [9.0], [9.1], [50.0], [50.1], [50.2], [50.3]])
    y = np.array([90.0, 91.0, 92.0, 89.0, 10.0, 11.0, 12.0, 13.0])
    assert representatives(features, y, 2) == [2, 1]
