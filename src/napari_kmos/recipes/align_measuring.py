"""How one target, or one mosaic, is measured: among exposures, against a file beside them, or against a catalogue."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from napari_kmos.align import AlignParameters, NoReferenceError, measure_offsets
from napari_kmos.catalogue import Catalogue
from napari_kmos.errors import AlignmentError, GeometryError, KmosWarning
from napari_kmos.progress import Progress, silent
from napari_kmos.recipes.align_references import reference_under
from napari_kmos.recipes.catalogue_dates import catalogue_at

if TYPE_CHECKING:
    from napari_kmos.exposure import Exposure
    from napari_kmos.offset import Offset
    from napari_kmos.recipes.align_targets import Visits

#: Measures a target with some parameters, and tells how far it is.
Measure: TypeAlias = Callable[..., "list[Offset]"]


def measurer(exposures: Sequence[Exposure], reference: int | Path | Catalogue, method: str) -> Measure:
    """Return what measures the cubes of a target; see `napari_kmos.recipes.align.measure_exposures`."""

    def measure(visits: Visits, parameters: AlignParameters, progress: Progress = silent) -> list[Offset]:
        choice = {"method": method, "parameters": parameters}
        if isinstance(reference, Catalogue):
            return _by_catalogue(visits, reference, exposures, choice, progress)
        if isinstance(reference, Path):
            return _measure_against(visits, reference, choice, progress)
        return _measure(visits, reference, [exposure.label for exposure in exposures], choice, progress)

    return measure


def _by_catalogue(
    visits: Visits, catalogue: Catalogue, exposures: Sequence[Exposure], choice: dict[str, Any], progress: Progress
) -> list[Offset]:
    """Measure IFUs of an exposure against a catalogue at its date."""
    if not visits:
        return []
    right = catalogue_at(catalogue, exposures[visits[0][0]])
    found = measure_offsets([cube for _, cube in visits], reference=right, progress=progress, **choice)
    return _rows(found, visits, catalogue.label)


def _measure_against(visits: Visits, reference: Path, choice: dict[str, Any], progress: Progress) -> list[Offset]:
    """Measure one target against a file that is none of the exposures."""
    cubes = [cube for _, cube in visits]
    reach = choice["parameters"].max_shift_arcsec
    try:
        image = reference_under(reference, cubes, reach_arcsec=reach)
    except GeometryError as err:
        note, method = f"no match: {err}", "header"
        found = measure_offsets(cubes, method=method, parameters=choice["parameters"])
        found = tuple(dataclasses.replace(row, accepted=False, note=note) for row in found)
    else:
        found = measure_offsets(cubes, reference=image, progress=progress, **choice)
    return _rows(found, visits, reference.name)


def _measure(
    visits: Visits, reference: int, names: Sequence[str], choice: dict[str, Any], progress: Progress
) -> list[Offset]:
    """Measure a target or a mosaic against the reference exposure, or against the first one that has data.

    That one has a zero point of its own, which the rows tell.
    """
    numbers = [number for number, _ in visits]
    cubes = [cube for _, cube in visits]
    failure: AlignmentError | None = None
    for candidate in dict.fromkeys([*(one for one in numbers if one == reference), *numbers]):
        right = tuple(place for place, number in enumerate(numbers) if number == candidate)
        try:
            found = measure_offsets(cubes, reference=right, progress=progress, **choice)
        except NoReferenceError as err:
            failure = failure or err
            continue
        doubt = ""
        if candidate != reference:
            text = f"{cubes[0].label}: no data in the reference exposure; measured against exposure {candidate}"
            warnings.warn(text, KmosWarning, stacklevel=4)
            doubt = f"; not tied to {names[reference]}, which has no data here: against {names[candidate]}"
        return _rows(found, visits, names[candidate], doubt)
    warnings.warn(f"{failure}: left out of the table", KmosWarning, stacklevel=4)
    return []


def _rows(found: Sequence[Offset], visits: Visits, against: str, doubt: str = "") -> list[Offset]:
    """Return offsets as those of exposures and IFUs, and what they are against."""
    return [
        dataclasses.replace(row, exposure=number, ifu=cube.ifu, against=against, note=row.note + doubt)
        for row, (number, cube) in zip(found, visits, strict=True)
    ]
