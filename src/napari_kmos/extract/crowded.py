"""Crowded fields: all stars of a field fitted together, in all planes, with one point spread function."""

from __future__ import annotations

import dataclasses
import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import dask.array as da
import numpy as np

from napari_kmos.cube import pixel_scale_arcsec
from napari_kmos.errors import KmosWarning
from napari_kmos.extract.field_data import collapsed, field_data
from napari_kmos.extract.fields import FieldFit, fields_of
from napari_kmos.extract.psf_facts import extraction_of, far_shift
from napari_kmos.extract.psf_fit import BinFit, PsfSolution, outshone
from napari_kmos.extract.psf_model import LN_FWHM, BandImages, PsfModel, background_terms
from napari_kmos.extract.psf_planes import solve_planes, whole_variance

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_kmos.cube import Cube
    from napari_kmos.extract.aperture import Extraction
    from napari_kmos.extract.fields import Field
    from napari_kmos.extract.parameters import ExtractParameters
    from napari_kmos.extract.placing import Placed
    from napari_kmos.extract.reading import CubeReader, Piece

    Floats = NDArray[np.float64]

#: Planes of a residual cube that are made at a time, where the cube is in memory.
_PLANES = 64


@dataclass(frozen=True, slots=True, eq=False)
class CrowdedFit:
    """The stars of a cube: a fit a field, None where a field has no data."""

    cube: Cube
    fits: tuple[FieldFit | None, ...]

    def residual(self) -> Cube:
        """Return the cube without the stars and the background that were fitted; lazy."""
        flux = self.cube.flux
        if isinstance(flux, np.ndarray):
            flux = da.from_array(flux, chunks=(_PLANES, -1, -1))
        flux = flux.rechunk({1: -1, 2: -1})
        subtract = partial(_subtracted, fits=self.fits, owners=self._owners(), wave_um=self.cube.wavelength_um)
        left = da.map_blocks(subtract, flux, dtype=np.float32, meta=np.empty((0, 0, 0), dtype=np.float32))
        return dataclasses.replace(self.cube, flux=left)

    def _owners(self) -> NDArray[np.int_]:
        """Return for each spaxel the field whose background is subtracted: that of the nearest centre; -1 is none."""
        owners = np.full(self.cube.shape[1:], -1)
        nearest = np.full(owners.shape, np.inf)
        for number, fit in enumerate(self.fits):
            if fit is not None:
                box = fit.field.box
                rows, columns = np.ogrid[box]
                middle = [(part.start + part.stop - 1) / 2 for part in box]
                distance = np.hypot(rows - middle[0], columns - middle[1])
                closer = distance < nearest[box]
                owners[box][closer] = number
                nearest[box][closer] = distance[closer]
        return owners


def _subtracted(
    flux: NDArray[Any],
    *,
    fits: Sequence[FieldFit | None],
    owners: NDArray[np.int_],
    wave_um: Floats,
    block_info: Any = None,
) -> NDArray[np.float32]:
    """Subtract stars from some planes, and in each spaxel the background of the field that owns it."""
    planes = slice(*block_info[0]["array-location"][0])
    left = np.array(flux, dtype=np.float32)
    for number, fit in enumerate(fits):
        if fit is not None:
            box = fit.field.box
            left[:, *box] -= fit.light(planes, wave_um, background=owners[box] == number)
    return left


def extract_psf(
    reader: CubeReader, stars: Sequence[Placed], others: Sequence[Placed], parameters: ExtractParameters
) -> list[Extraction]:
    """Fit all stars of a cube together.

    Parameters
    ----------
    reader : CubeReader
        Reads the cube, of shape (n_wavelength, n_y, n_x).
    stars : sequence of Placed
        Those wanted.
    others : sequence of Placed
        Stars outside the cube are fitted with those wanted, as far as their light reaches in. Sky areas are not used.
    parameters : ExtractParameters
        What is known beforehand of the stars, and how they are fitted.

    Returns
    -------
    list of Extraction
        One a star, in the cube's unit: all its light, the point spread function normalised over the infinite plane. A
        wavelength at which less than ``min_light`` of the star's light falls on data is NaN.

    Notes
    -----
    The stars are Moffat profiles integrated over the spaxels. Width, its power of the wavelength, beta, a linear drift
    with wavelength, a shift of all stars and the positions are fitted to a few mean images of the cube, with fluxes and
    background projected out. Then each plane is solved for all fluxes and the background, f = (A^T W A)^-1 A^T W d.
    The variance is that of this solution, with the correlation that the cube tells of the noise of neighbouring
    spaxels, and that by the errors of the fitted parameters, those that were held included; the latter is common to
    all wavelengths. Of stars closer than ``blend_fwhm`` the position of the brightest is fitted, and the others stay
    where they were given.
    """
    return fit_crowded(reader, stars, others, parameters)[1]


def fit_crowded(
    reader: CubeReader, stars: Sequence[Placed], others: Sequence[Placed], parameters: ExtractParameters
) -> tuple[CrowdedFit, list[Extraction]]:
    """Return what `extract_psf` does, and the fit itself."""
    everyone = [*stars, *(one for one in others if one.aperture.kind == "star")]
    scale = pixel_scale_arcsec(reader.cube.wcs)
    fields = fields_of(everyone, len(stars), reader.cube.shape[1:], parameters, scale)
    extractions: dict[int, Extraction] = {}
    fits = []
    for field, piece in zip(fields, reader.pieces([field.box for field in fields]), strict=True):
        members = [everyone[number] for number in field.members]
        fit = _fit_field(reader.cube, field, piece, members, parameters)
        fits.append(fit)
        for place, number in enumerate(field.members[: field.n_own]):
            extractions[number] = extraction_of(reader.cube, fit, members, place, parameters)
    far = max((far_shift(reader.cube, fit, parameters) for fit in fits if fit is not None), default="")
    if far:
        text = f"{reader.cube.label}: {far}: take the offset off (align --catalogue) or expect as much; "
        warnings.warn(
            text + "else fluxes of stars in a crowd are wrong, as the residual shows", KmosWarning, stacklevel=2
        )
    return CrowdedFit(reader.cube, tuple(fits)), [extractions[number] for number in range(len(stars))]


def _fit_field(
    cube: Cube, field: Field, piece: Piece, members: Sequence[Placed], parameters: ExtractParameters
) -> FieldFit | None:
    """Fit the stars of one field; None where it has no data."""
    wave = cube.wavelength_um
    used = partial(field_data, clip=parameters.clip, n_bins=parameters.n_bins)
    data = used(piece.flux, piece.noise, wave, correlation=cube.correlation)
    bins = collapsed(data, parameters.n_bins)
    if not bins:
        return None
    corner = np.array([part.start for part in field.box], dtype=float)
    places = np.array([(one.y, one.x) for one in members]) - corner
    model = PsfModel(places, data.shape, (float(wave[0]), float(wave[-1])))
    background = background_terms(parameters.background, data.shape)
    fit_of = partial(BinFit, bins=bins, background=background, correlation=data.correlation)
    model, solution = _solve(fit_of, model, parameters, pixel_scale_arcsec(cube.wcs))
    images = BandImages(model, solution.theta)
    planes = solve_planes(data, images, background)
    variance, inflation = whole_variance(planes, solution.bins, wave)
    return FieldFit(
        field=field,
        model=model,
        solution=solution,
        images=images,
        planes=planes,
        background=background,
        sigma=np.sqrt(variance) * data.scale,
        inflation=inflation,
        scale=data.scale,
    )


def _solve(
    fit_of: Callable[[PsfModel], BinFit], model: PsfModel, parameters: ExtractParameters, scale_arcsec: float
) -> tuple[PsfModel, PsfSolution]:
    """Fit the profile and the positions; again with positions held, where stars turn out to be blended."""
    fit, prior = fit_of(model), model.prior(parameters, scale_arcsec)
    solution = fit.solve(prior)
    closer_than = parameters.blend_fwhm * math.exp(solution.theta[LN_FWHM])
    held = outshone(model.places, solution.brightness, closer_than)
    if held:
        model = dataclasses.replace(model, held=held)
        fit, prior = fit_of(model), model.prior(parameters, scale_arcsec)
        solution = fit.solve(prior, solution.theta)
    return model, fit.with_errors(fit.allowing_for_misfit(solution, prior), prior)
