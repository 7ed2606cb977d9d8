"""The command ``napari-kmos``: choose the command, run it, tell how it ended.

Only the module of the chosen command is imported, so that help and ``info`` are quick. A command module has
``NAME``, ``HELP`` (what it does, for its own help), ``add_arguments(parser)``, ``run(args, progress) -> Outcome``
and, if it has more to tell than names of files, ``describe(outcome) -> str``; ``finish(args, outcome)`` is called when
the result has been printed, and ``status(outcome) -> int`` is the exit status where the answer may be no.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, NoReturn

from napari_kmos.cli import output
from napari_kmos.cli.options import add_common, scheduled
from napari_kmos.words import printable

if TYPE_CHECKING:
    from types import ModuleType

#: Every command and its line in ``napari-kmos --help``, in the order of the job.
COMMANDS = {
    "demo": "the whole job on a simulated night",
    "simulate": "write a simulated night",
    "view": "open files in napari with the KMOS docks ready",
    "plan": "find objects and skies in folders, pair them, write an editable plan",
    "run": "do every step of a plan, resumable",
    "prepare": "write what recipes of ESO's pipeline need that make the cubes",
    "info": "say what files hold and how they were made",
    "history": "say how a product came to be, back to the pipeline's files",
    "replay": "make a product again from its record, and compare",
    "check": "say whether how cubes were made suits, line by line with the reason and what to do",
    "sky-tweak": "subtract the sky from object exposures",
    "sky-mask": "find stars in sky exposures and replace them by sky",
    "sky-second-pass": "subtract what the subtraction of the sky left, found in the emptier IFUs",
    "align": "measure the pointing offsets of exposures",
    "solve-wcs": "solve shift, rotation and scale of a mosaic's coordinates from catalogue stars",
    "offsets": "turn offsets into kmos_combine shift files or corrected headers, and back",
    "combine": "combine exposures into cubes by target, by IFU or as a mosaic",
    "cut": "cut IFUs and halves out of a mosaic",
    "crop": "cut a cube in wavelength and on the sky",
    "splice": "join cubes of different telluric fits at chosen wavelengths",
    "telluric": "take out the absorption of the atmosphere by a standard star",
    "calibrate": "turn counts into flux by a response curve and a zero point",
    "map": "map a line: flux above the continuum, moments, signal to noise",
    "find": "find the stars of cubes, as one list of apertures",
    "extract": "extract spectra through apertures",
    "measure": "measure SNR, velocity, lines, CO and Br gamma of stars; late or early type",
    "compare": "plot spectra together, measure their SNR, write a region file",
}


class _Parser(argparse.ArgumentParser):
    """A parser whose complaint is one line, the same as for any other bad input."""

    def error(self, message: str) -> NoReturn:
        output.tell_error(f"{message}; see {self.prog} --help")
        raise SystemExit(output.BAD_INPUT)


def load_command(name: str) -> ModuleType:
    """Return the module of a command of `COMMANDS`."""
    return importlib.import_module(f"napari_kmos.cli.{name.replace('-', '_')}")


def build_parser(command: str | None = None) -> argparse.ArgumentParser:
    """Return the parser: of all commands by name, but with the options of the chosen one only."""
    parser = _Parser(
        prog="napari-kmos",
        description="Finish KMOS data: sky, offsets, combination and star spectra.",
        epilog="`napari-kmos COMMAND --help` tells the options of a command.",
        formatter_class=lambda prog: argparse.HelpFormatter(prog, max_help_position=16, width=100),
        allow_abbrev=False,
    )
    parser.add_argument("--version", action=_Version)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, line in COMMANDS.items():
        chosen = load_command(name) if name == command else None
        sub = commands.add_parser(
            name, help=line, description=chosen.HELP if chosen else line, allow_abbrev=False, add_help=True
        )
        if chosen:
            chosen.add_arguments(sub)
            add_common(sub)
    return parser


class _Version(argparse.Action):
    """Print the version; reading it from the installed package only when asked."""

    def __init__(self, option_strings: Sequence[str], dest: str) -> None:
        super().__init__(option_strings, dest, nargs=0, help="print the version and stop")

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        """Print and stop."""
        from importlib.metadata import PackageNotFoundError, version

        try:
            found = version("napari-kmos")
        except PackageNotFoundError:
            found = "unknown (not installed)"
        sys.stdout.write(f"napari-kmos {found}\n")
        parser.exit(output.DONE)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments without the program's name; those of the process by default.

    Returns
    -------
    int
        0 done, 1 a bug, or the answer of `replay` is no, 2 bad usage or bad input, 130 cancelled.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    command = next((word for word in words if word in COMMANDS), None)
    try:
        args = build_parser(command).parse_args(words)
    except SystemExit as stop:  # argparse ends the process for --help, --version and bad usage
        return stop.code if isinstance(stop.code, int) else output.BAD_INPUT
    _start_logging(args.verbose - args.quiet)
    module = load_command(args.command)
    return output.guarded(lambda: _run(module, args), verbose=args.verbose > 0)


def _run(module: ModuleType, args: argparse.Namespace) -> int:
    """Run the chosen command, print what came of it and return the exit status."""
    quiet = args.quiet > 0
    with (
        output.collected_warnings(quiet=quiet) as warned,
        output.reserved_stdout(),
        output.ProgressLine(quiet=quiet) as progress,
        scheduled(args),
    ):
        outcome = module.run(args, progress)
    describe = None if args.json else getattr(module, "describe", None)
    output.print_outcome(outcome, warned, as_json=args.json, text=describe(outcome) if describe else None)
    if hasattr(module, "finish"):
        module.finish(args, outcome)
    return int(module.status(outcome)) if hasattr(module, "status") else output.DONE


class _Formatter(logging.Formatter):
    """Lines of the log as a terminal shows them: what they say may come from a file."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        return printable(super().format(record))


def _start_logging(verbosity: int) -> None:
    """Send the package's log to standard error: warnings, with -v what is done, with -vv everything."""
    level = {0: logging.WARNING, 1: logging.INFO}.get(verbosity, logging.DEBUG if verbosity > 1 else logging.ERROR)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Formatter("%(message)s"))
    logger = logging.getLogger("napari_kmos")
    logger.handlers[:] = [handler]
    logger.setLevel(level)
