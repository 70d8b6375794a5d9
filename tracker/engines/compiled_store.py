"""Networks that OpenVINO has compiled, kept from one run to the next.

Compiling is most of a tracker's start: it is ready in 1.1 s from the cache, and in 2.7 without it
(docs/results.md, "Starting"). OpenVINO can keep what it compiles itself (CACHE_DIR), but takes a
file whose weights were damaged as it is, and never takes one away.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import openvino as ov

from model.errors import InputError
from model.files import replacing
from tracker.engines.cache_folder import cache_folder
from tracker.system.processor import processor_name, vector_features

_log = logging.getLogger("propnet")
# Bytes of all files together: the default's two networks take a fourteenth of it.
_MOST = 128 * 2**20
_DIGEST = hashlib.sha256().digest_size


def stored(
    core: ov.Core,
    device: str,
    settings: Mapping[str, object],
    network: bytes,
    compile_network: Callable[[], ov.CompiledModel],
) -> ov.CompiledModel:
    """A compiled network from the cache; compiled and put there if it is not in it.

    It computes the same to the bit either way. A cache that cannot be read or written is done
    without: it only saves time.

    Args:
        core: OpenVINO.
        device: that the network is for.
        settings: that it is compiled with.
        network: what it is compiled from, with everything that `compile_network` reads.
        compile_network: compiles it.

    Returns:
        The network.
    """
    try:
        path = cache_folder() / f"openvino-{_key(core, device, settings, network)}.blob"
    except InputError as error:
        _log.debug("compiled networks are not kept: %s", error)
        return compile_network()
    blob = _read(path)
    if blob is not None:
        try:
            return core.import_model(blob, device, dict(settings))
        except RuntimeError as error:
            _log.debug("OpenVINO does not take %s: %s", path, error)
    compiled = compile_network()
    try:
        _write(path, compiled.export_model().getvalue())
    except (RuntimeError, InputError) as error:
        _log.debug("%s is not kept: %s", path, error)
    return compiled


def _key(core: ov.Core, device: str, settings: Mapping[str, object], network: bytes) -> str:
    """Name of all that decides about a compiled network, this machine's processor included."""
    about = {
        "openvino": ov.get_version(),
        "device": device,
        "names": [core.get_property(device, "FULL_DEVICE_NAME"), processor_name()],
        "features": [*vector_features(), *core.get_property(device, "OPTIMIZATION_CAPABILITIES")],
        "settings": {name: str(value) for name, value in settings.items()},
        "network": hashlib.sha256(network).hexdigest(),
    }
    text = json.dumps(about, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _read(path: Path) -> bytes | None:
    """A compiled network; None if there is none, or not the one that was written."""
    try:
        data = path.read_bytes() if path.is_file() else b""
    except OSError as error:
        _log.debug("cannot read %s: %s", path, error)
        return None
    digest, blob = data[:_DIGEST], data[_DIGEST:]
    if not blob or hashlib.sha256(blob).digest() != digest:
        return None
    with suppress(OSError):
        os.utime(path)  # what was not used for longest goes first
    return blob


def _write(path: Path, blob: bytes) -> None:
    """Keep a compiled network, and take away those that were not used for longest.

    Raises:
        InputError: the folder cannot be written to, or another run writes the same.
    """
    with replacing(path) as partial:
        partial.write_bytes(hashlib.sha256(blob).digest() + blob)
    left = _MOST
    for other in sorted(path.parent.glob("openvino-*.blob"), key=_used, reverse=True):
        with suppress(OSError):  # another run took it away
            left -= other.stat().st_size
            if left < 0:
                other.unlink()


def _used(path: Path) -> float:
    """When a file was last used, seconds; 0 if it is gone."""
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
