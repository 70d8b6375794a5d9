"""Training and evaluation: datasets, losses, recipes, the training loop and the metrics."""

import model  # noqa: F401  (it stops libraries from reporting, before any is loaded here)
