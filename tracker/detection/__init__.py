"""Finding faces in a picture without knowing where they were.

Imports `system` and `assets`; knows no engine and no tracking.
"""
