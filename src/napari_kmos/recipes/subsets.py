"""Subsets of what is combined, as users say them: files, halves, epochs, all but a file."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from napari_kmos.errors import KmosError
from napari_kmos.io import fits_stem
from napari_kmos.recipes.offset_rows import epoch_of

if TYPE_CHECKING:
    from napari_kmos.offset import Offset
    from napari_kmos.recipes.selecting import Member

ALL, REST, WITHOUT = "all", "rest", "without:"
_HALF, _EPOCH, _NUMBERS = re.compile(r"half([12])"), re.compile(r"epoch([1-9]\d*)"), re.compile(r"(\d+)(?:-(\d+))?")


@dataclass(frozen=True, slots=True)
class NamedSubset:
    """A subset as it was said, and the numbers of its members."""

    text: str
    members: frozenset[int]


@dataclass(frozen=True, slots=True, eq=False)
class Subsets:
    """What subsets can be made of.

    Parameters
    ----------
    files : tuple of Path
        As given: their numbers count from 1.
    members : tuple of Member
        All cubes that are combined, of all products.
    epochs : tuple of str
        Of each of them; empty where it is not known.
    """

    files: tuple[Path, ...]
    members: tuple[Member, ...]
    epochs: tuple[str, ...]

    @classmethod
    def of(cls, files: Sequence[Path], members: Sequence[Member], tables: Sequence[Sequence[Offset]]) -> Subsets:
        """Return those of members, whose epochs are told by offset tables or by their dates."""
        epochs = (epoch_of(tables, one.exposure, one.cube, one.half) for one in members)
        return cls(tuple(files), tuple(members), tuple(epochs))

    def pair(self, text: str) -> tuple[NamedSubset, NamedSubset]:
        """Return the two subsets of a text.

        Parameters
        ----------
        text : str
            ``"SUBSET"``, against the rest (``"without:..."`` against all), or ``"SUBSET:SUBSET"``. A subset is
            ``all``, ``rest``, ``half1``, ``half2``, ``epoch1``, ``epoch2``, ..., an epoch by its name, or files: by
            number, as ``3`` or ``2-5``, by name, with or without its folder and ending, or by a pattern with ``*``.
            Several are joined by commas; ``without:`` takes them away from all.

        Raises
        ------
        KmosError
            If it cannot be understood, or a subset holds nothing.
        """
        cuts = [match.start() for match in re.finditer(":", text)]
        # names of files may hold colons, as those of the archive do: what makes sense is taken
        for one, other in [(text, ""), *((text[:cut], text[cut + 1 :]) for cut in cuts)]:
            if self._is_known(one) and (self._is_known(other) or not other):
                return self._pair(one, other)
        terms = (term for side in self._sides(text) for term in _terms(side))
        unknown = next((term for term in terms if not self._is_term(term)), text)
        msg = f"{text!r}: {unknown!r} is no subset; there are {self._offered()}"
        raise KmosError(msg)

    def files_of(self, subset: NamedSubset) -> frozenset[int]:
        """Return the numbers of the files, from 0, of which any member is in a subset."""
        paths = {_path(self.members[number]).resolve() for number in subset.members}
        return frozenset(number for number, path in enumerate(self.files) if path.resolve() in paths)

    def _sides(self, text: str) -> tuple[str, ...]:
        """Return the sides of a text of which one is not understood."""
        head, colon, rest = text.removeprefix(WITHOUT).partition(":")
        return (head or text, rest) if colon and rest else (head or text,)

    def _pair(self, one: str, other: str) -> tuple[NamedSubset, NamedSubset]:
        other = other or (ALL if one.startswith(WITHOUT) else REST)
        if one == REST:
            one, other = other, one
        first = self._named(one)
        if other == REST:
            return first, self._checked(REST, frozenset(range(len(self.members))) - first.members)
        return first, self._named(other)

    def _named(self, text: str) -> NamedSubset:
        every = frozenset(range(len(self.members)))
        found = frozenset().union(*(self._checked(term, self._find(term)).members for term in _terms(text)))
        return self._checked(text, every - found if text.startswith(WITHOUT) else found)

    def _checked(self, text: str, members: frozenset[int]) -> NamedSubset:
        """Refuse a subset that holds nothing."""
        if not members:
            msg = f"{text}: no exposure is of this subset; there are {self._offered()}"
            raise KmosError(msg)
        return NamedSubset(text, members)

    def _is_known(self, side: str) -> bool:
        return bool(_terms(side)) and all(self._is_term(term) for term in _terms(side))

    def _is_term(self, term: str) -> bool:
        if term in (ALL, REST) or _HALF.fullmatch(term) or _EPOCH.fullmatch(term):
            return True
        return bool(self._find(term) or self._files(term))

    def _find(self, term: str) -> frozenset[int]:
        """Return the members that a word stands for."""
        numbered = list(enumerate(self.members))
        if term == ALL:
            return frozenset(range(len(self.members)))
        if half := _HALF.fullmatch(term):
            return frozenset(number for number, one in numbered if one.half == int(half[1]))
        epochs = self._known_epochs()
        if (epoch := _EPOCH.fullmatch(term)) and term not in epochs:
            term = dict(enumerate(epochs, start=1)).get(int(epoch[1]), "")
        if term in epochs:
            return frozenset(number for number, own in enumerate(self.epochs) if own == term)
        files = {path.resolve() for path in self._files(term)}
        return frozenset(number for number, one in numbered if _path(one).resolve() in files)

    def _files(self, term: str) -> list[Path]:
        """Return the files that a word stands for."""
        if numbers := _NUMBERS.fullmatch(term):
            first, last = int(numbers[1]), int(numbers[2] or numbers[1])
            return [path for count, path in enumerate(self.files, start=1) if first <= count <= last]
        return [
            path
            for path in self.files
            if term and (term in (path.name, fits_stem(path), str(path)) or fnmatchcase(path.name, term))
        ]

    def _known_epochs(self) -> list[str]:
        """Return the epochs in the order of time, as far as the dates are known."""
        first: dict[str, float] = {}
        for epoch, member in zip(self.epochs, self.members, strict=True):
            date = member.exposure.date
            mjd = float("inf") if date is None else float(date.mjd)
            first[epoch] = min(first.get(epoch, mjd), mjd)
        return sorted((epoch for epoch in first if epoch), key=lambda epoch: first[epoch])

    def _offered(self) -> str:
        """Say what there is."""
        halves = [f"half{half}" for half in (1, 2) if any(one.half == half for one in self.members)]
        epochs = [f"epoch{count} ({name})" for count, name in enumerate(self._known_epochs(), start=1)]
        files = f"files by name, pattern, or number (1-{len(self.files)})"
        return ", ".join([ALL, REST, *halves, *epochs, f"{WITHOUT}FILE", files])


def _terms(side: str) -> list[str]:
    """Return the words of a subset."""
    return [term for term in re.split(r"[,\s]+", side.removeprefix(WITHOUT)) if term]


def _path(member: Member) -> Path:
    return member.exposure.path or Path(member.exposure.label)
