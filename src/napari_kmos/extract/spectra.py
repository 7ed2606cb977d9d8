"""Extract the spectra of stars through apertures on the sky."""

from __future__ import annotations

import dataclasses
import math
import warnings
from collections.abc import Collection, Iterable, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_kmos.aperture import Aperture, check_apertures
from napari_kmos.errors import ExtractionError, KmosWarning
from napari_kmos.extract.aperture import Extraction
from napari_kmos.extract.crowded import fit_crowded
from napari_kmos.extract.footprint import excluded_spaxels
from napari_kmos.extract.methods import EXTRACT_METHODS, PSF_METHODS
from napari_kmos.extract.parameters import ExtractParameters, PsfParameters
from napari_kmos.extract.placing import Placed, neighbours_of, overlapping, place_apertures
from napari_kmos.extract.reading import CubeReader
from napari_kmos.extract.sky import sky_of_areas
from napari_kmos.progress import Progress, silent
from napari_kmos.provenance import parameters_of
from napari_kmos.spectral.snr import measure_snr
from napari_kmos.spectrum import StarSpectrum

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_kmos.cube import Cube
    from napari_kmos.spectral.noise import NoiseModel

_DEFAULTS = ExtractParameters()


def extract_spectra(
    cube: Cube,
    apertures: Iterable[Aperture],
    *,
    method: str = "aperture",
    parameters: ExtractParameters = _DEFAULTS,
    wanted: Collection[str] | None = None,
    noise_model: NoiseModel | None = None,
    progress: Progress = silent,
) -> tuple[StarSpectrum, ...]:
    """Extract the spectra of the stars in a cube.

    Parameters
    ----------
    cube : Cube
        Arrays of shape (n_wavelength, n_y, n_x), in memory or lazy; it is not modified. Of a large lazy cube only the
        surroundings of the apertures are read. Without noise, noise is estimated and the spectra say so.
    apertures : iterable of Aperture
        Those of kind star are extracted, those of kind sky serve ``parameters.sky`` ``"areas"``. An aperture belongs to
        the cube if its centre lies on one of its spaxels; methods that fit the point spread function make use of stars
        outside whose light reaches in, and rings may keep away from them.
    method : str
        A key of `EXTRACT_METHODS`.
    parameters : ExtractParameters
        Sky and limits.
    wanted : collection of str, optional
        Ids of the stars whose spectra are wanted, all by default; the others are known as their neighbours.
    noise_model : NoiseModel, optional
        What the noise of a large cube without noise follows from, if that is known of the whole cube; else it is
        estimated from the surroundings of each aperture.
    progress : Progress
        Told while a large cube is read; it may raise `Cancelled`.

    Returns
    -------
    tuple of StarSpectrum
        One for each star inside the cube, in the order of the apertures, in the cube's unit; masked (NaN) where the
        aperture has too little data, and ``note`` says so, and which apertures share light with it.

    Raises
    ------
    ExtractionError
        If the method is unknown, there is no aperture of kind star, all lie outside the cube, ids are used twice, or
        the sky is to come from areas and there is none in the cube.
    """
    if method not in EXTRACT_METHODS:
        msg = f"method {method!r} is unknown; expected one of {', '.join(EXTRACT_METHODS)}"
        raise ExtractionError(msg)
    stars, others = _placed(cube, apertures, method, parameters, wanted)
    hidden = _hidden(cube, (*stars, *others)) if method in PSF_METHODS else None
    reader = CubeReader(cube, noise_model=noise_model, excluded=hidden, progress=progress)
    extractions = EXTRACT_METHODS[method](reader, stars, others, parameters)
    if method != "psf":
        everyone = (*stars, *others)
        extractions = [
            _shared(found, overlapping(one, everyone)) for one, found in zip(stars, extractions, strict=True)
        ]
    return _spectra(reader, stars, extractions, method=method, parameters=parameters)


def extract_with_residual(
    cube: Cube,
    apertures: Iterable[Aperture],
    *,
    parameters: ExtractParameters = _DEFAULTS,
    noise_model: NoiseModel | None = None,
    progress: Progress = silent,
) -> tuple[tuple[StarSpectrum, ...], Cube]:
    """Extract spectra by the method ``psf``, and show what it leaves.

    Parameters
    ----------
    cube, apertures, parameters, noise_model, progress
        As in `extract_spectra`.

    Returns
    -------
    tuple
        The spectra, and the cube without the stars and the background that were fitted, lazy. Where no star is near it
        is as it was.

    Raises
    ------
    ExtractionError
        As `extract_spectra`.
    """
    stars, others = _placed(cube, apertures, "psf", parameters)
    hidden = _hidden(cube, (*stars, *others))
    reader = CubeReader(cube, noise_model=noise_model, excluded=hidden, progress=progress)
    fit, extractions = fit_crowded(reader, stars, others, parameters)
    return _spectra(reader, stars, extractions, method="psf", parameters=parameters), fit.residual()


def extract_sky(
    cube: Cube,
    apertures: Iterable[Aperture],
    *,
    parameters: ExtractParameters = _DEFAULTS,
    progress: Progress = silent,
) -> StarSpectrum:
    """Extract the mean sky per spaxel of the sky apertures in a cube.

    Parameters
    ----------
    cube : Cube
        As in `extract_spectra`.
    apertures : iterable of Aperture
        Those of kind sky whose centre lies in the cube are used.
    parameters : ExtractParameters
        Limits.
    progress : Progress
        As in `extract_spectra`.

    Returns
    -------
    StarSpectrum
        Its aperture is of kind sky, at the mean position; its flux is the mean of the apertures' means, per spaxel.

    Raises
    ------
    ExtractionError
        If there is no sky aperture in the cube, or none has data.
    """
    skies, _ = place_apertures(cube, (row for row in apertures if row.kind == "sky"))
    reader = CubeReader(cube, progress=progress)
    sky = sky_of_areas(reader, skies, parameters)
    coverage = np.isfinite(sky.level).astype(float)
    extraction = Extraction(sky.level, np.sqrt(sky.variance), np.zeros(sky.level.size), coverage, sky.n_sky)
    spectrum = _spectrum(reader, _middle(skies), extraction)
    facts = MappingProxyType(_used("aperture", parameters) | {"sky": "areas"})
    return dataclasses.replace(spectrum, area_pix=1.0, parameters=facts, snr=math.nan, snr_noise=math.nan)


def _hidden(cube: Cube, placed: Iterable[Placed]) -> NDArray[np.bool_]:
    """Spaxels that no star of a common fit may use, as one of them excludes them."""
    return excluded_spaxels(cube, [one.aperture for one in placed if one.aperture.kind == "star"])


def _shared(found: Extraction, overlaps: Sequence[str]) -> Extraction:
    """Say whose light is in an aperture, too."""
    if not overlaps or not np.isfinite(found.flux).any():
        return found
    text = f"overlaps the aperture of {', '.join(overlaps)}"
    return dataclasses.replace(found, note=f"{found.note}; {text}" if found.note else text)


def _placed(
    cube: Cube,
    apertures: Iterable[Aperture],
    method: str,
    parameters: ExtractParameters,
    wanted: Collection[str] | None = None,
) -> tuple[tuple[Placed, ...], tuple[Placed, ...]]:
    """Wanted stars in the cube; sky areas, and stars whose light may matter. A warning names those too far outside."""
    rows = check_apertures(apertures)
    stars = [row for row in rows if row.kind == "star"]
    if not stars:
        msg = f"all {len(rows)} apertures are of kind sky; expected at least one of kind star"
        raise ExtractionError(msg)
    inside, outside = place_apertures(cube, stars)
    if not inside:
        n_y, n_x = cube.shape[1:]
        msg = (
            f"{cube.label}: none of the {len(stars)} star apertures lies in its {n_x} x {n_y} spaxels; "
            "give apertures of this field, in degrees"
        )
        raise ExtractionError(msg)
    near = neighbours_of(cube, outside, parameters.outside_arcsec if method in PSF_METHODS else parameters.avoid_arcsec)
    known = {one.aperture.id for one in near}
    far = [row.id for row in outside if row.id not in known]
    if far:
        warnings.warn(f"{cube.label}: outside the cube: {', '.join(far)}", KmosWarning, stacklevel=3)
    skies, _ = place_apertures(cube, (row for row in rows if row.kind == "sky"))
    mine = inside if wanted is None else tuple(one for one in inside if one.aperture.id in wanted)
    others = tuple(one for one in inside if one not in mine)
    return mine, (*skies, *others, *near)


def _used(method: str, parameters: ExtractParameters) -> dict[str, Any]:
    """Return the parameters that a method has used."""
    of_psf = {field.name for field in dataclasses.fields(PsfParameters)}
    values = parameters_of(parameters)
    if method == "optimal":
        return values
    return {name: value for name, value in values.items() if (name in of_psf) == (method == "psf")}


def _spectra(
    reader: CubeReader,
    stars: Sequence[Placed],
    extractions: Sequence[Extraction],
    *,
    method: str,
    parameters: ExtractParameters,
) -> tuple[StarSpectrum, ...]:
    """Return the spectra of the stars, which tell how they were made."""
    facts = MappingProxyType(_used(method, parameters))
    return tuple(
        dataclasses.replace(_spectrum(reader, star, extraction), method=method, parameters=facts)
        for star, extraction in zip(stars, extractions, strict=True)
    )


def _spectrum(reader: CubeReader, placed: Placed, extraction: Extraction) -> StarSpectrum:
    """Put together what was extracted and what is known of the cube."""
    cube = reader.cube
    snr = measure_snr(cube.wavelength_um, extraction.flux, noise=extraction.noise)
    return StarSpectrum(
        aperture=placed.aperture,
        wavelength=cube.wavelength,
        flux=extraction.flux,
        noise=extraction.noise,
        sky=extraction.sky,
        mask=~np.isfinite(extraction.flux),
        unit=cube.unit,
        target=cube.name,
        ifu=cube.ifu,
        area_pix=placed.area_pix,
        coverage=extraction.coverage,
        snr=snr.value,
        snr_noise=snr.propagated,
        snr_windows=snr.windows,
        n_sky=extraction.n_sky,
        noise_estimated=reader.noise_estimated,
        noise_correlated=cube.correlation is not None,
        medium=cube.medium,
        exptime=cube.exptime,
        note=extraction.note,
        source=cube.source,
        psf=extraction.psf,
    )


def _middle(skies: tuple[Placed, ...]) -> Placed:
    """One aperture that stands for all sky areas: their mean position, their mean radius."""
    first = skies[0]
    # Differences from the first, so that a field across RA = 0 has its mean there and not on the other side.
    ra = [(sky.aperture.ra - first.aperture.ra + 180) % 360 - 180 for sky in skies]
    middle = Aperture(
        id="sky",
        kind="sky",
        ra=(first.aperture.ra + float(np.mean(ra))) % 360,
        dec=float(np.mean([sky.aperture.dec for sky in skies])),
        radius_arcsec=float(np.mean([sky.aperture.radius_arcsec for sky in skies])),
    )
    return Placed(middle, first.y, first.x, first.radius_pix)
