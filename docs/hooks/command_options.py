"""The page of all options of `propnet-track`, made of the commands themselves."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterable
from dataclasses import fields
from importlib import import_module
from pathlib import Path
from typing import Any, get_args, get_origin

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from repository import ROOT
from typer.models import ArgumentInfo, OptionInfo, ParameterInfo

PAGE = "reference/options.md"
_HEAD = """# Options of propnet-track

This page is made from the commands when the site is built; `--help` says the same. Colours, sizes
and codecs are explained in [What is drawn](../drawing.md), tables in [Tables](../tables.md), what
is sent while it runs in [Live outputs](../live.md).
"""
# What stands for a value that has no name of its own.
_VALUES = {int: "N", float: "NUMBER", str: "TEXT", Path: "PATH"}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the page."""
    # The tree that the site is made of, whatever is installed.
    sys.path.insert(0, str(ROOT))
    files.append(File.generated(config, PAGE, content=_page()))
    return files


def _page() -> str:
    cli = import_module("tracker.cli")
    options = import_module("tracker.commands.run_options").RunOptions
    shared = {field.name for field in fields(options)}
    parts = [_HEAD, *_command("propnet-track", cli.track, shared)]
    parts += ["## Options of propnet-track and propnet-track batch\n"]
    parts += _table(p for p in _parameters(cli.track) if p.name in shared)
    for name, (module, function) in sorted(cli._LAZY.items()):
        command = getattr(import_module(module), function)
        parts += _command(f"propnet-track {name}", command, shared if name == "batch" else set())
    return "\n".join(parts)


def _command(name: str, command: Callable[..., None], shared: set[str]) -> list[str]:
    """Heading, what it does, its arguments and the options that are its own."""
    own = [p for p in _parameters(command) if p.name not in shared]
    usage = " ".join([name, "[OPTIONS]", *(_argument(p) for p in own if _is_argument(p))])
    more = "\nThe options of the section above are its options, too.\n" if shared else ""
    return [
        f"## {name}\n",
        f"```text\n{usage}\n```\n",
        f"{inspect.getdoc(command)}\n{more if name != 'propnet-track' else ''}",
        *_table(own),
    ]


def _parameters(command: Callable[..., None]) -> list[inspect.Parameter]:
    """The parameters of a command that typer makes arguments and options of."""
    parameters = inspect.signature(command, eval_str=True).parameters.values()
    return [
        p for p in parameters if any(isinstance(a, ParameterInfo) for a in get_args(p.annotation))
    ]


def _info(parameter: inspect.Parameter) -> Any:
    return next(a for a in get_args(parameter.annotation) if isinstance(a, ParameterInfo))


def _is_argument(parameter: inspect.Parameter) -> bool:
    return isinstance(_info(parameter), ArgumentInfo)


def _argument(parameter: inspect.Parameter) -> str:
    word = str(_info(parameter).metavar or parameter.name.upper())
    return word if parameter.default is inspect.Parameter.empty else f"[{word}]"


def _table(parameters: Iterable[inspect.Parameter]) -> list[str]:
    rows = [
        f"| {_name(p)} | {_value(p)} | {_default(p)} | {_text(_info(p).help or '')} |"
        for p in parameters
    ]
    return ["| option | value | if not given | what |", "|---|---|---|---|", *rows, ""]


def _name(parameter: inspect.Parameter) -> str:
    info = _info(parameter)
    if not isinstance(info, OptionInfo):
        return f"`{info.metavar or parameter.name.upper()}`"
    # In an annotation the first name arrives where a default would stand, and is moved later.
    first = (info.default,) if isinstance(info.default, str) else ()
    plain = f"--{parameter.name.strip('_').replace('_', '-')}"
    names = "/".join((*first, *(info.param_decls or ())) or (plain,)).split("/")
    return ", ".join(f"`{name}`" for name in names)


def _value(parameter: inspect.Parameter) -> str:
    info = _info(parameter)
    kinds = _kinds(parameter)
    if not isinstance(info, OptionInfo) or bool in kinds:
        return ""
    word = info.metavar or next((_VALUES[kind] for kind in kinds if kind in _VALUES), "TEXT")
    return f"`{word}`"


def _kinds(parameter: inspect.Parameter) -> tuple[Any, ...]:
    """The types that a value can have: of `Annotated[int | None, ...]` int and None."""
    kind = get_args(parameter.annotation)[0]
    return (kind,) if get_origin(kind) in (None, list) else get_args(kind)


def _default(parameter: inspect.Parameter) -> str:
    default = parameter.default
    if default is inspect.Parameter.empty:
        return "must be given"
    if default is None or default is False:
        return ""
    if default is True:
        return "yes"
    return f"`{','.join(default) if isinstance(default, list) else default}`"


def _text(text: str) -> str:
    """Text in a cell, where a bar outside of code would end it."""
    return " ".join(text.split()).replace("|", "\\|")
