"""What the user sets about ESO's pipeline: which program, which recipes, which of their parameters."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from napari_kmos.errors import EngineError

#: What can do a step that the pipeline has a recipe for.
NATIVE, ESOREX = "native", "esorex"
ENGINES = (NATIVE, ESOREX)
#: Environment variable that names the program.
PROGRAM_VARIABLE = "NAPARI_KMOS_ESOREX"
#: That of esorex itself; a configuration file overrules it there, not here.
RECIPE_DIR_VARIABLE = "ESOREX_RECIPE_DIR"

_NAME = re.compile(r"[A-Za-z][\w.-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class EsorexOptions:
    """How esorex is called.

    Parameters
    ----------
    program : path, optional
        The program; by default what NAPARI_KMOS_ESOREX names, else ``esorex`` on PATH.
    recipe_dirs : tuple of path
        Folders with recipes, searched with those below them; by default those of ESOREX_RECIPE_DIR, else of esorex's
        own configuration.
    recipe_options : mapping of str to str
        Parameters of the recipe, by name; esorex checks the values.
    jobs : int
        How many recipes run at once, at most.
    dry_run : bool
        Write the sets of frames and the commands, and run nothing; esorex need not be there.
    """

    program: Path | str | None = None
    recipe_dirs: tuple[Path | str, ...] = ()
    recipe_options: Mapping[str, str] = field(default_factory=dict)
    jobs: int = 1
    dry_run: bool = False

    def __post_init__(self) -> None:
        if self.jobs < 1:
            msg = f"jobs is {self.jobs}, expected one recipe at once or more (--jobs)"
            raise EngineError(msg)

    @property
    def chosen_program(self) -> str | None:
        """The program that is asked for, by name or path; None is the one on PATH."""
        return str(self.program) if self.program else os.environ.get(PROGRAM_VARIABLE) or None

    @property
    def chosen_dirs(self) -> tuple[str, ...]:
        """The folders of recipes that are asked for; none leaves it to esorex."""
        told = self.recipe_dirs or os.environ.get(RECIPE_DIR_VARIABLE, "").split(os.pathsep)
        return tuple(str(Path(one).expanduser().absolute()) for one in told if str(one))


def parse_recipe_options(texts: Iterable[str]) -> dict[str, str]:
    """Return parameters of a recipe as they are typed: ``name=value``, with or without dashes in front.

    Raises
    ------
    EngineError
        If one is written in another way, or given twice.

    Examples
    --------
    >>> parse_recipe_options(["stretch=TRUE", "--stretch_degree=6"])
    {'stretch': 'TRUE', 'stretch_degree': '6'}
    """
    options: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.lstrip("-").partition("=")
        if not equals or not _NAME.fullmatch(name):
            msg = f"recipe option {text!r} is not understood; expected name=value, such as stretch=TRUE"
            raise EngineError(msg)
        if name in options:
            msg = f"recipe option {name} is given twice, {options[name]!r} and {value!r}; give it once"
            raise EngineError(msg)
        options[name] = value
    return options


def check_engine(engine: str, options: EsorexOptions | None) -> bool:
    """Tell whether esorex is to do a step.

    Raises
    ------
    EngineError
        If there is no such engine, or esorex is told what to do and is not the engine.
    """
    if engine not in ENGINES:
        msg = f"engine {engine!r} is not known; choose one of {', '.join(ENGINES)}"
        raise EngineError(msg)
    if engine == NATIVE and options is not None and (options.recipe_options or options.dry_run):
        what = "a dry run" if options.dry_run else f"recipe option {next(iter(options.recipe_options))}"
        msg = f"{what} is for ESO's recipes, and the engine is {NATIVE}: choose {ESOREX} (--engine), or leave it out"
        raise EngineError(msg)
    return engine == ESOREX
