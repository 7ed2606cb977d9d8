"""Steps as the docks ask for them; run in threads."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from napari_kmos.aperture import Aperture
from napari_kmos.errors import ExtractionError, KmosError
from napari_kmos.extract import ExtractParameters
from napari_kmos.progress import Progress, silent
from napari_kmos.recipes.combine import combine
from napari_kmos.recipes.extract import extract
from napari_kmos.recipes.outcome import Outcome

TARGETS, TARGET, IFU, MOSAIC = "every target", "one target", "one IFU", "a mosaic of all"
WHAT = (TARGETS, TARGET, IFU, MOSAIC)


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
    files: Sequence[Path], out_dir: Path, *, what: str, which: str, progress: Progress = silent, **options: Any
) -> Outcome:
    """Combine exposures.

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
    progress : Progress
        Told the parts.
    **options
        For the recipe.

    Raises
    ------
    KmosError
        If there is no file or the choice is not complete, and as the recipe says.
    """
    if not files:
        msg = "no exposures to combine: add some to the list"
        raise KmosError(msg)
    if what in (TARGET, IFU) and not which:
        msg = f"to combine {what}, say which one"
        raise KmosError(msg)
    if options.get("offsets") == ():
        msg = "no offsets to combine with: accept some in Align IFUs, or choose an offsets file"
        raise KmosError(msg)
    choice = {TARGET: {"name": which}, IFU: {"ifus": which}, MOSAIC: {"mosaic": True}}.get(what, {})
    return combine(files, out_dir, progress=progress, **choice, **options)
