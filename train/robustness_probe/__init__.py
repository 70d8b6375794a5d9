"""Where a network is weak: faces changed one condition at a time, probed, reported.

`python -m train.robustness` is made of it.
"""
