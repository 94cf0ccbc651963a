"""How the embedded benchmarks are made: cells of every space, trained as small one-dimensional networks on MNIST-1D.

Needs `pip install 'nadlab[embedded]'`; the finished tables need nothing of it.
"""

from studies.mnist1d.data import Dataset
from studies.mnist1d.training import Accuracies, Recipe, train_cell

__all__ = ["Accuracies", "Dataset", "Recipe", "train_cell"]
