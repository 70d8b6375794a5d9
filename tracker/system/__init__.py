"""Threads, signals, files and addresses: what any program needs, and no faces in it.

The lowest room: imports `model.errors` and `model.files` only.
"""
