"""Load an exported network (`nadlab export`); it needs PyTorch and safetensors alone, and takes images as they were stored.

In the exported folder: `from networks.load import load; logits = load(".")(images)`, or classes of an array of images (B, C, H, W)
by `python -m networks.load IMAGES.npy`.
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file

from . import Normalised, cell_network
from .layers import Skeleton

DESCRIPTION, WEIGHTS = "network.json", "network.safetensors"


def load(folder: str | Path) -> Normalised:
    """Return the trained network of an exported folder, ready to predict."""
    about = json.loads((Path(folder) / DESCRIPTION).read_text(encoding="utf-8"))
    channels = about["image"][0]
    network = cell_network(
        about["space"], about["matrix"], about["labels"], Skeleton(**about["skeleton"]), channels, len(about["classes"])
    )
    whole = Normalised(network, [0.0] * channels, [1.0] * channels)
    whole.load_state_dict(load_file(Path(folder) / WEIGHTS))
    return whole.eval()


if __name__ == "__main__":
    here = Path(__file__).parents[1]
    names = json.loads((here / DESCRIPTION).read_text(encoding="utf-8"))["classes"]
    with torch.inference_mode():
        for place in load(here)(torch.from_numpy(np.load(sys.argv[1]))).argmax(1).tolist():
            print(names[place])
