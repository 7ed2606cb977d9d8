"""The products of which subsets are compared, one comparison after the other."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_kmos.combine import CombineParameters, Comparison, Versus, VersusParameters, combine_cubes
from napari_kmos.errors import KmosError, KmosWarning
from napari_kmos.io import read_apertures
from napari_kmos.progress import Progress, part_of, silent
from napari_kmos.recipes.combine_tasks import CombineChoice, make_tasks, zero_point_parts
from napari_kmos.recipes.subsets import Subsets

if TYPE_CHECKING:
    from napari_kmos.aperture import Aperture
    from napari_kmos.recipes.combine_tasks import CombineTask
    from napari_kmos.recipes.subsets import NamedSubset

_NO_PARAMETERS, _NO_CHOICE, _NO_STARS = CombineParameters(), CombineChoice(), VersusParameters()


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Compared:
    """Two subsets of one product.

    Parameters
    ----------
    task : CombineTask
        The product, with all of its exposures.
    texts : tuple of str
        What the subsets were called.
    comparison : Comparison
        What was found.
    """

    task: CombineTask
    texts: tuple[str, str]
    comparison: Comparison

    @property
    def names(self) -> tuple[str, ...]:
        """Name of the product and of the subsets."""
        return self.task.name, *self.texts

    def told(self) -> dict[str, Any]:
        """Return what --json tells."""
        found = self.comparison
        sides = {"a": (self.texts[0], found.a), "b": (self.texts[1], found.b), "union": ("", found.union)}
        return {
            "target": self.task.name,
            **{
                side: {
                    "subset": text,
                    "exposures": [self.task.members[number].label for number in subset.members],
                    "noise_over_union": dataclasses.asdict(subset.noise),
                }
                for side, (text, subset) in sides.items()
            },
            "n_shared": found.n_shared,
            "difference": {"scatter": found.scatter, "outstanding": found.n_outstanding, "spaxels": found.n_spaxels},
            "snr_over_union": found.snr_over_union(),
            "snr_noise_over_union": found.snr_over_union(propagated=True),
            "stars": [
                {"id": star.aperture.id, "ra": star.aperture.ra, "dec": star.aperture.dec}
                | {"snr": star.snr, "snr_noise": star.propagated}
                for star in found.stars
            ],
        }


class VersusWork:
    """Products of which subsets are compared, one comparison after the other.

    Files are read, placed and laid on the grid of all of them once; `compare` takes any two subsets of them.

    Parameters
    ----------
    files : sequence of path
        Exposures, combined cubes or mosaics.
    choice : CombineChoice
        As in `combine`.
    parameters : CombineParameters
        How they are placed and merged.
    keep_bytes : int
        Resampled exposures are kept in memory up to this for the next comparison.

    Raises
    ------
    KmosError, AlignmentError
        As `combine`.
    """

    def __init__(
        self,
        files: Sequence[Path | str],
        *,
        choice: CombineChoice = _NO_CHOICE,
        parameters: CombineParameters = _NO_PARAMETERS,
        keep_bytes: int = 0,
    ) -> None:
        self.files = tuple(Path(path) for path in files)
        self.choice, self.parameters = choice, parameters
        self.tasks = tuple(make_tasks(self.files, choice, parameters))
        members = [member for task in self.tasks for member in task.members]
        self.subsets = Subsets.of(self.files, members, choice.read_tables() or ())
        self._keep_bytes = keep_bytes // max(1, len(self.tasks))
        self._made: dict[int, Versus] = {}

    @property
    def kept_bytes(self) -> int:
        """Memory of the resampled exposures that are kept."""
        return sum(one.kept_bytes for one in self._made.values())

    def files_of(self, subsets: str) -> tuple[frozenset[int], frozenset[int]]:
        """Return the numbers of the files, from 0, of which any cube is in each of two subsets."""
        a, b = (self.subsets.files_of(one) for one in self.subsets.pair(subsets))
        return a, b

    def compare(
        self,
        subsets: str,
        *,
        apertures: Sequence[Aperture] | Path | str | None = None,
        stars: VersusParameters = _NO_STARS,
        progress: Progress = silent,
    ) -> Iterator[Compared]:
        """Yield each product that has exposures in both subsets; a warning names the others.

        Parameters
        ----------
        subsets : str
            As `Subsets.pair` takes them.
        apertures, stars, progress
            As in `versus`.
        """
        pair = self.subsets.pair(subsets)
        first, found = 0, 0
        for number, task in enumerate(self.tasks):
            chosen = [[index in one.members for index in range(first, first + len(task.members))] for one in pair]
            first += len(task.members)
            if not self._is_comparable(task, pair, chosen):
                continue
            found += 1
            part = part_of(progress, number, len(self.tasks))
            before, rest = zero_point_parts(part, self.choice.zero_points)
            work = self._versus(number, before)
            circles = _apertures(apertures, work, stars)
            comparison = work.compare(*chosen, stars=circles, parameters=stars, progress=rest)
            yield Compared(task=task, texts=(pair[0].text, pair[1].text), comparison=comparison)
        if not found:
            msg = f"{subsets}: no target has exposures in both subsets, and different ones; choose others"
            raise KmosError(msg)

    def _is_comparable(
        self, task: CombineTask, pair: tuple[NamedSubset, NamedSubset], chosen: Sequence[list[bool]]
    ) -> bool:
        """Tell whether the subsets of a product can be compared, with a warning if not."""
        empty = [one.text for one, own in zip(pair, chosen, strict=True) if not any(own)]
        if not empty and chosen[0] != chosen[1]:
            return True
        reason = f"no exposure in {' and '.join(empty)}" if empty else "both subsets are the same"
        warnings.warn(f"{task.name}: {reason}; not compared", KmosWarning, stacklevel=3)
        return False

    def _versus(self, number: int, progress: Progress) -> Versus:
        """Return the exposures of a product on their grid, once made."""
        if number in self._made:
            return self._made[number]
        task = self.tasks[number].with_zero_points(self.choice.zero_points, progress)
        result = combine_cubes(
            task.cubes, offsets=task.offsets, parts=task.parts, parameters=self.parameters, name=task.name
        )
        made = Versus(result, keep_bytes=self._keep_bytes)
        if self._keep_bytes:
            self._made[number] = made
        return made


def _apertures(
    given: Sequence[Aperture] | Path | str | None, work: Versus, stars: VersusParameters
) -> Sequence[Aperture] | None:
    """Return the stars of a file or as given; None if they are to be found."""
    if isinstance(given, Path | str):
        return read_apertures(given, radius_arcsec=stars.radius_arcsec, wcs=work.result.cube.wcs)
    return given
