"""Measuring: milliseconds by stage, what the machine could do at most, jitter, lag and memory.

May import every other room of the tracker but `commands`.
"""
