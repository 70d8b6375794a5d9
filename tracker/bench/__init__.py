"""Measuring: milliseconds by stage, what the machine could do at most, jitter, lag and memory.

Imports what it measures: everything but `runs` and `commands`.
"""
