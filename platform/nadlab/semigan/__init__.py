"""SemiGAN-NAD (Liu et al., AISTATS 2024): Bi-Arch2Perf learns p(A, X, y), NACG designs with it."""
