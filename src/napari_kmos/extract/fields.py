"""Which stars of a cube are fitted together, and what was found of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_kmos.extract.parameters import PsfParameters
    from napari_kmos.extract.placing import Placed
    from napari_kmos.extract.psf_fit import PsfSolution
    from napari_kmos.extract.psf_model import BandImages, PsfModel
    from napari_kmos.extract.psf_planes import PlaneFluxes
    from napari_kmos.io.source import Box

    Floats = NDArray[np.float64]

#: More stars than this are not fitted together: the time goes with their number to the power of three.
_MOST_STARS = 60


@dataclass(frozen=True, slots=True)
class Field:
    """Rows and columns of a cube, and the numbers of the stars that are fitted there, its own first.

    ``subtracted`` are the places among them of those that a residual is freed from: each star in one field.
    """

    box: Box
    members: tuple[int, ...]
    n_own: int
    subtracted: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class FieldFit:
    """What was found of the stars of a field, in the unit of the cube.

    Parameters
    ----------
    field : Field
        Which stars, and which rows and columns.
    model : PsfModel
        The stars on its pixels.
    solution : PsfSolution
        Profile and positions.
    images : BandImages
        How the stars look.
    planes : PlaneFluxes
        Fluxes in units of ``scale``.
    background : ndarray, shape (n_terms, n_pixels)
        Images of the background.
    sigma : ndarray, shape (n_wavelength, n_stars)
        1 sigma of the fluxes, in the unit of the cube.
    inflation : ndarray, shape (n_stars,)
        Variance by correlated noise over that by as much independent noise.
    scale : float
        Unit of the fit.
    """

    field: Field
    model: PsfModel
    solution: PsfSolution
    images: BandImages
    planes: PlaneFluxes
    background: Floats
    sigma: Floats
    inflation: Floats
    scale: float

    def light(self, planes: slice, wave_um: Floats, *, background: NDArray[np.bool_]) -> NDArray[np.float32]:
        """Return the stars that belong to the field, and its background where wanted, shape (n_planes, n_y, n_x)."""
        chosen = list(self.field.subtracted)
        flux = np.nan_to_num(self.planes.flux[planes][:, chosen]) * self.scale
        level = np.nan_to_num(self.planes.background[planes]) * self.scale
        stars = np.einsum("zs,zsp->zp", flux.astype(np.float32), self.images.at(wave_um[planes])[:, chosen])
        below = (level @ self.background).astype(np.float32)
        return np.asarray(stars + below * background.ravel()).reshape(len(flux), *self.model.shape)


def fields_of(
    stars: Sequence[Placed], n_wanted: int, shape: tuple[int, int], parameters: PsfParameters, scale_arcsec: float
) -> list[Field]:
    """Divide the stars wanted, the first ones, into fields, and give each the others that reach into it."""
    places = np.array([(one.y, one.x) for one in stars])
    reach = parameters.reach_fwhm * parameters.fwhm_arcsec / scale_arcsec
    outside = parameters.outside_arcsec / scale_arcsec
    groups = _groups(places, np.arange(n_wanted), parameters.field_arcsec / scale_arcsec)
    fields, taken = [], set(range(n_wanted))
    for group in groups:
        low = places[group].min(axis=0) - reach
        high = places[group].max(axis=0) + reach
        rows, columns = (
            slice(max(round(first), 0), min(round(last) + 1, length))
            for first, last, length in zip(low, high, shape, strict=True)
        )
        corners = np.array([[rows.start, columns.start], [rows.stop - 1, columns.stop - 1]])
        near = np.all((places > corners[0] - outside) & (places < corners[1] + outside), axis=1)
        near[group] = False
        more = np.flatnonzero(near).tolist()
        first_here = [len(group) + place for place, number in enumerate(more) if number not in taken]
        taken.update(more)
        subtracted = (*range(len(group)), *first_here)
        fields.append(Field((rows, columns), (*group.tolist(), *more), len(group), subtracted))
    return fields


def _groups(places: Floats, chosen: NDArray[np.intp], side: float) -> list[NDArray[np.intp]]:
    """Halve the stars along the longer side of their field until each lies in a square and has few enough."""
    extent = np.ptp(places[chosen], axis=0)
    if extent.max() <= side and len(chosen) <= _MOST_STARS:
        return [chosen]
    order = chosen[np.argsort(places[chosen, int(np.argmax(extent))], kind="stable")]
    half = len(order) // 2
    return _groups(places, order[:half], side) + _groups(places, order[half:], side)
