"""The rotation of an exposure that its header does not tell, from stars of all its fields."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from napari_kmos.align.clicks import locate_star
from napari_kmos.align.images import with_noise
from napari_kmos.align.solving import LEAST_PAIRS, agreeing
from napari_kmos.align.star_lists import catalogue_rows, search_of
from napari_kmos.align.star_pairs import pair_stars
from napari_kmos.cube import pixel_scale_arcsec
from napari_kmos.errors import AlignmentError
from napari_kmos.spatial.wcs import offset_arcsec, sky_to_pixel
from napari_kmos.stars import find_stars

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_kmos.align.parameters import AlignParameters
    from napari_kmos.align.star_parameters import StarListParameters
    from napari_kmos.catalogue import Catalogue
    from napari_kmos.cube import Image

    Floats = NDArray[np.float64]

#: A centroid further from where its star was found is that of a neighbour.
_SAME_PIX = 1.0
_ROUNDS = 10
#: One star of a field tells its shift, more tell the rotation.
_LEAST_IN_FIELD = 2
#: So many coordinates that scatter as expected are added: few stars may agree by chance.
_EXPECTED = 3


class Stars(NamedTuple):
    """Where stars are: degrees, and 1 sigma of each coordinate in arcsec; all of shape (n,)."""

    ra: Floats
    dec: Floats
    err_arcsec: Floats

    def seen_from(self, origin: tuple[float, float]) -> Floats:
        """Return them (east, north) in arcsec of a sky position, shape (n, 2)."""
        return np.stack(offset_arcsec(*origin, self.ra, self.dec), axis=1).reshape(-1, 2)


class StarField(NamedTuple):
    """Stars of a field, and those that are right in and about it; the centre is that of its pixels, (ra, dec)."""

    stars: Stars
    right: Stars
    centre: tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotation:
    """By how much the position angle of fields has to grow.

    Parameters
    ----------
    deg, err_deg : float
        The angle and its 1 sigma; zero and infinite if there are too few stars.
    n_stars, n_fields : int
        How many tell it; no field if the stars are too few.
    """

    deg: float
    err_deg: float
    n_stars: int
    n_fields: int

    @property
    def sigma(self) -> float:
        """How many standard deviations it is from none."""
        return abs(self.deg) / self.err_deg


def locate_stars(image: Image, parameters: StarListParameters) -> Stars:
    """Find the stars of an image, and where each is to a small part of a pixel.

    Notes
    -----
    Stars are found by DAOStarFinder; an elliptical Gaussian is fitted to each. One that is drawn to a neighbour is left
    out.
    """
    image, search = with_noise(image), search_of(parameters)
    radius = pixel_scale_arcsec(image.wcs)
    found = find_stars(
        image, fwhm_arcsec=search.fwhm_arcsec, threshold=search.threshold, radius_arcsec=radius, most=search.most
    )
    places = []
    for star in found:
        y, x = sky_to_pixel(image.wcs, star.ra, star.dec)
        try:
            place = locate_star(image, y, x)
        except AlignmentError:
            continue
        if np.hypot(place.y - y, place.x - x) <= _SAME_PIX:
            places.append((place.ra, place.dec, place.err_arcsec))
    return Stars(*np.array(places, dtype=float).reshape(-1, 3).T)


def catalogue_stars(catalogue: Catalogue, image: Image, parameters: AlignParameters) -> Stars:
    """Return the brightest stars of a catalogue in and about an image."""
    rows = catalogue_rows(catalogue, image, parameters.star_match_arcsec, parameters.star_most)
    err = np.full(len(rows), parameters.position_error_arcsec)
    return Stars(catalogue.ra[rows], catalogue.dec[rows], err)


def fit_rotation(fields: Sequence[StarField], *, match_arcsec: float) -> Rotation:
    """Fit one rotation to the stars of fields that turn together, each about its own centre.

    Parameters
    ----------
    fields : sequence of StarField
        Where they stand once they are shifted. Those that have one star in common with what is right tell nothing;
        all others together need three.
    match_arcsec : float
        Stars closer than this can be the same.

    Notes
    -----
    Least squares, in closed form, of one rotation and a shift of each field, the scale fixed; stars are paired again
    with what is found until the pairs stay, and those beyond four times the scatter are left out. The error follows
    from the scatter, as if three more coordinates scattered as the errors of the centroids say.
    """
    turn, shifts = 0.0, [np.zeros(2) for _ in fields]
    seen = [(one.stars.seen_from(one.centre), one.right.seen_from(one.centre)) for one in fields]
    before: list[NDArray[np.intp]] = []
    for _ in range(_ROUNDS):
        pairs = [
            pair_stars(places @ _matrix(turn) + shift, right, radius=match_arcsec)
            for (places, right), shift in zip(seen, shifts, strict=True)
        ]
        used = [number for number, one in enumerate(pairs) if len(one) >= _LEAST_IN_FIELD]
        n_stars = sum(len(pairs[one]) for one in used)
        if n_stars < LEAST_PAIRS:
            return Rotation(deg=0.0, err_deg=np.inf, n_stars=n_stars, n_fields=0)
        joined = _Joined.of([(fields[one], *seen[one], pairs[one]) for one in used])
        turn, kept, err = joined.solved()
        for number, shift in zip(used, joined.shifts(turn, kept), strict=True):
            shifts[number] = shift
        if len(before) and all(map(np.array_equal, before, pairs)):
            break
        before = pairs
    return Rotation(
        deg=float(np.rad2deg(turn)), err_deg=float(np.rad2deg(err)), n_stars=int(kept.sum()), n_fields=len(used)
    )


class _Joined(NamedTuple):
    """Pairs of all fields: places and right ones, shape (n, 2), weights and the number of the field of each, (n,)."""

    places: Floats
    right: Floats
    weights: Floats
    field: NDArray[np.intp]

    @classmethod
    def of(cls, fields: Sequence[tuple[StarField, Floats, Floats, NDArray[np.intp]]]) -> _Joined:
        """Join the pairs of fields."""
        parts = []
        for number, (field, places, right, pairs) in enumerate(fields):
            squared = field.stars.err_arcsec[pairs[:, 0]] ** 2 + field.right.err_arcsec[pairs[:, 1]] ** 2
            parts.append((places[pairs[:, 0]], right[pairs[:, 1]], 1 / squared, np.full(len(pairs), number)))
        return cls(*(np.concatenate(one) for one in zip(*parts, strict=True)))

    def solved(self) -> tuple[float, NDArray[np.bool_], float]:
        """Return the angle in radians, which pairs it is from, and its error."""
        used = np.ones(len(self.field), dtype=bool)
        for _ in range(_ROUNDS):
            turn, lever = self._fit(used)
            shifts = self.shifts(turn, used)
            left = (self.right - self.places @ _matrix(turn) - shifts[self.field]).T * np.sqrt(self.weights)
            before, used = used, agreeing(left, used)
            if np.array_equal(before, used):
                break
        n_free = 2 * used.sum() - 2 * len(np.unique(self.field[used])) - 1
        scatter = (float(np.sum(left[:, used] ** 2)) + _EXPECTED) / (n_free + _EXPECTED)
        return turn, used, float(np.sqrt(scatter / lever))

    def shifts(self, turn: float, used: NDArray[np.bool_]) -> Floats:
        """Return the shift of each field, once it is turned, shape (n_fields, 2)."""
        return self._means(self.right - self.places @ _matrix(turn), used)

    def _fit(self, used: NDArray[np.bool_]) -> tuple[float, float]:
        """Return the angle, and the weighted sum of squared distances from the mean place of each field."""
        east, north = (self.places - self._means(self.places, used)[self.field])[used].T
        to_east, to_north = (self.right - self._means(self.right, used)[self.field])[used].T
        weights = self.weights[used]
        turn = np.arctan2(weights @ (to_east * north - to_north * east), weights @ (to_east * east + to_north * north))
        return float(turn), float(weights @ (east**2 + north**2))

    def _means(self, values: Floats, used: NDArray[np.bool_]) -> Floats:
        """Return the weighted mean of each field, shape (n_fields, 2)."""
        weights = self.weights * used
        count = int(self.field.max()) + 1
        total = np.bincount(self.field, weights, count)
        sums = [np.bincount(self.field, weights * one, count) for one in values.T]
        return np.stack(sums, axis=1) / np.maximum(total, np.finfo(float).tiny)[:, None]


def _matrix(turn: float) -> Floats:
    """Return what turns rows (east, north) from north to east, by radians."""
    sin, cos = np.sin(turn), np.cos(turn)
    return np.array([[cos, -sin], [sin, cos]])
