"""Threads, signals, files and addresses: what any program needs, and no faces in it.

The ground floor: imports `model` only.
"""
