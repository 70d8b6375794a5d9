"""A machine on which hardly an engine runs."""

from __future__ import annotations

from typing import NoReturn

import pytest

from export.compared_engines import CANDIDATES, Candidate, Network
from model.errors import InputError


def only_onnxruntime(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every candidate but ONNX Runtime in 32 bits says that there is no such GPU."""

    def missing(network: Network) -> NoReturn:
        raise InputError("no such GPU.")

    for name in CANDIDATES:
        if name != "onnxruntime-f32":
            monkeypatch.setitem(CANDIDATES, name, Candidate(False, missing))
