"""Options of what ESO's pipeline can do: which engine, where it is, what its recipes are told."""

from __future__ import annotations

import argparse

from napari_kmos.esorex import ENGINES, NATIVE, PROGRAM_VARIABLE, EsorexOptions, parse_recipe_options


def add_engine(parser: argparse.ArgumentParser, recipe: str) -> None:
    """Add ``--engine`` and what ESO's pipeline is told."""
    group = parser.add_argument_group("ESO's pipeline")
    text = f"what does it: napari-kmos, or ESO's {recipe} (default: %(default)s)"
    group.add_argument("--engine", choices=ENGINES, default=NATIVE, help=text)
    add_recipe_options(group)
    group.add_argument("--jobs", type=int, default=1, metavar="N", help="recipes run at once (default: %(default)s)")
    group.add_argument(
        "--dry-run",
        action="store_true",
        help="write the sets of frames, *.sof, and command.txt, and run nothing; needs no esorex",
    )


def add_recipe_options(group: argparse._ActionsContainer) -> None:
    """Add where esorex and its recipes are, and parameters of these."""
    text = f"the program (default: {PROGRAM_VARIABLE}, else esorex on PATH)"
    group.add_argument("--esorex", metavar="PATH", help=text)
    text = "folder with recipes; may be given again (default: ESOREX_RECIPE_DIR, else esorex's configuration)"
    group.add_argument("--recipe-dir", dest="recipe_dirs", action="append", default=[], metavar="DIR", help=text)
    text = "parameter of the recipe, such as stretch=TRUE; may be given again"
    group.add_argument(
        "--recipe-option", dest="recipe_options", action="append", default=[], metavar="NAME=X", help=text
    )


def build_esorex(args: argparse.Namespace) -> EsorexOptions:
    """Build what ESO's pipeline is told from the options that were given."""
    return EsorexOptions(
        program=args.esorex,
        recipe_dirs=tuple(args.recipe_dirs),
        recipe_options=parse_recipe_options(args.recipe_options),
        jobs=getattr(args, "jobs", 1),
        dry_run=getattr(args, "dry_run", False),
    )
