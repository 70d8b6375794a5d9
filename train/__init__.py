"""Training and evaluation: datasets, losses, recipes, the training loop and the metrics."""
