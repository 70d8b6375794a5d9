"""The network itself, as torch modules: stacked hourglasses, propagation module, attention.

May import torch and `model`; nothing of the tracker may import it but its torch engine.
"""
