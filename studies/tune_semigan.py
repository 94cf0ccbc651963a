"""Tune SemiGAN-NAD: alpha, alpha_p, t, the number of labels and the depths of AG, PP and D together, by Optuna.

python studies/tune_semigan.py --smoke
python studies/tune_semigan.py --configurations 100 --objectives accuracy,queries --sampler nsga2 --pruner asha
"""

# first, so that Ctrl-C ends the imports below in one line
from nadlab import Tuning, main

# isort: split
from optuna.distributions import FloatDistribution, IntDistribution

from trainables.biarch2perf import BiArch2PerfTrainable

TUNING = Tuning(
    name="tune_semigan",
    question="Which settings of SemiGAN-NAD work best together, and for how many queries?",
    expectation="the number of labels matters most, and with accuracy as the only objective more is always better: the Pareto "
    "front of accuracy against queries tells more. alpha and the depths matter little around the paper's values.",
    trainable=BiArch2PerfTrainable,
    space={
        "alpha": FloatDistribution(0.05, 0.95),
        "alpha_p": FloatDistribution(0.05, 0.95),
        "rank0_share": FloatDistribution(
            0.01, 0.3, log=True
        ),  # t as the share of labels above it: fits every benchmark
        "labels": IntDistribution(20, 300),
        "generator_depth": IntDistribution(1, 6),
        "predictor_depth": IntDistribution(1, 6),
        "discriminator_depth": IntDistribution(1, 6),
    },
)

if __name__ == "__main__":
    main(TUNING)
