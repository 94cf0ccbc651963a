"""Tune SemiGAN-NAD's default settings, `nadlab.semigan.settings.Settings`, for a fixed budget.

python studies/tune_default.py --smoke
python studies/tune_default.py --benchmark mnist1d-101 --queries 110 --configurations 40
"""

# first, so that Ctrl-C ends the imports below in one line
from nadlab import Tuning, main

# isort: split
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from nadlab.semigan.settings import Settings
from trainables.biarch2perf import BiArch2PerfTrainable

TUNING = Tuning(
    name="tune_default",
    question="Which settings of SemiGAN-NAD leave the least regret for a fixed number of queries?",
    expectation="a quarter of the queries for generated cells, as now; the paper's depths and alphas, to within noise.",
    trainable=BiArch2PerfTrainable,
    settings=Settings(),
    queries=160,
    space={
        "alpha": FloatDistribution(0.05, 0.95),
        "alpha_p": FloatDistribution(0.05, 0.95),
        "rank0_share": FloatDistribution(0.02, 0.3, log=True),
        "temperature": FloatDistribution(0.1, 1.0, log=True),
        "final_k": IntDistribution(5, 100),
        "generator_depth": IntDistribution(2, 6),
        "predictor_depth": IntDistribution(2, 6),
        "discriminator_depth": IntDistribution(2, 6),
        "width": CategoricalDistribution((32, 64, 96)),
        "learning_rate": FloatDistribution(5e-4, 2e-2, log=True),
        "unlabelled_batch": CategoricalDistribution((128, 256, 512)),
    },
)

if __name__ == "__main__":
    main(TUNING)
