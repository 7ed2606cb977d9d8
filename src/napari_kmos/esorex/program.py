"""The program esorex: where it is, which version, which recipes it has."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from napari_kmos.errors import EngineError
from napari_kmos.esorex.manual import RecipeManual, parse_manual, parse_recipes
from napari_kmos.esorex.messages import last_error
from napari_kmos.esorex.options import PROGRAM_VARIABLE, EsorexOptions

if TYPE_CHECKING:
    from napari_kmos.esorex.frames import RecipeRun

#: The oldest version that is used: by its changelog what is relied on here is as old as that, and CPL 6, which recipes
#: of KMOS need, came with 3.9.5. Tested with 3.13.6.
OLDEST_VERSION = (3,)
_PROGRAM = "esorex"
#: A plug-in that is there and that esorex cannot load.
_NOT_LOADED = re.compile(r"lt_dlopen \((.+)\) returned NULL")
_VERSION = re.compile(r"ESO Recipe Execution Tool, version (\d+(?:\.\d+)*)")
_INSTALL = "install it (Debian: apt-get install esorex; else ESO's pipeline kit), or say where it is"
_SETTING = f"(--esorex PATH, or the variable {PROGRAM_VARIABLE})"
#: Telling its version or its recipes takes a second, unless something is very wrong.
_MOST_SECONDS = 60.0
#: Products and log in the folder of the run, under the names that the recipe gives, whatever a configuration file says.
_OWN_OPTIONS = (
    "--output-dir=.",
    "--output-readonly=FALSE",
    "--suppress-prefix=TRUE",
    "--suppress-link=TRUE",
    "--log-dir=.",
    "--log-file=esorex.log",
    "--log-level=info",
    "--msg-level=info",
)


@dataclass(frozen=True, slots=True)
class Esorex:
    """The program, as it is found or, for commands that others shall run, only named.

    Parameters
    ----------
    path : str
        Path of the program.
    version : str
        What it says of itself; empty if it was not asked.
    recipe_dirs : tuple of str
        Where it looks for recipes; empty leaves that to its configuration.
    """

    path: str
    version: str = ""
    recipe_dirs: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """What to call it in a message."""
        return f"esorex {self.version} ({self.path})".replace("  ", " ")

    def recipes(self) -> dict[str, str]:
        """Return all recipes it finds, with what they do."""
        return parse_recipes(_asked(self.path, *self._dirs, "--recipes").stdout)

    def manual(self, recipe: str) -> RecipeManual:
        """Return the version, parameters and defaults of a recipe.

        Raises
        ------
        EngineError
            If there is no such recipe.
        """
        done = _asked(self.path, *self._dirs, "--man-page", recipe)
        if f"{recipe} --" not in done.stdout:
            raise EngineError(self._missing(recipe, done))
        return parse_manual(recipe, done.stdout)

    def command(self, run: RecipeRun, sof: str, config: str = "") -> list[str]:
        """Return the words of the command of a run, for its own folder, with a parameter file if one is named."""
        files = [f"--recipe-config={config}"] if config else []
        options = [f"--{name}={value}" for name, value in run.parameters.items()]
        return [self.path, *self._dirs, *_OWN_OPTIONS, *files, run.recipe, *options, sof]

    @property
    def _dirs(self) -> tuple[str, ...]:
        return (f"--recipe-dir={':'.join(self.recipe_dirs)}",) if self.recipe_dirs else ()

    def _missing(self, recipe: str, done: subprocess.CompletedProcess[str]) -> str:
        """Say that a recipe is not there, and what is; or that it is too old, or for another CPL."""
        told = done.stdout + done.stderr
        broken = [path for path in _NOT_LOADED.findall(told) if Path(path).stem == recipe]
        if broken:
            msg = f"{self.label} cannot load {broken[0]}: it is of another version of CPL, or a library is missing; "
            return msg + "take esorex and recipes of one kit (--esorex PATH, --recipe-dir DIR)"
        if "Unable to find recipe" not in told:
            last = next(reversed(done.stderr.split("\n")[:-1]), "") or f"it ended with status {done.returncode}"
            return f"{self.label} tells nothing of {recipe}: {last_error(told.splitlines()) or last}"
        kmos = [name for name in self.recipes() if name.startswith("kmo")]
        there = f"it finds {', '.join(kmos)}" if kmos else "it finds no recipe of KMOS"
        places = [place if Path(place).is_dir() else f"{place} (no such folder)" for place in self.recipe_dirs]
        where = f" in {', '.join(places)}" if places else ""
        old = f"kmo_{recipe.removeprefix('kmos_')}"
        todo = (
            f"{old} is that of an old pipeline: install a later one"
            if old in kmos
            else "install ESO's KMOS pipeline (Debian's esorex brings no recipes)"
        )
        return (
            f"{self.label} has no recipe {recipe}{where}: {there}; {todo}, or name the folder of its plug-ins "
            "(--recipe-dir DIR)"
        )


def find_esorex(options: EsorexOptions) -> Esorex:
    """Return the program that is asked for, or the one on PATH.

    Raises
    ------
    EngineError
        If there is none, it is no esorex, or too old.
    """
    chosen = options.chosen_program
    path = shutil.which(Path(chosen).expanduser() if chosen else _PROGRAM)
    if path is None:
        what = f"{chosen}: no such program" if chosen else "esorex is not on PATH"
        msg = f"{what}; {_INSTALL} {_SETTING}"
        raise EngineError(msg)
    told = _VERSION.search(_asked(path, "--version").stdout)
    if told is None:
        msg = f"{path}: is no esorex, it tells no version of the ESO Recipe Execution Tool; {_INSTALL} {_SETTING}"
        raise EngineError(msg)
    if tuple(int(part) for part in told[1].split(".")) < OLDEST_VERSION:
        oldest = ".".join(map(str, OLDEST_VERSION))
        msg = f"{path}: is esorex {told[1]}, expected {oldest} or later; {_INSTALL} {_SETTING}"
        raise EngineError(msg)
    return Esorex(str(Path(path).absolute()), told[1], options.chosen_dirs)


def named_esorex(options: EsorexOptions) -> Esorex:
    """Return the program by name, for commands that are written and not run."""
    return Esorex(options.chosen_program or _PROGRAM, recipe_dirs=options.chosen_dirs)


def _asked(path: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Ask the program something; its log goes into a folder that is thrown away."""
    with tempfile.TemporaryDirectory(prefix="napari-kmos-") as folder:
        try:
            return subprocess.run(
                [path, "--log-dir=.", *words],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                timeout=_MOST_SECONDS,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as err:
            reason = getattr(err, "strerror", None) or f"no answer in {_MOST_SECONDS:g} s"
            msg = f"{path}: cannot be run ({reason}); {_INSTALL} {_SETTING}"
            raise EngineError(msg) from err
