"""What the paper leaves open about the networks and their game, each gap with the readings that its text allows.

They are settings of a trial (`Settings`); the defaults are this project's choices. `studies/infer_paper_gaps.py` looks
for the reading under which the paper's own figures come out.
"""

from dataclasses import dataclass

from nadlab.parameters.hyperparameters import among, at_least, positive

CHOICES = {
    "generator_output": ("autoregressive", "independent"),
    "generator_choice": ("sampled", "likeliest", "relaxed"),
    "latents": ("vertex", "graph"),
    "gin": ("plain", "arch2vec"),
}
"""reading -> its levels, the default first"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Readings:
    """The settings that fill gaps of Supplement C."""

    generator_output: str = "autoregressive"
    """how AG's decisions about a cell agree: each sees those before it, autoregressive, or all are read by linear layers
    from the same features, independent, which is closer to Supplement C's words; ours"""
    generator_choice: str = "sampled"
    """what AG makes of its logits: sampled draws a choice by Gumbel noise, likeliest leaves all randomness to z, relaxed
    shows D and PP probabilities in training and generates the likeliest choice; the first two pass gradients straight through"""
    latents: str = "vertex"
    """z_A and z_X have 16 numbers for each vertex, or for the graph, spread over its vertices by a linear layer; ours, as the paper does not say"""
    gin: str = "plain"
    """a layer of AG, PP and D: plain is linear, ReLU, linear, ReLU with epsilon = 0; arch2vec has batch normalisation before
    each ReLU and learns epsilon (its public code, whose width is 128)"""
    discriminator_steps: int = 1
    """steps of D on a batch before AG and PP take one; 1 is the paper"""
    discriminator_rate: float = 1.0
    """D's learning rate over that of AG and PP; ours, 1 where the paper says nothing"""
    annealed: bool = True
    """warm the learning rate up and let it fall to zero, or keep it constant; ours"""
    mismatched: float = 0.0
    """weight in D's loss of labelled cells with a wrong rank as a fourth kind of pair (matching-aware negatives, Reed et
    al. 2016): an addition that the paper does not have; 0 is the printed equation"""


def check(readings: Readings) -> None:
    """Raise UserError that names the first reading with a value that it can't have."""
    for name, choices in CHOICES.items():
        among(choices, readings, name)
    at_least(1, readings, "discriminator_steps")
    at_least(0, readings, "mismatched")
    positive(readings, "discriminator_rate")
