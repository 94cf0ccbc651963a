"""Measure what other methods learn before their first query: arch2vec's autoencoder, the generator of AG-Net and GA-NAS.

python studies/measure_pretraining.py > results/pretraining.md
"""

import sys
import time

import click
import torch

from nadlab.cli.command_line import run_command
from nadlab.queries.pools import one_of_each
from nadlab.searchers.models import cell_decoder, graph_vae
from nadlab.searchers.models.choices import choices_of
from nadlab.searchers.models.graphs import graphs_of
from nadlab.spaces import SPACES, SearchSpace
from nadlab.spaces.cells import is_valid
from nadlab.spaces.classes import classes

GENERATED = 5000


def reconstruction(space: SearchSpace) -> str:
    settings = graph_vae.VAEPretraining()
    started = time.process_time()
    cells, held_out = graph_vae.split(space, settings)
    model = graph_vae.trained(cells, space, settings)  # not the cached one: its time is measured
    seconds = time.process_time() - started
    graphs = graphs_of(held_out, space)
    made = model.reconstruct(graphs)
    whole = graph_vae.reconstructed(model, held_out, space).mean()
    operations = (made.X * graphs.X).sum(dim=2).mean().item()
    rows, columns = torch.triu_indices(space.vertices, space.vertices, 1)
    pairs = (made.A == graphs.A)[:, rows, columns].float().mean().item()
    return f"| {space.name} | {len(held_out):,} | {operations:.2%} | {pairs:.2%} | {whole:.2%} | {seconds:.0f} |"


def generation(space: SearchSpace) -> str:
    classes(space)  # listing the space is no part of the pretraining's time
    started = time.process_time()
    decoder = cell_decoder.pretrained_decoder(space, 32, cell_decoder.DecoderPretraining())
    seconds = time.process_time() - started
    random = torch.Generator().manual_seed(0)
    with torch.inference_mode():
        written = decoder.draw(torch.randn(GENERATED, 32, generator=random), random)
    cells = choices_of(space).decode(written.sequences.numpy())
    valid = is_valid(cells, space)
    unique = len(one_of_each(cells[valid], space)) / valid.sum()
    return f"| {space.name} | {valid.mean():.2%} | {unique:.2%} | {seconds:.0f} |"


@click.command(help=__doc__)
def command() -> None:
    torch.set_num_threads(1)
    print("# Pretraining of the rival searches\n\n`python studies/measure_pretraining.py > results/pretraining.md`\n")
    print("arch2vec's autoencoder on held-out cells (published: over 99 % of operations and pairs of vertices):\n")
    print(
        "| space | held-out cells | operations | pairs | whole cells | seconds of one core |\n|---|---|---|---|---|---|"
    )
    for space in SPACES.values():
        print(reconstruction(space))
    print(f"\nThe generator of AG-Net and GA-NAS, {GENERATED:,} cells from standard normal latents:\n")
    print("| space | valid | unique among the valid | seconds of one core |\n|---|---|---|---|")
    for space in SPACES.values():
        print(generation(space))


if __name__ == "__main__":
    sys.exit(run_command(command))
