"""Trackers and engines after a fork: a sentence, where they would wait for ever."""

import os
import signal
from collections.abc import Callable

import numpy as np
import pytest

from model.errors import InputError
from tests.support.small_network import exported_small
from tracker import Tracker, create_engine
from tracker.assets.portrait import portrait_image

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork"),
    pytest.mark.filterwarnings("ignore:This process:DeprecationWarning"),
]
SENTENCE = (
    "in another process, and its threads did not come along with the fork: start processes by "
    "multiprocessing.get_context('spawn'), and make trackers and engines in each."
)


def in_a_fork(work: Callable[[], object]) -> str:
    """What a forked process makes of some work: "done", its mistake, or that it hangs."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(30)
        try:
            work()
            said = "done"
        except InputError as error:
            said = str(error)
        except BaseException as error:
            said = repr(error)
        os.write(writing, said.encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as stream:
        said = stream.read()
    _, status = os.waitpid(child, 0)
    return said or f"hangs, {status}"


@pytest.mark.parametrize("name", ["openvino", "onnxruntime", "torch"])
def test_after_a_fork(name: str) -> None:
    if name == "openvino":
        pytest.importorskip("openvino")
    weights, network = exported_small()
    image = portrait_image()
    engine = create_engine(name, str(weights if name == "torch" else network))
    crops = np.zeros((1, *[engine.info.input_size] * 2, 3), np.uint8)
    with Tracker(engine=engine) as tracker:
        tracker(image, 0.0)
        engine(crops)
        assert in_a_fork(lambda: tracker(image, 0.1)) == f"this tracker was made {SENTENCE}"
        assert in_a_fork(lambda: engine(crops)) == f"this engine was made {SENTENCE}"
        assert in_a_fork(tracker.close) == "done"
        assert in_a_fork(engine.close) == "done"
        assert len(engine(crops)) == 1  # here it works on
    engine.close()


def test_an_engine_made_after_a_fork() -> None:
    """OpenVINO's threads belong to the process; the others' to each engine."""
    pytest.importorskip("openvino")
    _, network = exported_small()
    create_engine("openvino", str(network)).close()

    def make(name: str) -> Callable[[], object]:
        return lambda: create_engine(name, str(network)).close()

    assert in_a_fork(make("openvino")) == f"OpenVINO was started {SENTENCE}"
    assert in_a_fork(make("onnxruntime")) == "done"
