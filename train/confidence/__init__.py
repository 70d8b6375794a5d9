"""From the heights of heatmap peaks to probabilities: views, observations, the fit.

What `python -m train.calibrate` runs; the result is stored in the weights (`model.confidence`).
"""
