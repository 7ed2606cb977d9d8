"""Options that commands share, and options made from a parameter dataclass."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import types
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from napari_kmos.cluster import connected
from napari_kmos.errors import KmosError
from napari_kmos.offset import UNACCEPTED
from napari_kmos.provenance import defaults_of, descriptions_of, groups_of

P = TypeVar("P")


def add_common(parser: argparse.ArgumentParser) -> None:
    """Add what every command takes: -v, -q, --json, --overwrite."""
    group = parser.add_argument_group("general")
    group.add_argument("-v", "--verbose", action="count", default=0, help="tell more; with errors the traceback")
    group.add_argument("-q", "--quiet", action="count", default=0, help="no progress and no warnings")
    group.add_argument("--json", action="store_true", help="print the result as one JSON object")
    group.add_argument("--overwrite", action="store_true", help="replace outputs that exist")


def add_files(parser: argparse.ArgumentParser, what: str, *, dest: str = "files", metavar: str = "FILE") -> None:
    """Add one or more input files as positional arguments."""
    parser.add_argument(dest, nargs="+", type=Path, metavar=metavar, help=what)


def add_output_dir(parser: argparse.ArgumentParser, *, required: bool = True) -> None:
    """Add ``-o DIR``."""
    parser.add_argument(
        "-o", "--output", type=Path, metavar="DIR", required=required, help="folder of the products; made if missing"
    )


def add_output_file(parser: argparse.ArgumentParser, metavar: str, what: str) -> None:
    """Add ``-o FILE``."""
    parser.add_argument("-o", "--output", type=Path, metavar=metavar, required=True, help=what)


def add_ifu(parser: argparse.ArgumentParser) -> None:
    """Add ``--ifu N``."""
    parser.add_argument("--ifu", type=int, metavar="N", help="this IFU only (1-24)")


def add_offsets(parser: argparse._ActionsContainer, text: str) -> None:
    """Add ``--offsets FILE...`` and what is done where they do not tell: ``--unaccepted``."""
    parser.add_argument("--offsets", nargs="+", type=Path, metavar="FILE", help=text)
    parser.add_argument(
        "--unaccepted",
        choices=UNACCEPTED,
        default="error",
        help="where an offset is missing or not accepted: stop, trust the header, or skip (default: %(default)s)",
    )


def add_scheduler(parser: argparse.ArgumentParser) -> None:
    """Add ``--scheduler ADDRESS``; the command then runs inside `scheduled`."""
    parser.add_argument(
        "--scheduler", metavar="ADDRESS", help="compute on a dask.distributed cluster, e.g. tcp://host:8786"
    )


@contextlib.contextmanager
def scheduled(args: argparse.Namespace) -> Iterator[None]:
    """Compute on the cluster of ``--scheduler`` while in the context; on this machine's threads without it."""
    address = getattr(args, "scheduler", None)
    if address is None:
        yield
        return
    with connected(address) as client:
        import dask

        with dask.config.set(scheduler=client):
            yield


def add_parameters(
    parser: argparse.ArgumentParser, parameters: type[Any], *, title: str = "parameters", exclude: Sequence[str] = ()
) -> None:
    """Add the fields of a parameter dataclass as options.

    Parameters
    ----------
    parser : ArgumentParser
        Gets a group of options, ``--field-name`` and, for those used to ESO's names, ``--field_name``.
    parameters : type
        A dataclass whose fields have defaults. Help comes from ``field(metadata={"help": ...})`` or from the numpydoc
        Parameters of its docstring, choices from a ``Literal`` or ``metadata["choices"]``; a bool becomes
        ``--name`` and ``--no-name``, a tuple is given with commas.
    title : str
        Heading of the group; fields of base classes have groups of their own.
    exclude : sequence of str
        Fields the command sets itself.
    """
    hints = get_type_hints(parameters)
    texts, defaults = descriptions_of(parameters), defaults_of(parameters)
    fields = {field.name: field for field in dataclasses.fields(parameters)}
    for number, (heading, names) in enumerate(groups_of(parameters).items()):
        group = parser.add_argument_group(heading if number else title)
        for name in names:
            if name not in exclude:
                text = f"{texts.get(name, '')} (default: {_shown(defaults.get(name))})"
                _add_field(group, fields[name], hints[name], text.strip().replace("%", "%%"))


def build_parameters(args: argparse.Namespace, parameters: type[P], **fixed: Any) -> P:
    """Build the parameter dataclass from the options that were given, its own defaults and ``fixed`` values.

    Raises
    ------
    KmosError
        If the dataclass refuses a value.
    """
    names = [field.name for field in dataclasses.fields(parameters)]  # type: ignore[arg-type]
    given = {name: getattr(args, name) for name in names if hasattr(args, name)}
    try:
        return parameters(**{**given, **fixed})
    except ValueError as err:
        if isinstance(err, KmosError):
            raise
        raise KmosError(str(err)) from err


def _add_field(group: Any, field: dataclasses.Field[Any], hint: Any, text: str) -> None:
    """Add the option of one field; absent from the result unless given."""
    flags = list(dict.fromkeys((f"--{field.name.replace('_', '-')}", f"--{field.name}")))
    kind = _required(hint)
    choices = field.metadata.get("choices") or (get_args(kind) if get_origin(kind) is Literal else None)
    if kind is bool:
        group.add_argument(
            *flags, dest=field.name, action=argparse.BooleanOptionalAction, default=argparse.SUPPRESS, help=text
        )
        return
    metavar = field.metadata.get("metavar") or (None if choices else _metavar(kind))
    group.add_argument(
        *flags,
        dest=field.name,
        type=_converter(kind),
        choices=list(choices) if choices else None,
        metavar=metavar,
        default=argparse.SUPPRESS,
        help=text,
    )


def _required(hint: Any) -> Any:
    """Strip ``| None`` from a type."""
    if get_origin(hint) in (Union, types.UnionType):
        rest = [part for part in get_args(hint) if part is not type(None)]
        return rest[0] if len(rest) == 1 else str
    return hint


def _metavar(kind: Any) -> str:
    """Name the value of an option in its help."""
    if get_origin(kind) is tuple:
        item = get_args(kind)[0]
        return f"{_metavar(item)},..."
    return {int: "N", float: "X", Path: "FILE"}.get(kind, "NAME")


def _converter(kind: Any) -> Callable[[str], Any]:
    """Return the function that reads an option's text."""
    if get_origin(kind) is tuple:
        parts = get_args(kind)
        return _tuple_converter(parts[0], None if parts[-1] is Ellipsis else len(parts))
    if get_origin(kind) is Literal:
        return type(get_args(kind)[0])
    return kind if kind in (int, float, Path) else str


def _tuple_converter(item: Any, length: int | None) -> Callable[[str], tuple[Any, ...]]:
    """Return the function that reads values separated by commas."""

    def convert(text: str) -> tuple[Any, ...]:
        try:
            values = tuple(_converter(_required(item))(part.strip()) for part in text.split(",") if part.strip())
        except ValueError as err:
            msg = f"{text!r} is not a list of {getattr(item, '__name__', item)} separated by commas"
            raise argparse.ArgumentTypeError(msg) from err
        if length is not None and len(values) != length:
            msg = f"{text!r} holds {len(values)} values; expected {length}"
            raise argparse.ArgumentTypeError(msg)
        return values

    return convert


def _shown(value: Any) -> str:
    """Write a default as one would type it."""
    if isinstance(value, tuple):
        return ",".join(str(item) for item in value) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None else str(value)


def add_spectra(parser: argparse.ArgumentParser) -> None:
    """Add spectra of stars, and the windows in which their signal to noise is measured."""
    add_files(
        parser, "spectra of `extract`, their tables (.ecsv), or folders of them", dest="spectra", metavar="SPECTRUM"
    )
    parser.add_argument(
        "--windows",
        metavar="FILE|UM-UM,...",
        help="where the SNR is measured, in micron: 2.10-2.15,2.20-2.28 or a file with two columns "
        "(default: continuum windows of the band)",
    )


def add_light(parser: argparse.ArgumentParser) -> None:
    """Add files of which each holds light of stars, whatever it is, the folder of the products, and ``--ifu N``."""
    add_files(parser, "exposures, cubes, or spectra of `extract`", metavar="CUBE-OR-SPECTRUM")
    add_output_dir(parser)
    parser.add_argument(
        "--ifu", type=int, metavar="N", help="this IFU only (1-24; default: all of an exposure that have data)"
    )
