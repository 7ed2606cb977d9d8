"""Files that hold light of stars, whatever they are: cubes and spectra, and the star that tells most of each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

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
    write_spectrum,
)
from napari_kmos.progress import Progress, silent
from napari_kmos.recipes.product_cube import product_category
from napari_kmos.stars import FindParameters, detect_stars
from napari_kmos.summary.white import preview_white_light

if TYPE_CHECKING:
    from astropy.io import fits

    from napari_kmos.provenance import Step
    from napari_kmos.spectrum import StarSpectrum

_BRIGHTEST = FindParameters(most=1)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Light:
    """A file with a cube or with the spectrum of a star.

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
    """

    path: Path
    data: Cube | StarSpectrum
    header: fits.Header
    category: str = ""

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
    file = Path(path)
    try:
        return Light(path=file, data=read_spectrum(file), header=read_primary(file))
    except NotKmosError:
        exposure = read_exposure(file)
    cube = exposure.cube(ifu)
    return Light(path=file, data=cube, header=exposure.header, category=product_category(exposure))


def write_light(
    light: Light,
    data: Cube | StarSpectrum,
    path: Path,
    *,
    step: Step,
    overwrite: bool = False,
    progress: Progress = silent,
) -> Path:
    """Write what was made of a file: a cube a few planes at a time, or a spectrum."""
    if isinstance(data, Cube):
        return write_cube(
            data,
            path,
            step=step,
            primary=light.header,
            category=light.category,
            overwrite=overwrite,
            progress=progress,
        )
    return write_spectrum(data, path, step=step, primary=light.header, overwrite=overwrite)


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
    KmosError
        If no star stands out.
    """
    found = detect_stars(preview_white_light(cube), _BRIGHTEST, correlation=cube.correlation)
    if not found:
        msg = f"{cube.source or cube.label}: no star stands out in it; give the spectrum of one instead"
        raise KmosError(msg)
    aperture = Aperture(id="brightest", ra=found[0].ra, dec=found[0].dec, radius_arcsec=radius_arcsec)
    parameters = ExtractParameters(sky="annulus" if sky else "none")
    (spectrum,) = extract_spectra(cube, [aperture], parameters=parameters)
    return spectrum
