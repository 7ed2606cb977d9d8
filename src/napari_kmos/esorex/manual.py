"""What a recipe says of itself in its manual page: version, parameters, defaults."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from napari_kmos.errors import EngineError

_OPTION = re.compile(r"^ {2}--([^\s:]+)\s*:(.*)$")
_SECTION = re.compile(r"^[A-Z]")
_DEFAULT = re.compile(r"\s*\[([^\[\]]*)\]$")
_CHOICES = re.compile(r"\s*<([^<>]*\|[^<>]*)>$")
_RELEASE = re.compile(r"^RELEASE\s+\S+ -- version (\S+)", re.MULTILINE)
_LISTED = re.compile(r"^ {2}(\w+)\s+: (.*)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipeParameter:
    """A parameter of a recipe.

    Parameters
    ----------
    name : str
        As it is typed, without dashes.
    text : str
        What the recipe says of it.
    default : str
        Its value if nothing is said: the recipe's own, or that of a configuration file of the user.
    choices : tuple of str
        All values it takes; empty where these are not listed.
    """

    name: str
    text: str
    default: str = ""
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipeManual:
    """What a recipe says of itself.

    Parameters
    ----------
    recipe : str
        Its name.
    version : str
        Of the recipe, which is that of the pipeline.
    parameters : mapping of str to RecipeParameter
        By name.
    """

    recipe: str
    version: str
    parameters: Mapping[str, RecipeParameter]

    @property
    def defaults(self) -> dict[str, str]:
        """Default values by name."""
        return {name: parameter.default for name, parameter in self.parameters.items()}

    def check(self, names: Iterable[str]) -> None:
        """Refuse parameters that the recipe does not have.

        Raises
        ------
        EngineError
            Naming what there is.
        """
        for name in names:
            if name not in self.parameters:
                close = difflib.get_close_matches(name, self.parameters, n=1)
                hint = f"did you mean {close[0]}? " if close else ""
                msg = f"{self.recipe} {self.version} has no parameter {name!r}; {hint}There are "
                raise EngineError(msg + (", ".join(self.parameters) or "none"))


def parse_manual(recipe: str, text: str) -> RecipeManual:
    """Read what ``esorex --man-page`` prints."""
    release = _RELEASE.search(text)
    found = (_parameter(name, words) for name, words in _options(text).items())
    return RecipeManual(
        recipe=recipe,
        version=release[1] if release else "unknown",
        parameters={parameter.name: parameter for parameter in found},
    )


def parse_recipes(text: str) -> dict[str, str]:
    """Read what ``esorex --recipes`` prints: names and what they do."""
    return {match[1]: match[2].strip() for line in text.splitlines() if (match := _LISTED.match(line))}


def _options(text: str) -> dict[str, str]:
    """Return the text of each parameter, its lines joined."""
    _, _, section = text.partition("\nOPTIONS\n")
    words: dict[str, str] = {}
    name = ""
    for line in section.splitlines():
        match = _OPTION.match(line)
        if match:
            name = match[1]
            words[name] = match[2].strip()
        elif _SECTION.match(line):
            break
        elif not line.strip():
            name = ""  # a text between the parameters
        elif name:
            words[name] = f"{words[name]} {line.strip()}"
    return words


def _parameter(name: str, text: str) -> RecipeParameter:
    default = _DEFAULT.search(text)
    rest = text[: default.start()] if default else text
    choices = _CHOICES.search(rest)
    return RecipeParameter(
        name=name,
        text=rest[: choices.start()] if choices else rest,
        default=default[1] if default else "",
        choices=tuple(word.strip() for word in choices[1].split("|")) if choices else (),
    )
