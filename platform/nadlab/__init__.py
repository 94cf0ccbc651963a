"""nadlab: distributed hyperparameter and ablation studies of neural-architecture design (SemiGAN-NAD)."""
