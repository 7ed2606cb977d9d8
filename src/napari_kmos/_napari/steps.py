"""Steps as the docks ask for them; run in threads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from napari_kmos._napari.sky_preview import Masks
from napari_kmos.aperture import Aperture
from napari_kmos.cluster import connected
from napari_kmos.errors import ExtractionError, KmosError
from napari_kmos.esorex import NATIVE
from napari_kmos.extract import ExtractParameters
from napari_kmos.io import fits_stem, output_dir, read_exposure, write_sky_mask
from napari_kmos.progress import Progress, silent
from napari_kmos.recipes.combine import combine
from napari_kmos.recipes.extract import extract
from napari_kmos.recipes.outcome import Outcome
from napari_kmos.recipes.sky_second_pass import sky_second_pass
from napari_kmos.recipes.sky_tasks import MASK_SUFFIX
from napari_kmos.recipes.sky_tweak import sky_tweak
from napari_kmos.sky.cleaning import SkyCleaner

TARGETS, TARGET, IFU, MOSAIC = "every target", "one target", "one IFU", "a mosaic of all"
WHAT = (TARGETS, TARGET, IFU, MOSAIC)


def write_spectra(
    files: Sequence[Path],
    apertures: Sequence[Aperture],
    *,
    method: str,
    parameters: ExtractParameters,
    out_dir: Path,
    apart: bool,
    overwrite: bool,
    progress: Progress = silent,
) -> Outcome:
    """Write the spectra of all stars in all files; by the method psf also what the fit leaves.

    Each file has a folder of its own if it is ``apart``, or where the recipe says so.

    Raises
    ------
    ExtractionError
        If there is no aperture or no file, and as the recipe says.
    """
    if not files or not apertures:
        msg = f"{len(files)} files and {len(apertures)} apertures; open a cube and add stars first"
        raise ExtractionError(msg)
    how = {"method": method, "parameters": parameters, "residual": method == "psf", "apart": apart}
    return extract(files, apertures, out_dir, **how, overwrite=overwrite, progress=progress)


def combine_files(
    files: Sequence[Path],
    out_dir: Path,
    *,
    what: str,
    which: str,
    scheduler: str = "",
    progress: Progress = silent,
    **options: Any,
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
    scheduler : str
        Address of a dask.distributed cluster; nothing for this machine.
    progress : Progress
        Told the parts.
    **options
        For the recipe.

    Raises
    ------
    KmosError
        If there is no file or the choice is not complete, and as the recipe says.
    """
    choice = choice_of(files, what=what, which=which, offsets=options.get("offsets"))
    with connected(scheduler) if scheduler else nullcontext():
        return combine(files, out_dir, progress=progress, **choice, **options)


def choice_of(files: Sequence[Path], *, what: str, which: str, offsets: object) -> dict[str, Any]:
    """Return what is combined as the recipes are told it; see `combine_files`."""
    if not files:
        msg = "no exposures to combine: add some to the list"
        raise KmosError(msg)
    if what in (TARGET, IFU) and not which:
        msg = f"to combine {what}, say which one"
        raise KmosError(msg)
    if offsets == ():
        msg = "no offsets to combine with: accept some in Align IFUs, or choose an offsets file"
        raise KmosError(msg)
    return {TARGET: {"name": which}, IFU: {"ifus": which}, MOSAIC: {"mosaic": True}}.get(what, {})


def tweak_sky(
    objects: Sequence[Path],
    skies: Sequence[Path],
    out_dir: Path,
    *,
    fills_stars: bool,
    masks: Mapping[Path, Masks],
    overwrite: bool,
    engine: str = NATIVE,
    progress: Progress = silent,
    **how: Any,
) -> Outcome:
    """Subtract the sky from all exposures; masks that are given for skies are written beside the products, and used.

    Only the native engine uses masks.

    Raises
    ------
    KmosError
        As `sky_tweak` and `write_masks` say.
    """
    files, fills_stars = [], fills_stars and engine == NATIVE
    for sky in skies if fills_stars else ():
        if sky in masks:
            path = output_dir(out_dir) / mask_name(sky)
            files.append(write_masks(sky, masks[sky], path, overwrite=overwrite, progress=progress))
    stars = {"sky_stars": "mask" if fills_stars else "keep", "sky_masks": files}
    return sky_tweak(objects, skies, out_dir, **stars, **how, engine=engine, overwrite=overwrite, progress=progress)


def second_pass(files: Sequence[Path], out_dir: Path, *, overwrite: bool, progress: Progress = silent) -> Outcome:
    """Subtract what an earlier subtraction left.

    Raises
    ------
    KmosError
        If there is no file, and as the recipe says.
    """
    if not files:
        msg = "no exposures for a second pass; subtract the sky first, or list exposures without sky as objects"
        raise KmosError(msg)
    return sky_second_pass(files, out_dir, overwrite=overwrite, progress=progress)


def write_masks(sky: Path, masks: Masks | None, path: Path, *, overwrite: bool, progress: Progress = silent) -> Path:
    """Write the star masks of a sky exposure; stars are looked for in the IFUs without one.

    Raises
    ------
    KmosError
        If the sky cannot be used, or the file exists.
    """
    exposure = read_exposure(sky)
    cleaner = SkyCleaner(exposure, masks=None if masks is None else masks.by_ifu)
    found = {}
    for done, cube in enumerate(exposure.cubes):
        progress(done, len(exposure.cubes), f"{exposure.label}: stars of {cube.label}")
        found[cube.ifu] = cleaner.mask(cube.ifu)
    return write_sky_mask(found, path, exposure=exposure, overwrite=overwrite)


def mask_name(sky: Path) -> str:
    """Return how the file of the masks of a sky is called, so that it is found to be of that sky."""
    return f"{fits_stem(sky)}{MASK_SUFFIX}.fits"
