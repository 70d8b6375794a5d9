"""Following faces: crop, network, decoder; who is who from frame to frame; smoothing over time.

The heart of the tracker. Imports `engines`, `detection` and `sources` (to read a whole file); no
drawing, no outputs.
"""
