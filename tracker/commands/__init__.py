"""What a user types: options, progress bars and messages of each command; no work of its own.

The top floor, under `tracker.cli`. Imports its heavy libraries inside functions: `--help` must not
wait for them.
"""
