"""Damaged files for every reader: `python -m tests.fuzz --seconds 60 --seed 1`.

Each kind of file has seeds (good files, made here), mutations (`mutations`), and the reader that
users meet (`readers`). Readers run in children of one process per kind that has loaded the
libraries (`server`): a child reads input after input, and one that dies, hangs or takes too much
memory costs that input only. Inputs depend on seed, kind and number alone, so they can be made
again; those that show a fault are kept.
"""
