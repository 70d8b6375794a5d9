"""An exported network in 8-bit integers: scales, which layers stay in floats, the graph.

May import `model`, `tracker`, `train` and the files of `export` that know no quantisation.
"""
