"""What the headers of a file tell of how it was made, as the verdicts of `check` ask for it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_kmos.exposure import Exposure
    from napari_kmos.io import RecipeBlock

GOOD, DOUBT, BAD, UNKNOWN = "good", "doubt", "bad", "unknown"
VERDICTS = (GOOD, DOUBT, BAD, UNKNOWN)
_TRUTH = {"true": True, "t": True, "1": True, "false": False, "f": False, "0": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckLine:
    """A verdict on one thing.

    Parameters
    ----------
    topic : str
        What it is about.
    verdict : str
        One of `VERDICTS`: as it should be; mind it; do something first; the header does not tell.
    found : str
        What the file is like.
    reason : str
        Where that is known from, and what it means.
    todo : str
        What to do; empty if nothing.
    """

    topic: str
    verdict: str
    found: str
    reason: str
    todo: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What is known of a file.

    Parameters
    ----------
    exposure : Exposure
        What it holds.
    blocks : tuple of RecipeBlock
        Its history, first step first.
    skies : tuple of Path, optional
        Exposures of the sky of the same band beside it; None if that was not looked for.
    """

    exposure: Exposure
    blocks: tuple[RecipeBlock, ...]
    skies: tuple[Path, ...] | None = None

    def block(self, *recipes: str) -> RecipeBlock | None:
        """Return the last step by one of these recipes; those of old versions begin with ``kmo_``."""
        return next((block for block in reversed(self.blocks) if _current(block.recipe) in recipes), None)

    def text(self, parameter: str, *recipes: str) -> str | None:
        """Return a parameter of the last step, by one of these recipes if any are named, that has it."""
        for block in reversed(self.blocks):
            if parameter in block.parameters and (not recipes or _current(block.recipe) in recipes):
                return block.parameters[parameter]
        return None

    def flag(self, parameter: str, *recipes: str) -> bool | None:
        """Return a parameter that is true or false; None if it is not told, or something else."""
        return _TRUTH.get((self.text(parameter, *recipes) or "").lower())

    def number(self, parameter: str, *recipes: str) -> float | None:
        """Return a parameter that is a number; None if it is not told, or something else."""
        try:
            value = float(self.text(parameter, *recipes) or "")
        except ValueError:
            return None
        return value if math.isfinite(value) else None

    def calibrations(self, *categories: str) -> tuple[str, ...]:
        """Return the calibrations of these categories that any step has used."""
        used = (one for block in self.blocks for one in block.calibrations)
        return tuple(dict.fromkeys(f"{category} {name}".strip() for category, name in used if category in categories))

    @property
    def is_merged(self) -> bool:
        """True if exposures were combined."""
        return self.exposure.kind != "exposure"


def judging(topic: str) -> Callable[..., CheckLine]:
    """Return what makes lines of a topic from verdict, what was found, reason and, if need be, what to do."""

    def judge(verdict: str, found: str, reason: str, todo: str = "") -> CheckLine:
        return CheckLine(topic=topic, verdict=verdict, found=found, reason=reason, todo=todo)

    return judge


def _current(recipe: str) -> str:
    return f"kmos_{recipe.removeprefix('kmo_')}" if recipe.startswith("kmo_") else recipe
