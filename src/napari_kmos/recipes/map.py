"""Map a line: images of its flux above the continuum, its moments and its signal to noise, as files."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_kmos.calls import recorded
from napari_kmos.io import check_free, fits_stem, output_dir, read_exposure, safe_name, write_image, write_record
from napari_kmos.progress import Progress, silent
from napari_kmos.provenance import Step, defaults_of, parameters_of
from napari_kmos.recipes.outcome import Outcome
from napari_kmos.spectral import MapParameters, make_maps
from napari_kmos.spectral.windows import Window, windows_text

if TYPE_CHECKING:
    from napari_kmos.cube import Cube, Image


@recorded()
def map_cube(
    file: Path | str,
    out_dir: Path | str,
    *,
    line_um: Window,
    continuum_um: Sequence[Window] = (),
    parameters: MapParameters | None = None,
    ifu: int | None = None,
    overwrite: bool = False,
    progress: Progress = silent,
) -> Outcome:
    """Map an emission line and write the images.

    Parameters
    ----------
    file : path
        An exposure, a combined cube or a mosaic. Only the planes in the windows are read, a few at a time.
    out_dir : path
        Folder of the products; made if missing.
    line_um : tuple of float
        First and last wavelength of the line window in micron.
    continuum_um : sequence of tuple of float
        Windows of the continuum in micron; without any, nothing is subtracted.
    parameters : MapParameters, optional
        Moments and limits; the defaults if not given.
    ifu : int, optional
        The IFU, where the file holds several.
    overwrite : bool
        Replace products that exist.
    progress : Progress
        Told the planes read; it may raise `Cancelled`.

    Returns
    -------
    Outcome
        Products: ``MAP_<name>_LINE.fits``, ``_CONTINUUM`` where one was subtracted, ``_BAND``, ``_MOMENT0`` and others
        as asked for, ``_SNR``; ``<name>`` is the target. Extra: the record. Measured: target, IFU, windows, and by map
        its unit and the median over its spaxels.

    Raises
    ------
    KmosError
        If the file cannot be used, holds no such IFU, or a window makes no sense.
    WriteError
        If a product exists and may not be replaced.
    """
    chosen = parameters or MapParameters()
    exposure = read_exposure(file)
    cube = exposure.cube(ifu)
    stem = f"MAP_{safe_name(cube.name or fits_stem(Path(file)))}"
    paths = {name: Path(out_dir) / f"{stem}_{name}.fits" for name in _names(chosen, bool(continuum_um))}
    for path in (*paths.values(), paths["LINE"].with_suffix(".json")):
        check_free(path, overwrite)
    output_dir(out_dir)
    maps = make_maps(cube, line_um=line_um, continuum_um=continuum_um, parameters=chosen, progress=progress)
    windows = {"line": windows_text([line_um]), "continuum": windows_text(continuum_um)}
    step = _step(Path(file), cube, {**windows, "ifu": ifu or 0}, chosen)
    for name, path in paths.items():
        how: dict[str, Any] = {"step": step, "primary": exposure.header, "overwrite": overwrite}
        write_image(maps.by_name()[name], path, category=f"{name}_MAP", **how)
    record = write_record(paths["LINE"], step, products=paths.values(), overwrite=overwrite)
    medians = {name: _measured(image) for name, image in maps.by_name().items()}
    told = {"target": cube.name, "ifu": cube.ifu, **windows, "maps": medians}
    return Outcome(products=tuple(paths.values()), extras=(record,), measured=told)


def _names(parameters: MapParameters, with_continuum: bool) -> list[str]:
    """Return the names of the maps there will be."""
    moments = [f"MOMENT{order}" for order in sorted(set(parameters.moments))]
    return ["LINE", *(["CONTINUUM"] if with_continuum else []), "BAND", *moments, "SNR"]


def _step(file: Path, cube: Cube, windows: Mapping[str, Any], parameters: MapParameters) -> Step:
    """Describe what was done."""
    is_estimated = cube.noise is None or cube.noise_estimated
    return Step(
        name="map",
        inputs=(file,),
        parameters={**windows, **parameters_of(parameters)},
        defaults={"continuum": "", "ifu": 0, **defaults_of(parameters)},
        measured={"NOISE ESTIMATED": True} if is_estimated else {},
    )


def _measured(image: Image) -> dict[str, Any]:
    """Return what is told of one map."""
    known = image.data[np.isfinite(image.data)]
    return {
        "unit": None if image.unit is None else image.unit.to_string("fits"),
        "median": float(np.median(known)) if known.size else math.nan,
        "spaxels": int(known.size),
    }
