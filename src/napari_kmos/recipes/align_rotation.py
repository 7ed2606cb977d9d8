"""The rotation of exposures, measured by the stars of all their IFUs, and then their shifts again."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_kmos.align import Rotation, StarField, Stars, catalogue_stars, fit_rotation, locate_stars, white_light
from napari_kmos.catalogue import Catalogue
from napari_kmos.recipes.align_references import reference_under
from napari_kmos.recipes.catalogue_dates import catalogue_at
from napari_kmos.spatial.correction import corrected, place_wcs
from napari_kmos.spatial.fields import centre_of, field_of
from napari_kmos.words import counted

if TYPE_CHECKING:
    from napari_kmos.align import AlignParameters
    from napari_kmos.cube import Cube, Image
    from napari_kmos.exposure import Exposure
    from napari_kmos.offset import Offset
    from napari_kmos.recipes.align_targets import Visits

    #: Cubes of a target that are aligned, with their rows.
    Aligned = Sequence[tuple[Cube, Offset]]


_NONE = Stars(*np.empty((3, 0)))


@dataclass(frozen=True, slots=True, eq=False)
class RightStars:
    """The stars that exposures are measured against: of one of them, of a file beside them, or of a catalogue."""

    exposures: Sequence[Exposure]
    reference: int | Path | Catalogue
    parameters: AlignParameters

    def is_right(self, row: Offset) -> bool:
        """Tell whether a row is of the exposure that its target is measured against."""
        return isinstance(self.reference, int) and self.exposures[row.exposure].label == row.against

    def fields_of(self, aligned: Aligned) -> Iterator[tuple[Offset, StarField]]:
        """Yield the stars of each cube of a target where its row puts it, with those that are right."""
        placed = [(corrected(white_light(cube), row), row) for cube, row in aligned]
        catalogue = self.reference if isinstance(self.reference, Catalogue) else None
        others = _NONE if catalogue is not None else self._common([cube for cube, _ in aligned], placed)
        for image, row in placed:
            if self.is_right(row):
                continue
            if catalogue is not None:
                others = catalogue_stars(catalogue_at(catalogue, self.exposures[row.exposure]), image, self.parameters)
            stars = locate_stars(image, self.parameters)
            yield row, StarField(stars=stars, right=others, centre=centre_of(field_of(image)))

    def _common(self, cubes: Sequence[Cube], placed: Sequence[tuple[Image, Offset]]) -> Stars:
        """Return the stars that all cubes of a target are measured against."""
        if isinstance(self.reference, Path):
            reach = self.parameters.max_shift_arcsec
            images = [reference_under(self.reference, cubes, reach_arcsec=reach)]
        else:
            images = [image for image, row in placed if self.is_right(row)]
        stars = [locate_stars(image, self.parameters) for image in images]
        return Stars(*(np.concatenate(one) for one in zip(_NONE, *stars, strict=True)))


def refine_rotation(
    rows: Sequence[Offset],
    targets: Sequence[Visits],
    solve: Callable[[Sequence[Visits]], Sequence[Offset]],
    right: RightStars,
) -> list[Offset]:
    """Measure the rotation of each exposure by the stars of all its IFUs, and all shifts again where there is one.

    Parameters
    ----------
    rows : sequence of Offset
        Of all targets, measured without rotation; those that are accepted tell it.
    targets : sequence of list of (int, Cube)
        Exposures and cubes of each.
    solve : callable
        Measures targets whose cubes are turned.
    right : RightStars
        What they are measured against, and the parameters.

    Returns
    -------
    list of Offset
        With the rotation, or a note why that of the header stays. What others are measured against has neither.
    """
    known = {(row.exposure, row.ifu): row for row in rows}
    fields: dict[tuple[int, str], list[StarField]] = defaultdict(list)
    for visits in targets:
        told = [(cube, row) for number, cube in visits if (row := known.get((number, cube.ifu))) is not None]
        for row, field in right.fields_of([(cube, row) for cube, row in told if row.accepted]):
            fields[row.exposure, row.against].append(field)
    match_arcsec = right.parameters.star_match_arcsec
    found = {key: fit_rotation(one, match_arcsec=match_arcsec) for key, one in fields.items()}
    turns = {
        one: found[row.exposure, row.against]
        for one, row in known.items()
        if (row.exposure, row.against) in found and not right.is_right(row)
    }
    used = {one: turn for one, turn in turns.items() if turn.sigma >= right.parameters.rotation_sigma}
    if used:
        rows = solve([[(n, _turned(cube, used.get((n, cube.ifu)))) for n, cube in visits] for visits in targets])
    return [_told(row, turns.get((row.exposure, row.ifu)), is_used=(row.exposure, row.ifu) in used) for row in rows]


def _turned(cube: Cube, turn: Rotation | None) -> Cube:
    """Return a cube with the rotation of its exposure."""
    return cube if turn is None else dataclasses.replace(cube, wcs=place_wcs(field_of(cube), 0.0, 0.0, turn.deg))


def _told(row: Offset, turn: Rotation | None, *, is_used: bool) -> Offset:
    """Return a row with its rotation, if that is used; its note says what was found."""
    if turn is None:
        return row
    stars = counted(turn.n_stars, "star")
    told = f"rotation {turn.deg:+.3f} +- {turn.err_deg:.3f} deg by {stars} in {counted(turn.n_fields, 'field')}"
    if is_used:
        return dataclasses.replace(
            row, rotation_deg=turn.deg, rotation_err_deg=turn.err_deg, note=f"{row.note}; {told}"
        )
    if not turn.n_fields:
        told = f"rotation not measured, {stars} in common where three or more are needed"
    return dataclasses.replace(row, note=f"{row.note}; {told}: that of the header stays")
