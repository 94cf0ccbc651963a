"""What can be varied in SemiGAN-NAD; DESIGN.md says where the defaults are not the paper's, and why."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace

from nadlab.benchmarks.oracle import Oracle
from nadlab.errors import UserError
from nadlab.parameters.hyperparameters import among, at_least, positive, tunable, tunable_among
from nadlab.semigan.inert import doubts, inert, misfits
from nadlab.semigan.networks.readings import Readings, check
from nadlab.semigan.ranks import SCALES

PRECISIONS = ("float32", "bfloat16")
SOURCES = ("generator", "pool", "both", "random")
DESIGN = (
    "final_k", "final_share", "candidates_from", "generated", "generation_temperature", "candidates", "generation_rounds",
    "optimism", "per_round", "round_epochs", "neighbours_of", "local_queries",
)  # fmt: skip
"""what NACG alone reads: trials that differ in nothing else begin with the same training"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(Readings):
    """A trial of SemiGAN-NAD but for its seed and benchmark; the paper's gaps stand in `Readings`, settings as all others."""

    alpha: float = field(default=0.5, metadata=tunable(0.05, 0.95))
    """share of PP's joint distribution, equations 3-10; the paper"""
    alpha_p: float = field(default=0.5, metadata=tunable(0.05, 0.95))
    """weight of PP's error on generated cells, equation 8; the paper"""
    t: float | None = None
    """lower bound of rank 0, equation 11, in the metric's unit, percent for an accuracy; None takes `rank0_share` of the labels"""
    rank0_share: float = field(default=0.1, metadata=tunable(0.02, 0.3, log=True))
    """share of the labelled cells that rank 0 gets when `t` is None; ours"""
    labels: int = field(default=120, metadata=tunable(5, 80, log=True))
    """architectures queried for training; ours, the paper 155 of 160"""
    final_k: int = 40
    """K: generated architectures queried at the end; labels + final_k is the budget, of which the paper takes 155 + 5"""
    final_share: float = field(default=0.25, metadata=tunable(0.1, 0.75))
    """of a search's budget, the most that K may be; a trial with its own labels and K has no use for it; ours"""
    epochs: int = field(default=40, metadata=tunable(5, 60, log=True))
    """epochs of training; the paper, 40 to 60"""
    width: int = field(default=64, metadata=tunable_among(32, 64, 96))
    """hidden width of all three networks; ours, as the paper says none"""
    generator_depth: int = field(default=5, metadata=tunable(2, 6))
    """GIN layers of AG; the paper"""
    predictor_depth: int = field(default=4, metadata=tunable(2, 6))
    """GIN layers of PP; the paper"""
    discriminator_depth: int = field(default=3, metadata=tunable(2, 6))
    """GIN layers of D; the paper"""
    learning_rate: float = field(default=3e-3, metadata=tunable(5e-4, 2e-2, log=True))
    """peak of the three Adam optimizers: a linear warm-up over a tenth of the steps, then a cosine to zero;
    ours"""
    beta_1: float = 0.5
    """Adam's first decay rate for AG and D; PP has 0.9; DCGAN (Radford et al. 2016)"""
    saturating: bool = False
    """train AG and PP on E[log(1 - D)] as printed; by default on its non-saturating form -E[log D]; Goodfellow et al. 2014"""
    generator: bool = True
    """train AG; false leaves out all that needs its cells: beta_3, gamma_3 and equation 10"""
    generator_adversarial: bool = True
    """train AG on equation 10; false leaves it `coverage` alone"""
    predictor_adversarial: bool = True
    """gamma_1 of equation 8"""
    generated_labels: bool = True
    """gamma_3 of equation 8: AG's cells with the rank's label"""
    coverage: float = field(default=0.3, metadata=tunable(0.0, 1.0))
    """weight of AG's negative log-likelihood of the real cells beside equation 10: keeps AG from collapsing onto a few
    cells; 0 is the printed equation"""
    pseudo_real: int = 128
    """cells of each unlabelled batch, half of it at most, that D takes as real with PP's rank, so that it does not
    learn the labelled cells by heart (Triple-GAN, Li et al. 2017, Section 3.3); 0 is the printed equation"""
    precision: str = "float32"
    """of training's matrix products: float32, or on a GPU bfloat16, by `torch.autocast`; a CPU refuses it"""
    unlabelled_batch: int = 512
    """cells without a label in a batch; ours"""
    unlabelled_per_epoch: int | None = 4096
    """cells without a label in an epoch, drawn anew each time; None takes all of them, as the paper; ours"""
    scale: str = "normal"
    """on which PP predicts: normal scores of the labels, or linear in their accuracy as in equation 9; ours"""
    temperature: float = field(default=0.3, metadata=tunable(0.1, 1.0, log=True))
    """of the soft rank, in units of the scale, on which labels have a standard deviation of 1; ours"""
    ensemble: int = field(default=1, metadata=tunable(1, 5))
    """PPs that differ in their first weights, the mean of whose scores is PP's; ours (deep ensembles, Lakshminarayanan et al. 2017)"""
    optimism: float = 0.0
    """standard deviations of the ensemble's scores that NACG adds to their mean, below 0 for caution; ours"""
    candidates_from: str = "generator"
    """where NACG's candidates come from: generator, the benchmark's pool, both, or `generated` random cells of the pool, which
    also stand for a pool that can't be listed; the paper"""
    generated: int = 5000
    """cells that NACG generates in a round; ours"""
    generation_temperature: float = 1.0
    """of AG's choices in NACG: below 1 it keeps to what it thinks likely under rank 0; ours"""
    candidates: int = 500
    """new cells of the benchmark among which PP chooses: NACG generates another round until it has as many; ours"""
    generation_rounds: int = 10
    """rounds after which NACG makes do with the candidates that it has; ours"""
    per_round: int | None = field(default=None, metadata=tunable(1, 20))
    """of the K queries, those that NACG asks before the networks go on learning, now from the answers too; None asks
    all K at once, as the paper"""
    round_epochs: int = field(default=4, metadata=tunable(1, 10))
    """epochs of training between two such rounds of queries; ours"""
    neighbours_of: int = field(default=0, metadata=tunable(0, 10))
    """best cells so far whose neighbours PP ranks together with AG's cells; 0 is the paper"""
    local_queries: int = field(default=0, metadata=tunable(0, 10))
    """queries of a round that go to neighbours of the best cell, PP's favourites first, where the round before found no
    better cell: PP may be wrong about all that is better; ours"""

    @property
    def budget(self) -> int:
        """Queries of a trial."""
        return self.labels + self.final_k

    @property
    def discriminator(self) -> bool:
        """Whether a network learns from D; else D is not trained."""
        return self.predictor_adversarial or (self.generator and self.generator_adversarial)

    @property
    def covers(self) -> bool:
        """Whether AG learns the likelihood of real cells."""
        return self.generator and self.coverage > 0

    @property
    def generates(self) -> bool:
        """Whether NACG generates candidates."""
        return self.candidates_from in ("generator", "both")

    def inert(self) -> Mapping[str, str]:
        """Return setting -> why its value changes nothing, given the others."""
        return inert(self)

    def misfits(self, oracle: Oracle, bfloat16: bool | None) -> Mapping[str, str]:
        """Return setting -> sentence that says why no trial can use it on this benchmark and machine."""
        return misfits(self, oracle, bfloat16)

    def doubts(self, oracle: Oracle) -> list[str]:
        """Return a sentence for each setting that may leave nothing to learn on this benchmark."""
        return doubts(self, oracle)

    def chosen_on(self, varied: Collection[str]) -> Mapping[str, Sequence[str]]:
        """Return the nearest preset and what differs from it, factors left out -> benchmarks that it was chosen on."""
        own = {each.name for each in fields(self)} - set(varied)
        differences = {
            preset: sorted(name for name in own if getattr(self, name) != getattr(settings, name))
            for preset, (settings, _) in CHOSEN.items()
        }
        preset = min(differences, key=lambda each: len(differences[each]))
        apart = f" but for {', '.join(differences[preset])}" if differences[preset] else ""
        return {f"SemiGAN-NAD's {preset} settings{apart}": CHOSEN[preset][1]}

    def within(self, budget: int) -> "Settings":
        """Return these settings with labels and K for another budget.

        Asked at once, K stays as it is but for a small budget, of which it is `final_share`. In rounds the labels stay, but
        for a small budget, of which they are a quarter, or their own share where that is more. Raises UserError when two
        labels and one query are more than the budget.
        """
        if budget < 3:
            raise UserError(f"SemiGAN-NAD needs a budget of at least 3 queries, not {budget}")
        if self.per_round is None:
            final_k = min(self.final_k, budget - 2, max(1, int(budget * self.final_share)))
        else:
            most = max(budget // 4, budget * self.labels // self.budget)
            final_k = budget - max(2, min(self.labels, most))
        return replace(self, labels=budget - final_k, final_k=final_k)

    def __post_init__(self) -> None:
        check(self)
        for name in ("alpha", "alpha_p", "rank0_share", "final_share"):
            value = getattr(self, name)
            if not 0 < value < 1:
                meant = f": it is a share, so write {value / 100:g} for {value:g} %" if 1 < value < 100 else ""
                raise UserError(f"{name} must lie strictly between 0 and 1, not {value:g}{meant}")
        counts = (
            "generator_depth", "predictor_depth", "discriminator_depth", "final_k", "epochs", "ensemble", "width",
            "unlabelled_batch", "generated", "candidates", "generation_rounds", "round_epochs",
        )  # fmt: skip
        at_least(2, self, "labels")
        limits = [name for name in ("unlabelled_per_epoch", "per_round") if getattr(self, name) is not None]
        at_least(1, self, *counts, *limits)
        at_least(0, self, "pseudo_real", "neighbours_of", "local_queries", "coverage")
        positive(self, "learning_rate", "temperature", "generation_temperature")
        if not self.generator and self.generates:
            raise UserError(
                "generator = False leaves no AG to generate candidates: set candidates_from to pool or random"
            )
        if self.generator and not self.generator_adversarial and not self.coverage:
            raise UserError("generator_adversarial = False with coverage = 0 leaves nothing to train AG on")
        if not 0 <= self.beta_1 < 1:
            raise UserError(f"beta_1 must lie in [0, 1), not {self.beta_1:g}")
        for name, choices in (("candidates_from", SOURCES), ("scale", SCALES), ("precision", PRECISIONS)):
            among(choices, self, name)


PAPER = Settings(
    labels=155, final_k=5, saturating=True, scale="linear", coverage=0, pseudo_real=0, unlabelled_per_epoch=None, epochs=60,
    generation_rounds=1, rank0_share=0.1549,
)  # fmt: skip
"""What the paper says, and the defaults where it says nothing. Of the data sets whose t it leaves open, rank 0 takes the
share of cells that 93 % leaves above it on NAS-Bench-101 (Table 4). No reading (`networks.readings`) of 60 was found
closer to the printed figures on fresh seeds: `results/infer_paper_gaps/`"""

PAPER_T = {"nasbench101": 93.0, "nasbench101-full": 93.0}
"""benchmark -> the paper's t in percent, which depends on the data set (Section 3.2)"""

SEQUENTIAL = Settings(
    labels=40, final_k=120, per_round=10, neighbours_of=5, local_queries=5, epochs=15, unlabelled_batch=256, pseudo_real=64,
    unlabelled_per_epoch=2048, generated=1000, candidates=200,
)  # fmt: skip
"""The same budget in rounds: a quarter of it labels at random, then ten queries a round"""

PREDICTOR_SEMI = Settings(generator=False, candidates_from="pool")
"""PP, with D on unlabelled cells; without AG, whose place the pool takes"""

PREDICTOR_POOL = replace(PREDICTOR_SEMI, predictor_adversarial=False)
"""PP alone, on labelled cells alone, over the pool"""

PREDICTOR_SEQUENTIAL = replace(
    PREDICTOR_POOL, candidates_from="random", labels=10, final_k=150, per_round=5, local_queries=5, epochs=15
)
"""PP alone in rounds of five queries, over random cells; where a round found no better cell, the next one goes to the
neighbours of the best"""

GENERATOR_LIKELIHOOD = Settings(generator_adversarial=False, predictor_adversarial=False, generated_labels=False)
"""PP on labelled cells alone, over cells of an AG that learns the likelihood of real ones; without D"""

_DEFAULTS_ON = ("mnist1d-201", "nasbench201/cifar10")
CHOSEN: dict[str, tuple[Settings, tuple[str, ...]]] = {
    "default": (Settings(), _DEFAULTS_ON),
    "paper": (PAPER, _DEFAULTS_ON),
    "sequential": (SEQUENTIAL, (*_DEFAULTS_ON, "mnist1d-101", "mnist1d-darts")),
    "predictor-pool": (PREDICTOR_POOL, _DEFAULTS_ON),
    "predictor-sequential": (
        PREDICTOR_SEQUENTIAL,
        (*_DEFAULTS_ON, "nasbench201/cifar100", "nasbench101", "mnist1d-101", "mnist1d-darts"),
    ),
    "predictor-semi": (PREDICTOR_SEMI, _DEFAULTS_ON),
    "generator-likelihood": (GENERATOR_LIKELIHOOD, _DEFAULTS_ON),
}
"""preset -> settings, and the benchmarks on which they were chosen; of the paper's, what the paper leaves open (DESIGN.md)"""
