"""ESO's pipeline as a second engine: the program, its recipes, their runs."""

from napari_kmos.esorex.frames import RecipeRun, is_plain, lay_out
from napari_kmos.esorex.manual import RecipeManual, RecipeParameter
from napari_kmos.esorex.options import (
    ENGINES,
    ESOREX,
    NATIVE,
    PROGRAM_VARIABLE,
    EsorexOptions,
    check_engine,
    parse_recipe_options,
)
from napari_kmos.esorex.program import Esorex, find_esorex, named_esorex
from napari_kmos.esorex.running import FinishedRun, run_recipes

__all__ = [
    "ENGINES",
    "ESOREX",
    "NATIVE",
    "PROGRAM_VARIABLE",
    "Esorex",
    "EsorexOptions",
    "FinishedRun",
    "RecipeManual",
    "RecipeParameter",
    "RecipeRun",
    "check_engine",
    "find_esorex",
    "is_plain",
    "lay_out",
    "named_esorex",
    "parse_recipe_options",
    "run_recipes",
]
