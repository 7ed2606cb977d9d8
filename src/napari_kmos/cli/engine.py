"""Options of what ESO's pipeline can do: which engine, where it is, what its recipes are told."""

from __future__ import annotations

import argparse
import functools
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from napari_kmos.cli import output
from napari_kmos.esorex import ENGINES, NATIVE, PROGRAM_VARIABLE, EsorexOptions, find_esorex, parse_recipe_options


def add_engine(parser: argparse.ArgumentParser, recipe: str) -> None:
    """Add ``--engine`` and what ESO's pipeline is told."""
    group = parser.add_argument_group("ESO's pipeline")
    text = f"what does it: napari-kmos, or ESO's {recipe} (default: %(default)s)"
    group.add_argument("--engine", choices=ENGINES, default=NATIVE, help=text)
    add_recipe_options(group, recipe)
    add_jobs(group)
    group.add_argument(
        "--dry-run",
        action="store_true",
        help="write the sets of frames, *.sof, and command.txt, and run nothing; needs no esorex",
    )


def add_recipe_options(group: argparse._ActionsContainer, recipe: str = "") -> None:
    """Add where esorex and its recipes are, parameters of these, and what tells what there is."""
    add_program(group)
    text = "parameter of the recipe, such as stretch=TRUE; may be given again"
    group.add_argument(
        "--recipe-option", dest="recipe_options", action="append", default=[], metavar="NAME=X", help=text
    )
    what = f"the parameters of {recipe} with their defaults" if recipe else "its recipes"
    text = f"tell the version of esorex and {what}, and stop; after --esorex and --recipe-dir"
    group.add_argument("--list-recipes", action=_Listing, recipe=recipe, help=text)


def add_program(group: argparse._ActionsContainer) -> None:
    """Add where esorex and its recipes are."""
    text = f"the program (default: {PROGRAM_VARIABLE}, else esorex on PATH)"
    group.add_argument("--esorex", metavar="PATH", help=text)
    text = "folder with recipes; may be given again (default: ESOREX_RECIPE_DIR, else esorex's configuration)"
    group.add_argument("--recipe-dir", dest="recipe_dirs", action="append", default=[], metavar="DIR", help=text)


def add_jobs(group: argparse._ActionsContainer) -> None:
    """Add how many recipes run at once."""
    group.add_argument("--jobs", type=int, default=1, metavar="N", help="recipes run at once (default: %(default)s)")


def build_esorex(args: argparse.Namespace) -> EsorexOptions:
    """Build what ESO's pipeline is told from the options that were given."""
    return EsorexOptions(
        program=args.esorex,
        recipe_dirs=tuple(args.recipe_dirs),
        recipe_options=parse_recipe_options(getattr(args, "recipe_options", ())),
        jobs=getattr(args, "jobs", 1),
        dry_run=getattr(args, "dry_run", False),
    )


class _Listing(argparse.Action):
    """Print what esorex and its recipes are, and stop."""

    def __init__(self, option_strings: Sequence[str], dest: str, *, recipe: str, help: str) -> None:  # noqa: A002
        super().__init__(option_strings, dest, nargs=0, default=argparse.SUPPRESS, help=help)
        self._recipe = recipe

    def __call__(self, _parser: argparse.ArgumentParser, args: argparse.Namespace, *_: Any) -> NoReturn:
        """Print and stop."""
        options = EsorexOptions(program=args.esorex, recipe_dirs=tuple(args.recipe_dirs))
        raise SystemExit(output.guarded(functools.partial(_tell, options, self._recipe)))


def _tell(options: EsorexOptions, recipe: str) -> None:
    """Print the version of esorex, its recipes, and the parameters of one of them."""
    esorex = find_esorex(options)
    lines = [esorex.label, *(f"  {name}  {text}" for name, text in sorted(esorex.recipes().items()))]
    if recipe:
        manual = esorex.manual(recipe)
        lines += ["", f"{recipe} {manual.version}"]
        for name, one in manual.parameters.items():
            choices = f" ({', '.join(one.choices)})" if one.choices else ""
            lines.append(f"  {name}={one.default}  {one.text}{choices}")
    sys.stdout.write("\n".join(lines) + "\n")
