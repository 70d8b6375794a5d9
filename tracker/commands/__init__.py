"""What a user types: options, progress bars and messages of each command; no work of its own.

May import every other room; none may import it but `tracker.cli`.
"""
