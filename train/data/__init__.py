"""Readers of labelled faces, what their lists say about groups, pictures kept in memory.

`datasets.read_dataset` opens them all by name; every reader gives `sample.Sample`s.
"""
