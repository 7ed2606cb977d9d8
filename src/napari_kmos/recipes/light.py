"""Files that hold light of stars, whatever they are: cubes and spectra, and the star that tells most of each."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_kmos.aperture import Aperture
from napari_kmos.cube import Cube
from napari_kmos.errors import KmosError, NotKmosError
from napari_kmos.extract import ExtractParameters, extract_spectra
from napari_kmos.instrument import KEY_AIRMASS_START
from napari_kmos.io import (
    check_free,
    fits_stem,
    read_airmass,
    read_exposure,
    read_primary,
    read_spectrum,
    write_cube,
    write_exposure,
    write_spectrum,
)
from napari_kmos.lazy import computed, plane_blocks
from napari_kmos.progress import Progress, silent
from napari_kmos.recipes.product_cube import product_category
from napari_kmos.spectrum import StarSpectrum
from napari_kmos.stars import FindParameters, detect_stars
from napari_kmos.summary.white import preview_white_light
from napari_kmos.threads import compute_ahead

if TYPE_CHECKING:
    from astropy.io import fits

    from napari_kmos.exposure import Exposure
    from napari_kmos.provenance import Step

_BRIGHTEST = FindParameters(most=1)
#: Pieces of a lazy cube that are read, worked on and written together; several such wait to be written.
_PIECES = 3


class NoStarError(KmosError):
    """No star stands out in a cube."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Light:
    """A cube, or the spectrum of a star, of a file.

    Parameters
    ----------
    path : Path
        The file.
    data : Cube or StarSpectrum
        What it holds; a cube is lazy.
    header : Header
        The primary header.
    category : str
        Product category of what is made of it.
    exposure : Exposure, optional
        Of which the cube is one of several arms.
    """

    path: Path
    data: Cube | StarSpectrum
    header: fits.Header
    category: str = ""
    exposure: Exposure | None = None

    def airmass(self, given: float | None, option: str = "--airmass") -> float:
        """Return the airmass given, else that of the header.

        Raises
        ------
        KmosError
            If there is none.
        """
        found = read_airmass(self.header) if given is None else given
        if not math.isfinite(found):
            msg = f"{self.path}: its header tells no airmass ({KEY_AIRMASS_START}); type it in ({option})"
            raise KmosError(msg)
        return found

    def star(self) -> StarSpectrum:
        """Return the spectrum, of a cube that of its brightest star."""
        return brightest_star(self.data) if isinstance(self.data, Cube) else self.data


def read_light(path: Path | str, ifu: int | None = None) -> Light:
    """Read a cube or the spectrum of a star.

    Raises
    ------
    KmosError
        If the file holds neither, or several cubes and no IFU is given.
    """
    found = _read(Path(path))
    if isinstance(found, Light):
        return found
    cube = found.cube(ifu)
    return Light(path=Path(path), data=cube, header=found.header, category=product_category(found))


def read_lights(path: Path | str, ifu: int | None = None) -> tuple[Light, ...]:
    """Read a cube, the spectrum of a star, or, where no IFU is given, the cubes of all arms of an exposure with data.

    An exposure stays one, also if it has one arm with data only.

    Raises
    ------
    KmosError
        If the file holds nothing of these.
    """
    found = _read(Path(path))
    if isinstance(found, Light) or ifu is not None or found.kind != "exposure" or not found.cubes:
        return (read_light(path, ifu),)
    how = {"path": Path(path), "header": found.header, "category": found.category, "exposure": found}
    return tuple(Light(data=cube, **how) for cube in found.cubes)


def _read(file: Path) -> Light | Exposure:
    """Read the spectrum of a star, or what holds cubes."""
    try:
        return Light(path=file, data=read_spectrum(file), header=read_primary(file))
    except NotKmosError:
        return read_exposure(file)


def write_lights(
    lights: Sequence[Light],
    data: Sequence[Cube | StarSpectrum],
    path: Path,
    *,
    step: Step,
    overwrite: bool = False,
    progress: Progress = silent,
) -> Path:
    """Write what was made of a file: a spectrum, a cube a few planes at a time, or an exposure arm by arm."""
    exposure = lights[0].exposure
    if exposure is None:
        return _write(lights[0], data[0], path, step=step, overwrite=overwrite, progress=progress)
    cubes = {one.ifu: one for one in data if isinstance(one, Cube)}
    arms = tuple(dataclasses.replace(arm, cube=cubes.get(arm.number)) for arm in exposure.arms)
    made = dataclasses.replace(exposure, arms=arms)
    return write_exposure(made, path, step=step, overwrite=overwrite, progress=progress)


def _write(
    light: Light,
    data: Cube | StarSpectrum,
    path: Path,
    *,
    step: Step,
    overwrite: bool = False,
    progress: Progress = silent,
) -> Path:
    """Write what was made of the only light of a file."""
    how = {"step": step, "primary": light.header, "overwrite": overwrite}
    if isinstance(data, StarSpectrum):
        return write_spectrum(data, path, **how)
    with contextlib.closing(compute_ahead(lambda part: _block(data, part), _blocks(data))) as planes:
        return write_cube(data, path, planes=planes, category=light.category, progress=progress, **how)


def _blocks(cube: Cube) -> Iterator[slice]:
    """Return the planes that are computed together: some of the pieces of a lazy cube."""
    if isinstance(cube.flux, np.ndarray):
        yield from plane_blocks(cube.flux)
        return
    edges = [0, *itertools.accumulate(cube.flux.chunks[0])]
    for first, last in itertools.pairwise([*edges[:-1:_PIECES], edges[-1]]):
        yield slice(first, last)


def _block(cube: Cube, planes: slice) -> tuple[int, Sequence[Any]]:
    """Return the first of some planes, and these of flux and noise."""
    arrays = [cube.flux[planes]] if cube.noise is None else [cube.flux[planes], cube.noise[planes]]
    return planes.start, computed(*arrays)


def products_of(files: Sequence[Path | str], folder: Path, ending: str, *, overwrite: bool) -> dict[Path, Path]:
    """Return for each file ``<stem>_<ending>.fits`` in a folder, if it and what comes beside it may be written.

    Raises
    ------
    KmosError
        If files have the same name.
    WriteError
        If something exists and may not be replaced.
    """
    paths = [Path(file) for file in files]
    targets = {path: folder / f"{fits_stem(path)}_{ending}.fits" for path in paths}
    if len(set(targets.values())) < len(paths):
        msg = f"{len(paths)} files, of which some have the same name; give them in runs of their own (-o)"
        raise KmosError(msg)
    for target in targets.values():
        for suffix in (".fits", ".json", ".png", ".ecsv"):
            check_free(target.with_suffix(suffix), overwrite)
    return targets


def brightest_star(cube: Cube, *, radius_arcsec: float = 0.4, sky: bool = True) -> StarSpectrum:
    """Extract the star that stands out most.

    Parameters
    ----------
    cube : Cube
        In memory or lazy: of a large one a few planes and the surroundings of the star are read.
    radius_arcsec : float
        Of the aperture.
    sky : bool
        Subtract the light around it.

    Raises
    ------
    NoStarError
        If no star stands out.
    """
    found = detect_stars(preview_white_light(cube), _BRIGHTEST, correlation=cube.correlation)
    if not found:
        msg = f"{cube.source or cube.label}: no star stands out in it; give the spectrum of one instead"
        raise NoStarError(msg)
    aperture = Aperture(id="brightest", ra=found[0].ra, dec=found[0].dec, radius_arcsec=radius_arcsec)
    parameters = ExtractParameters(sky="annulus" if sky else "none")
    (spectrum,) = extract_spectra(cube, [aperture], parameters=parameters)
    return spectrum
