"""Figures: error curves, reliability, robustness, sheets of faces, views as training serves them.

matplotlib is imported by the functions that draw, so that numbers can be had without it.
"""
