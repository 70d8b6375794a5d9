"""Operators of an ONNX graph, written down one after the other."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper


class Operators:
    """Collects nodes and constants of a part of a graph.

    Attributes:
        nodes: in order.
        constants: what they read beside each other's results.

    Args:
        prefix: of all names; keeps them apart from the network's.
    """

    def __init__(self, prefix: str) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self._prefix = prefix

    def __call__(
        self, kind: str, *inputs: str | float, output: str | None = None, **attributes: Any
    ) -> str:
        """Add an operator; numbers among its inputs become 32-bit constants.

        Returns:
            Name of its result.
        """
        names = [self.constant(np.float32(x)) if not isinstance(x, str) else x for x in inputs]
        name = f"{self._prefix}.{len(self.nodes)}.{kind}"
        output = output or name
        self.nodes.append(helper.make_node(kind, names, [output], name, **attributes))
        return output

    def split(self, values: str, count: int) -> list[str]:
        """Add a split of the last axis into single columns; returns their names."""
        name = f"{self._prefix}.{len(self.nodes)}.Split"
        outputs = [f"{name}.{i}" for i in range(count)]
        self.nodes.append(
            helper.make_node("Split", [values], outputs, name, axis=-1, num_outputs=count)
        )
        return outputs

    def constant(self, values: NDArray[np.generic] | np.generic) -> str:
        """Add a constant; returns its name."""
        name = f"{self._prefix}.constant.{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(values), name))
        return name
