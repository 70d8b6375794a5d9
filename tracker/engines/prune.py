"""Cutting an ONNX graph down to some of its outputs."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import onnx


def keep_outputs(model: onnx.ModelProto, names: Collection[str]) -> None:
    """Remove all other outputs, and whatever only they depended on.

    Args:
        model: is changed.
        names: outputs to keep.
    """
    graph = model.graph
    _keep(graph.output, lambda value: value.name in names)
    needed = {value.name for value in graph.output}
    used: set[int] = set()
    # Nodes are in the order in which they compute, so one look from the end sees all users first.
    for index in range(len(graph.node) - 1, -1, -1):
        if needed.intersection(graph.node[index].output):
            used.add(index)
            needed.update(graph.node[index].input)
    nodes = [node for index, node in enumerate(graph.node) if index in used]
    made = {name for node in nodes for name in node.output}
    del graph.node[:]
    graph.node.extend(nodes)
    _keep(graph.initializer, lambda tensor: tensor.name in needed)
    _keep(graph.value_info, lambda value: value.name in made)


def _keep(values: Any, wanted: Callable[[Any], bool]) -> None:
    """Remove the items of a repeated field that are not wanted."""
    kept = [value for value in values if wanted(value)]
    del values[:]
    values.extend(kept)
