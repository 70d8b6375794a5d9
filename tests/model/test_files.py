from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.errors import InputError
from model.files import (
    check_output,
    complete,
    create_unfinished,
    give_up_all,
    replacing,
    unfinished,
    write_json,
)

NAMES = st.text(
    st.characters(blacklist_characters="/\0", blacklist_categories=("Cs",)), min_size=1, max_size=60
).filter(lambda name: name not in (".", ".."))


@given(NAMES)
def test_names_of_unfinished_files_are_new_and_fit(name: str) -> None:
    path = Path("folder") / name
    one, other = unfinished(path), unfinished(path)
    assert one != other
    assert one.parent == path.parent
    assert one.name.endswith(f".partial{path.suffix}")
    if len(os.fsencode(path.suffix)) < 40:
        assert len(os.fsencode(one.name)) <= 255


def test_a_file_that_looks_unfinished_is_nobodys_to_replace(tmp_path: Path) -> None:
    theirs = tmp_path / "foo.partial.csv"
    theirs.write_text("theirs")
    with replacing(tmp_path / "foo.csv") as partial:
        assert partial != theirs
        partial.write_text("ours")
    assert theirs.read_text() == "theirs"
    assert (tmp_path / "foo.csv").read_text() == "ours"
    assert len(list(tmp_path.iterdir())) == 2


def test_it_is_made_exclusively(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("model.files.secrets.token_hex", lambda _: "0" * 8)
    theirs = tmp_path / "a.00000000.partial.csv"
    theirs.touch()
    with pytest.raises(FileExistsError):
        create_unfinished(tmp_path / "a.csv")
    with pytest.raises(InputError, match="cannot write"), replacing(tmp_path / "a.csv"):
        pass
    assert list(tmp_path.iterdir()) == [theirs]


def test_what_a_process_leaves_goes_with_it(tmp_path: Path) -> None:
    complete(create_unfinished(tmp_path / "whole.csv"), tmp_path / "whole.csv")
    theirs = tmp_path / "theirs.00000000.partial.csv"
    theirs.touch()
    for name in ("begun.csv", "begun.jsonl"):
        create_unfinished(tmp_path / name)
    create_unfinished(tmp_path / "begun", folder=True).joinpath("a").touch()
    give_up_all()
    assert {path.name for path in tmp_path.iterdir()} == {"whole.csv", theirs.name}


def test_a_file_that_a_thread_opens_after_it_was_removed_goes_with_the_next_owner(
    tmp_path: Path,
) -> None:
    """As in a worker that ends with its parent just when its encoder opens the file."""
    code = (
        "import os, pathlib, sys; "
        "from model.files import create_unfinished, remove_all_unfinished; "
        "video = create_unfinished(pathlib.Path(sys.argv[1])); remove_all_unfinished(); "
        "assert not video.exists(); video.touch(); os._exit(1)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "a.mp4")], check=False)
    assert len(list(tmp_path.glob("a.*.partial.mp4"))) == 1
    create_unfinished(tmp_path / "a.mp4")
    give_up_all()
    assert not list(tmp_path.iterdir())


def test_a_signal_between_a_file_and_its_block(tmp_path: Path) -> None:
    """As in a worker whose KeyboardInterrupt comes before anybody owns the file."""
    code = (
        "import pathlib, sys; from model.files import create_unfinished; "
        "create_unfinished(pathlib.Path(sys.argv[1])); raise KeyboardInterrupt"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "a.csv")]
    subprocess.run(command, stderr=subprocess.DEVNULL, check=False)
    assert not list(tmp_path.iterdir())


def test_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.txt"
    with replacing(path) as partial:
        partial.write_text("old")
    with pytest.raises(RuntimeError), replacing(path) as partial:
        partial.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert [entry.name for entry in path.parent.iterdir()] == ["a.txt"]


@pytest.mark.skipif(os.name == "nt", reason="modes are POSIX's")
def test_files_have_the_modes_of_other_files(tmp_path: Path) -> None:
    (tmp_path / "usual").touch()
    with replacing(tmp_path / "ours") as partial:
        partial.write_text("x")
    modes = {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("usual", "ours")}
    assert len(modes) == 1


def test_what_cannot_be_written_to(tmp_path: Path) -> None:
    there = tmp_path / "there.csv"
    there.touch()
    nowhere = tmp_path / "nowhere.csv"
    nowhere.symlink_to(tmp_path / "missing.csv")
    check_output(tmp_path / "new.CSV", (".csv",))
    check_output(there, overwrite=True)
    for arguments, words in (
        (((tmp_path / "a.txt"), (".csv", ".jsonl")), "does not end in .csv or .jsonl"),
        ((tmp_path,), "is a folder"),
        ((there,), "exists already: give another name, or add --overwrite"),
        ((tmp_path / ".csv", (".csv",)), "is an ending without a name"),
        ((tmp_path / f"{'n' * 300}.csv",), "cannot be written: File name too long"),
        ((nowhere,), "exists already"),
    ):
        with pytest.raises(InputError, match=words):
            check_output(*arguments)
    with pytest.raises(InputError, match="is the input itself"):
        check_output(there, overwrite=True, source=there)


def test_json_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "figures.json"
    write_json(path, {"error": 3.5, "names": ["a"]})
    assert path.read_text() == '{\n  "error": 3.5,\n  "names": [\n    "a"\n  ]\n}\n'
    with pytest.raises(TypeError):
        write_json(path, {"error": object()})
    assert json.loads(path.read_text())["error"] == 3.5
    assert [found.name for found in tmp_path.iterdir()] == ["figures.json"]
