"""Training and evaluation: datasets, losses, recipes, the training loop and the metrics."""

import os

# Before numpy is loaded, which reads it once. The algebra of a view is of 3 x 3 matrices, and each
# loading process has a pool of as many threads as there are processors, which wait by spinning:
# with 17 processes on 16 processors nothing else ran (docs/gpu.md). Torch's threads are its own.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import model  # noqa: F401  (it stops libraries from reporting, before any is loaded here)
