"""Several runs held against each other: the paper's ablations, changes to a recipe.

`python -m train.ablate` and `python -m train.sweep` are made of it.
"""
