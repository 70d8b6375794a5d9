"""Figures: error curves, reliability, robustness, sheets of faces, views as training serves them.

Needs matplotlib; commands import these files only for those who ask for a figure.
"""
