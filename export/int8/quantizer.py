"""Post-training quantisation of an exported graph with NNCF."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Collection
from importlib.util import find_spec

import numpy as np
import onnx
from numpy.typing import NDArray

from export.int8.qdq_graph import remove_unused
from model.errors import InputError
from tracker.engines.base import normalize
from tracker.engines.onnx_file import INPUT, PRECISION, PREFIX


def require_nncf() -> None:
    """Say what to install where NNCF is missing.

    Raises:
        InputError: it is not installed.
    """
    if find_spec("nncf") is None:
        raise InputError("quantising needs nncf: pip install 'propnet-tracker[int8]'.")


def quantize_layers(
    floats: onnx.ModelProto, layers: Collection[str], crops: NDArray[np.uint8]
) -> onnx.ModelProto:
    """Put convolutions into 8 bits; everything between them stays in floats.

    Weights are symmetric per channel, activations asymmetric per tensor where they are not behind
    a ReLU. The sums and concatenations of the residual path stay in floats: in 8 bits they cost
    several times the NME, because every block rounds the same features again.

    Args:
        floats: a graph of `export.int8.qdq_graph.to_floats`.
        layers: names of convolutions.
        crops: [N, S, S, 3], for the ranges of the activations.

    Returns:
        A QDQ graph with int8 weights, the metadata of `floats` and the mark of an int8 network.
    """
    with warnings.catch_warnings():
        # Of its own dependencies' age.
        warnings.simplefilter("ignore")
        import nncf  # noqa: PLC0415  (an extra, and seconds to load)

        logging.getLogger("nncf").setLevel(logging.ERROR)
        quantized: onnx.ModelProto = nncf.quantize(
            floats,
            nncf.Dataset(crops, lambda crop: {INPUT: normalize(crop[None])}),
            preset=nncf.QuantizationPreset.MIXED,
            target_device=nncf.TargetDevice.CPU,
            subset_size=len(crops),
            ignored_scope=nncf.IgnoredScope(
                names=[node.name for node in floats.graph.node if node.name not in layers]
            ),
        )
    remove_unused(quantized.graph)
    del quantized.metadata_props[:]
    quantized.metadata_props.extend(floats.metadata_props)
    mark = quantized.metadata_props.add()
    mark.key, mark.value = PREFIX + PRECISION, "int8"
    return quantized
