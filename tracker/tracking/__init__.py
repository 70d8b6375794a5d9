"""Following faces: crop, network, decoder; who is who from frame to frame; smoothing over time.

The heart of the tracker. Knows pictures and engines; no files, no drawing, no outputs.
"""
