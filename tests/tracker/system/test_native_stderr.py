import os
import sys

import pytest

from model.errors import InputError
from tracker.system.native_stderr import native_stderr_hidden


def native(text: str) -> None:
    os.write(2, text.encode())


def test_native_output_is_hidden_and_python_output_is_not(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with native_stderr_hidden():
        native("delegate created")
        print("for the user", file=sys.stderr)
        with native_stderr_hidden():
            native("nested")
    native("afterwards")
    assert capfd.readouterr().err == "for the user\nafterwards"


def test_what_was_hidden_is_shown_when_the_program_fails(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(RuntimeError), native_stderr_hidden():
        native("the reason")
        raise RuntimeError
    assert capfd.readouterr().err == "the reason"
    with pytest.raises(InputError), native_stderr_hidden():
        native("noise")
        raise InputError
    assert capfd.readouterr().err == ""
