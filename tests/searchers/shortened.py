"""Every method with a short training, for tests of what all of them share."""

from dataclasses import replace

from nadlab.methods.registry import Searcher
from nadlab.searchers.ag_net import AGNet
from nadlab.searchers.arch2vec import Arch2vecBO, Arch2vecRL
from nadlab.searchers.bananas import BANANAS
from nadlab.searchers.baselines.random_forest import RandomForest
from nadlab.searchers.bayesian_optimisation import BayesianOptimisation
from nadlab.searchers.fidelities.hyperband import Hyperband
from nadlab.searchers.fidelities.semigan_nad import LowFidelitySemiGANNAD
from nadlab.searchers.ga_nas import GANAS
from nadlab.searchers.local_search import LocalSearch
from nadlab.searchers.models import cell_decoder, graph_vae
from nadlab.searchers.models.ensemble import Perceptrons
from nadlab.searchers.nao import NAO
from nadlab.searchers.objectives.nsga2 import NSGA2
from nadlab.searchers.pre_nas import PRENAS
from nadlab.searchers.random_search import random_search
from nadlab.searchers.regularized_evolution import RegularizedEvolution
from nadlab.searchers.reinforce import Reinforce
from nadlab.searchers.seminas import SemiNAS
from nadlab.semigan.method import SemiGANNAD
from nadlab.semigan.settings import (
    GENERATOR_LIKELIHOOD,
    PAPER,
    PREDICTOR_POOL,
    PREDICTOR_SEMI,
    PREDICTOR_SEQUENTIAL,
    SEQUENTIAL,
    Settings,
)


def short(settings: Settings) -> Settings:
    """Return settings with a short training."""
    return replace(settings, epochs=2, width=16, unlabelled_per_epoch=512, generated=300, candidates=20)


ROUNDS = replace(SEQUENTIAL, epochs=2, round_epochs=1, width=16, unlabelled_per_epoch=512, candidates=20)
VECTORS = graph_vae.VAEPretraining(cells=400, epochs=2, width=16)
WRITER = cell_decoder.DecoderPretraining(steps=60, batch=64, width=32)
SHORTENED: dict[str, Searcher] = {
    "random-search": random_search,
    "regularized-evolution": RegularizedEvolution(),
    "local-search": LocalSearch(),
    "reinforce": Reinforce(),
    "random-forest": RandomForest(initial=10, candidates=200, trees=10),
    "bayesian-optimisation": BayesianOptimisation(candidates=50),
    "bananas": BANANAS(candidates=10, perceptrons=Perceptrons(epochs=2)),
    "nao": NAO(epochs=2),
    "seminas": SemiNAS(pretraining_epochs=2, unlabelled=50, epochs=1),
    "arch2vec-rl": Arch2vecRL(pretraining=VECTORS),
    "arch2vec-bo": Arch2vecBO(pretraining=VECTORS, epochs=5),
    "ga-nas": GANAS(pretraining=WRITER, initial=10, steps=3),
    "ag-net": AGNet(pretraining=WRITER, epochs=2),
    "pre-nas": PRENAS(initial=10, trees=10),
    "nsga-ii": NSGA2(population=8),
    "successive-halving": Hyperband(brackets=1),
    "hyperband": Hyperband(),
    "predictor-pool": SemiGANNAD(short(PREDICTOR_POOL)),
    "predictor-sequential": SemiGANNAD(short(PREDICTOR_SEQUENTIAL)),
    "predictor-semi": SemiGANNAD(short(PREDICTOR_SEMI)),
    "generator-likelihood": SemiGANNAD(short(GENERATOR_LIKELIHOOD)),
    "semigan-nad": SemiGANNAD(short(Settings())),
    "semigan-nad-paper": SemiGANNAD(replace(PAPER, epochs=1, width=16, unlabelled_batch=8192, generated=300)),
    "semigan-nad-sequential": SemiGANNAD(ROUNDS),
    "semigan-nad-fidelities": LowFidelitySemiGANNAD(ROUNDS, low_epochs=2),
}
