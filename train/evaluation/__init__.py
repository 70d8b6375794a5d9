"""What a network is scored by: its landmarks of labelled faces, their errors, the report.

`python -m train.evaluate` is made of it; training judges every epoch by it.
"""
