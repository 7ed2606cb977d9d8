"""Calls of recipes as plain values: what a record keeps of a call, so that its products can be made again."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import math
import stat
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ParamSpec, TypeAlias, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

#: Size in bytes and time of the last change in ns.
FileState: TypeAlias = tuple[int, int]

#: Arguments that say how the work is done, not what comes of it.
ASIDE = ("overwrite", "progress")


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A call of a recipe that is going on.

    Parameters
    ----------
    recipe : str
        Module of the recipe.
    arguments : mapping
        All arguments by name, defaults included.
    hints : mapping of str to str
        Their annotations.
    out : str
        The argument that says where the products go.
    each : str
        The argument whose files are worked on one by one; empty if they belong together.
    files : dict
        The files among the arguments, with their states when it began.
    """

    recipe: str
    arguments: Mapping[str, Any]
    hints: Mapping[str, str]
    out: str
    each: str = ""
    files: dict[Path, FileState] = field(default_factory=dict)


_current: ContextVar[Call | None] = ContextVar("call", default=None)


def current_call() -> Call | None:
    """Return the innermost recorded call that is going on; None outside of any."""
    return _current.get()


def recorded(*, out: str = "out_dir", each: str = "") -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let the records that a recipe writes keep its arguments.

    Parameters
    ----------
    out : str
        The argument that says where the products go.
    each : str
        The argument whose files are worked on one by one: the record of a product keeps that of its own alone.
    """

    def decorate(recipe: Callable[P, R]) -> Callable[P, R]:
        signature = inspect.signature(recipe)
        hints = {name: str(parameter.annotation) for name, parameter in signature.parameters.items()}

        @functools.wraps(recipe)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            try:
                given = signature.bind(*args, **kwargs)
            except TypeError:
                return recipe(*args, **kwargs)  # which says better what is wrong
            given.apply_defaults()
            name = recipe.__module__.rpartition(".")[2]
            facts: dict[str, Any] = {"arguments": given.arguments, "hints": hints, "out": out, "each": each}
            token = _current.set(Call(recipe=name, files=_files_among(given.arguments, hints, out), **facts))
            try:
                return recipe(*args, **kwargs)
            finally:
                _current.reset(token)

        return call

    return decorate


def file_state(path: Path) -> FileState | None:
    """Return the state of a file; None of anything else."""
    with suppress(OSError, ValueError):
        status = path.stat()
        return (status.st_size, status.st_mtime_ns) if stat.S_ISREG(status.st_mode) else None
    return None


def _files_among(arguments: Mapping[str, Any], hints: Mapping[str, str], out: str) -> dict[Path, FileState]:
    """Return the files that arguments name, apart from where the products go."""
    given = [value for name, value in arguments.items() if name != out and "Path" in hints[name]]
    found = (path for value in given for path in _paths(value))
    return {path.resolve(): state for path in found if (state := file_state(path)) is not None}


def _paths(value: Any) -> Iterator[Path]:
    """Yield what may be paths in an argument."""
    if isinstance(value, str | Path):
        yield Path(value)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _paths(one)


def plain_arguments(call: Call, inputs: Collection[Path]) -> dict[str, Any]:
    """Return the arguments of a call as JSON has them, without where the products go.

    A path is ``{"path": text}``, a dataclass ``{"type": name, "fields": {...}}``, a mapping ``{"mapping": {...}}``
    and a number that JSON does not know ``{"number": text}``.

    Parameters
    ----------
    call : Call
        The call.
    inputs : collection of Path
        What the product was made from: files that are worked on one by one and are none of these are left out.

    Raises
    ------
    TypeError
        If a value exists in memory only.
    """
    given = dict(call.arguments)
    known = {Path(path).resolve() for path in inputs}
    if call.each:
        own = [path for path in given[call.each] if Path(path).resolve() in known]
        given[call.each] = own or list(given[call.each])
    return {
        name: _plain(value, name, may_be_path="Path" in call.hints[name])
        for name, value in given.items()
        if name not in (call.out, *ASIDE)
    }


def paths_of(value: Any) -> Iterator[Path]:
    """Yield every path in arguments as `plain_arguments` returns them."""
    if isinstance(value, Mapping):
        if set(value) == {"path"}:
            yield Path(value["path"])
            return
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            yield from paths_of(one)


def _plain(value: Any, name: str, *, may_be_path: bool) -> Any:
    """Return one value as JSON has it; of what was read from a file (``read_by``), what it takes to read it again."""
    if isinstance(value, Path) or (may_be_path and isinstance(value, str) and _exists(value)):
        return {"path": str(Path(value).resolve())}
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else {"number": repr(float(value))}
    if isinstance(value, list | tuple):
        return [_plain(one, name, may_be_path=may_be_path) for one in value]
    if isinstance(value, Mapping):
        return {"mapping": {str(key): _plain(one, name, may_be_path=may_be_path) for key, one in value.items()}}
    if dataclasses.is_dataclass(value):
        return {"type": type(value).__name__, "fields": _plain_fields(value, name)}
    if hasattr(value, "item") and getattr(value, "ndim", 1) == 0:
        return _plain(value.item(), name, may_be_path=False)
    msg = f"{name} is a {type(value).__name__} in memory"
    raise TypeError(msg)


def _exists(text: str) -> bool:
    """Tell whether a text names a file or folder; some that no system would take raise."""
    with suppress(OSError, ValueError):
        return bool(text) and Path(text).exists()
    return False


def _plain_fields(value: Any, name: str) -> dict[str, Any]:
    read_by = getattr(value, "read_by", ()) if getattr(value, "path", None) is not None else ()
    return {
        field.name: _plain(getattr(value, field.name), f"{name}.{field.name}", may_be_path="Path" in str(field.type))
        for field in dataclasses.fields(value)
        if field.init and (not read_by or field.name in read_by)
    }
