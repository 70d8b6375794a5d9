"""PropNet: the network, its landmark markups, heatmaps and weights.

`model.markup`, `model.heatmap`, `model.errors` and `model.zoo` need numpy only, so that the tracker
runs without torch; every other module of this package needs torch.
"""
