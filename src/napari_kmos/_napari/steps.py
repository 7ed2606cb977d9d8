"""Steps as the docks ask for them: files made from what is in the session, then the recipe. Run in threads."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from napari_kmos.aperture import Aperture
from napari_kmos.cube import Cube, Image
from napari_kmos.errors import ExtractionError, KmosError
from napari_kmos.extract import ExtractParameters
from napari_kmos.io import output_dir, write_offsets
from napari_kmos.offset import Offset
from napari_kmos.progress import Progress, silent
from napari_kmos.recipes.combine import combine
from napari_kmos.recipes.extract import extract
from napari_kmos.recipes.outcome import Outcome
from napari_kmos.spectral import collapse_median

OFFSETS_NAME = "offsets.ecsv"
TARGETS, TARGET, IFU, MOSAIC = "every target", "one target", "one IFU", "a mosaic of all"
UNACCEPTED = ("error", "header", "skip")
WHAT = (TARGETS, TARGET, IFU, MOSAIC)


def white_light(cubes: Sequence[Cube], *, progress: Progress = silent) -> tuple[Image, ...]:
    """Return the median over the wavelengths of each cube."""
    images = []
    for done, cube in enumerate(cubes):
        progress(done, len(cubes), f"white light of {cube.label}")
        images.append(collapse_median(cube))
    return tuple(images)


def write_spectra(
    files: Sequence[Path],
    apertures: Sequence[Aperture],
    *,
    parameters: ExtractParameters,
    out_dir: Path,
    overwrite: bool,
    progress: Progress = silent,
) -> Outcome:
    """Write the spectra of all stars in all files.

    Raises
    ------
    ExtractionError
        If there is no aperture or no file, and as the recipe says.
    """
    if not files or not apertures:
        msg = f"{len(files)} files and {len(apertures)} apertures; open a cube and add stars first"
        raise ExtractionError(msg)
    return extract(files, apertures, out_dir, parameters=parameters, overwrite=overwrite, progress=progress)


def combine_files(
    files: Sequence[Path],
    out_dir: Path,
    *,
    what: str,
    which: str,
    offsets: Path | Sequence[Offset] | None,
    progress: Progress = silent,
    **options: Any,
) -> Outcome:
    """Combine exposures; offsets that stand in no file yet are written beside the products first.

    Parameters
    ----------
    files : sequence of Path
        Exposures.
    out_dir : Path
        Folder of the products.
    what : str
        One of `WHAT`.
    which : str
        The target or the IFUs, where ``what`` asks for it.
    offsets : Path or sequence of Offset, optional
        For the method user.
    **options
        For the recipe.

    Raises
    ------
    KmosError
        If a choice is not complete, and as the recipe says.
    """
    if what in (TARGET, IFU) and not which:
        msg = f"to combine {what}, say which"
        raise KmosError(msg)
    if offsets is not None and not isinstance(offsets, Path):
        offsets = write_offsets(offsets, output_dir(out_dir) / OFFSETS_NAME, overwrite=True)
    choice = {TARGET: {"name": which}, IFU: {"ifus": which}, MOSAIC: {"mosaic": True}}.get(what, {})
    return combine(files, out_dir, offsets=offsets, progress=progress, **choice, **options)
