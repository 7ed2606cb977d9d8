"""Which stars of an image are which of a catalogue, where the image's coordinates are turned, scaled and shifted."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from napari_kmos.align.images import with_noise
from napari_kmos.align.solving import LEAST_PAIRS, StarPairs
from napari_kmos.align.star_lists import catalogue_rows, search_of
from napari_kmos.align.star_pairs import pair_stars, star_places
from napari_kmos.align.star_parameters import SolveParameters
from napari_kmos.align.voting import count_pairs, evidence, vote
from napari_kmos.cube import pixel_scale_arcsec
from napari_kmos.errors import AlignmentError
from napari_kmos.spatial.fields import centre_of, field_of
from napari_kmos.spatial.wcs import make_wcs, offset_arcsec, pixel_to_pixel
from napari_kmos.words import counted

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_kmos.catalogue import Catalogue
    from napari_kmos.cube import Image

    Floats = NDArray[np.float64]

#: So many of the best rotations and scales are looked at closely, and so many shifts of each.
_MOST_TURNS, _MOST_SHIFTS = 30, 2
#: Of a catalogue that goes deeper than the image, so many times as many stars are used as are seen.
_DEEPER = 2.0
_ROUNDS = 6
#: Stars are found where they are to this part of a pixel.
_PLACE_PIX = 0.5


class _Turn(NamedTuple):
    """Shift, rotation and scale of the plane: places @ matrix + shift."""

    matrix: Floats
    shift: Floats

    def of(self, places: Floats) -> Floats:
        """Return where places come to lie."""
        return places @ self.matrix + self.shift


class _Match(NamedTuple):
    """Pairs of stars found and stars of the catalogue, the evidence for them, and where they put the stars found."""

    pairs: NDArray[np.intp]
    odds: float
    there: Floats


def match_stars(image: Image, catalogue: Catalogue, *, parameters: SolveParameters | None = None) -> StarPairs:
    """Find the stars of a catalogue in an image whose world coordinates are wrong.

    Parameters
    ----------
    image : Image
        Shape (n_y, n_x), of any size; NaN is no data.
    catalogue : Catalogue
        With the positions of the date of the image.
    parameters : SolveParameters, optional
        How far the coordinates may be off; the defaults if not given.

    Returns
    -------
    StarPairs
        Three or more.

    Raises
    ------
    AlignmentError
        If there are too few stars in the image or of the catalogue, or too few that agree on one shift, rotation and
        scale to be more than chance.

    Notes
    -----
    For each of a grid of rotations and scales, every pair of a star found and one of the catalogue votes for a shift.
    The best few are refined by least squares and matched again, until the pairs stay; that with most evidence is taken.
    """
    parameters = parameters or SolveParameters()
    image = with_noise(image)
    origin = centre_of(field_of(image))
    places = star_places(image, origin, search_of(parameters))
    n_used = int(_DEEPER * len(places)) if catalogue.magnitude_name else len(catalogue)
    rows = catalogue_rows(catalogue, image, parameters.max_shift_arcsec, n_used)
    if min(len(places), len(rows)) < LEAST_PAIRS:
        seen = f"{counted(len(places), 'star')} {'is' if len(places) == 1 else 'are'} found in the image"
        msg = f"{catalogue.label}: {seen} and {len(rows)} of the catalogue lie near it; {LEAST_PAIRS} or more are "
        raise AlignmentError(msg + "needed: give pairs by hand (--pairs), or another catalogue")
    sky = np.stack(offset_arcsec(*origin, catalogue.ra[rows], catalogue.dec[rows]), axis=1)
    found = _matches(places, sky, pixel_scale_arcsec(image.wcs), parameters)
    if problem := _problem(found, parameters):
        n_agree = len(found[0].pairs) if found else 0
        seen = f"{n_agree} of {len(places)} stars found agree with {len(rows)} of the catalogue"
        msg = f"{catalogue.label}: no match: {seen}, {problem}, or give pairs by hand (--pairs)"
        raise AlignmentError(msg)
    pairs = found[0].pairs
    chosen = rows[pairs[:, 1]]
    east, north = places[pairs[:, 0]].T
    plane = make_wcs(*origin, crpix=(1.0, 1.0), scale_arcsec=1.0)  # east to the left
    y, x = pixel_to_pixel(plane, image.wcs, north, -east)
    return StarPairs(y=y, x=x, ra=catalogue.ra[chosen], dec=catalogue.dec[chosen], ids=tuple(catalogue.ids(chosen)))


def _problem(found: list[_Match], parameters: SolveParameters) -> str:
    """Tell why the best match is not to be trusted, and what to do; empty if it is."""
    best = found[0].odds if found else 0.0
    if not found or len(found[0].pairs) < LEAST_PAIRS or best < parameters.star_evidence:
        more = "allow for more (--max-shift-arcsec, --max-rotation-deg, --max-scale)"
        return f"evidence {best:.1f} where {parameters.star_evidence:g} is needed; {more}"
    margin = best - found[1].odds if len(found) > 1 else best
    if margin < parameters.star_margin:
        less = "allow for less (--max-shift-arcsec, --max-rotation-deg)"
        return f"but elsewhere almost as well, evidence {best:.1f} and {found[1].odds:.1f}; {less}"
    return ""


def _matches(places: Floats, sky: Floats, pixel_arcsec: float, parameters: SolveParameters) -> list[_Match]:
    """Return the match for which there is most evidence, and the next best one that puts the stars elsewhere."""
    extent = float(np.hypot(*np.abs(places).max(axis=0)))
    coarse = max(parameters.star_match_arcsec, _PLACE_PIX * pixel_arcsec)
    turns = _grid(extent, coarse, parameters)
    reach = parameters.max_shift_arcsec
    counts = [count_pairs(places @ matrix, sky, reach=reach, radius=coarse).max() for matrix in turns]
    order = np.argsort(counts, kind="stable")[::-1][:_MOST_TURNS]
    found = []
    for matrix in (turns[number] for number in order):
        for one in vote(places @ matrix, sky, reach=reach, radius=coarse, number=_MOST_SHIFTS):
            turn, pairs = _settled(places, sky, _Turn(matrix, np.array(one.shift)), coarse)
            there = turn.of(places)
            odds = evidence(len(pairs), (there, sky), reach=reach, radius=coarse, n_tries=float(len(turns)))
            found.append(_Match(pairs, odds, there))
    found.sort(key=lambda one: -one.odds)
    elsewhere = [one for one in found if _rms(one.there - found[0].there) > 2 * coarse]
    return found[:1] + elsewhere[:1]


def _rms(apart: Floats) -> float:
    """Root mean square of distances, shape (n, 2)."""
    return float(np.sqrt(np.mean(np.sum(apart**2, axis=1))))


def _grid(extent: float, radius: float, parameters: SolveParameters) -> list[Floats]:
    """Return matrices of all rotations and scales, so dense that at the edge of the field no star is off by more."""
    step = radius / max(extent, radius)
    turns, sizes = (
        np.linspace(-most, most, 2 * int(np.ceil(most / step)) + 1) if most else np.zeros(1)
        for most in (np.deg2rad(parameters.max_rotation_deg), parameters.max_scale)
    )
    return [
        (1 + size) * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        for turn in turns
        for size in sizes
    ]


def _settled(places: Floats, sky: Floats, turn: _Turn, radius: float) -> tuple[_Turn, NDArray[np.intp]]:
    """Fit a turn to its pairs and pair again, until these stay."""
    pairs = pair_stars(turn.of(places), sky, radius=radius)
    for _ in range(_ROUNDS):
        if len(pairs) < LEAST_PAIRS:
            break
        turn = _similarity(places[pairs[:, 0]], sky[pairs[:, 1]])
        before, pairs = pairs, pair_stars(turn.of(places), sky, radius=radius)
        if np.array_equal(before, pairs):
            break
    return turn, pairs


def _similarity(first: Floats, second: Floats) -> _Turn:
    """Shift, rotation and scale of least squares, in closed form: a complex factor."""
    middle, there = first.mean(axis=0), second.mean(axis=0)
    (x, y), (u, v) = (first - middle).T, (second - there).T
    power = max(float(np.sum(x**2 + y**2)), np.finfo(float).tiny)
    real, imaginary = float(np.sum(x * u + y * v)) / power, float(np.sum(x * v - y * u)) / power
    matrix = np.array([[real, imaginary], [-imaginary, real]])
    return _Turn(matrix, there - middle @ matrix)
