"""Video and picture files, in and out: decoding, encoding, sound, what containers say and hide.

Frames with times; no faces. Imports `system`.
"""
