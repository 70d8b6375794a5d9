"""From an exported network to a TensorRT engine for one GPU, and running it.

It lives beside the other engines, not in `export`, because an engine fits one GPU model and one
version of TensorRT: it is built where it runs, without torch. `python -m export.run --tensorrt`
calls it too.
"""
