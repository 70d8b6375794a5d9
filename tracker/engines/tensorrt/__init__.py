"""From an exported network to a TensorRT engine for one GPU.

It lives beside the tracker, not in `export`, because an engine fits one GPU model and one version
of TensorRT: it is built where it runs, without torch. `python -m export.run --tensorrt` calls it
too.
"""
