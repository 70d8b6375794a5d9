"""What runs the network: one protocol (`base`), one place where an engine is picked (`create`).

Engines know files, arrays and devices; no video, no screen, no tracking. torch is imported by the
files named after it only, and those only when that engine was asked for.
"""
