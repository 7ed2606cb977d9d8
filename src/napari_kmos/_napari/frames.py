"""Where cubes are drawn: on one sky, or side by side as a contact sheet.

World coordinates are arcsec, (south, west): napari draws y downwards and x to the right unless told otherwise, so that
north is up and east is left in any viewer, without touching its camera.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from astropy.wcs import WCS
from numpy.typing import ArrayLike, NDArray

from napari_kmos.instrument import FIELD_ARCSEC
from napari_kmos.spatial.fields import Field, centre_of
from napari_kmos.spatial.wcs import offset_arcsec, pixel_to_pixel, pixel_to_sky, sky_to_pixel

UNITS = ("pixel", "arcsec", "arcsec")
AXIS_LABELS = ("wavelength", "south", "west")
SKY, SHEET = "sky", "sheet"

#: Arms further apart than this are unreadable on one sky: a field would be a few screen pixels.
_SCATTERED_ARCSEC = 60.0
#: Fields closer than this show the same target and share a cell of the contact sheet.
_SAME_TARGET_ARCSEC = 5.0
#: Fields further than this from the others are drawn about their own origin.
_SAME_SKY_ARCSEC = 1800.0
_GAP = 1.2


@dataclass(frozen=True)
class Frame:
    """A tangent plane of the sky laid on the canvas: the sky position (ra, dec) is drawn at (y, x).

    Parameters
    ----------
    ra, dec : float
        Tangent point in degrees.
    y, x : float
        Where it is drawn, in arcsec.
    """

    ra: float
    dec: float
    y: float = 0.0
    x: float = 0.0

    @cached_property
    def wcs(self) -> WCS:
        """The canvas as if it were an image of 1 arcsec pixels, y southwards and x westwards."""
        wcs = WCS(naxis=2)
        wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
        wcs.wcs.crval = [self.ra, self.dec]
        wcs.wcs.crpix = [self.x + 1, self.y + 1]
        wcs.wcs.cd = -np.eye(2) / 3600
        wcs.wcs.set()
        return wcs

    def to_sky(self, y: ArrayLike, x: ArrayLike) -> tuple:
        """Convert canvas positions in arcsec to right ascension and declination in degrees."""
        return pixel_to_sky(self.wcs, y, x)

    def to_canvas(self, ra: ArrayLike, dec: ArrayLike) -> tuple:
        """Convert right ascension and declination in degrees to canvas positions (y, x) in arcsec."""
        return sky_to_pixel(self.wcs, ra, dec)

    def transform(self, field: Field) -> tuple[float, NDArray[np.float64]]:
        """Return the pixel size in arcsec and the 3 x 3 matrix, applied after it, that draw an image here.

        The WCS is taken as linear about the centre of the image: over a field of a few arcmin that is good to 0.001
        arcsec.
        """
        wcs, (n_y, n_x) = field
        centre = np.array([(n_y - 1) / 2, (n_x - 1) / 2])
        steps = centre + np.array([[0, 0], [0.5, 0], [-0.5, 0], [0, 0.5], [0, -0.5]])
        drawn = np.stack(pixel_to_pixel(wcs, self.wcs, steps[:, 0], steps[:, 1]), axis=1)
        jacobian = np.stack([drawn[1] - drawn[2], drawn[3] - drawn[4]], axis=1)
        scale = float(np.sqrt(abs(np.linalg.det(jacobian))))
        matrix = np.eye(3)
        matrix[:2, :2] = jacobian / scale
        matrix[:2, 2] = drawn[0] - jacobian @ centre
        return scale, matrix


def frame_at(frames: Sequence[Frame], y: float, x: float) -> Frame:
    """Return the frame a canvas position belongs to: the one drawn nearest."""
    return min(frames, key=lambda frame: np.hypot(frame.y - y, frame.x - x))


def is_scattered(fields: Sequence[Field]) -> bool:
    """Tell whether fields lie so far apart that they are better seen side by side."""
    first = centre_of(fields[0])
    offsets = np.array([offset_arcsec(*first, *centre_of(field)) for field in fields])
    return bool(np.hypot(*np.ptp(offsets, axis=0)) > _SCATTERED_ARCSEC)


def sky_frame(fields: Sequence[Field], known: Sequence[Frame] = ()) -> Frame:
    """Return the frame of a common sky: one already in use nearby, else about the middle of the fields."""
    first = centre_of(fields[0])
    for frame in known:
        if np.hypot(*offset_arcsec(frame.ra, frame.dec, *first)) < _SAME_SKY_ARCSEC:
            return frame
    offsets = np.array([offset_arcsec(*first, *centre_of(field)) for field in fields])
    east, north = (offsets.min(axis=0) + offsets.max(axis=0)) / 2
    return Frame(*Frame(*first).to_sky(-north, -east))


def sheet_frames(fields: Sequence[Field], known: Sequence[Frame] = ()) -> list[Frame]:
    """Return a frame a field, as cells of a contact sheet, row by row; a target already on it keeps its cell."""
    pitch = _GAP * max([FIELD_ARCSEC, *(_size(field) for field in fields)])
    found = [_nearest(field, known) for field in fields]
    missing = [index for index, frame in enumerate(found) if frame is None]
    n_columns = int(np.ceil(np.sqrt(len(missing))))
    top = max((frame.y for frame in known), default=-pitch) + pitch
    made: list[Frame] = []
    for index in missing:
        same = _nearest(fields[index], made)
        row, column = divmod(len(made), n_columns)
        found[index] = same or Frame(*centre_of(fields[index]), top + row * pitch, column * pitch)
        made += [] if same else [found[index]]
    return found


def _nearest(field: Field, frames: Sequence[Frame]) -> Frame | None:
    """Frame whose tangent point is the centre of a field within a few arcsec."""
    ra, dec = centre_of(field)
    for frame in frames:
        if np.hypot(*offset_arcsec(frame.ra, frame.dec, ra, dec)) < _SAME_TARGET_ARCSEC:
            return frame
    return None


def _size(field: Field) -> float:
    """Length of the diagonal of a field's longer sides in arcsec, so that a rotated one fits."""
    scale, _ = Frame(*centre_of(field)).transform(field)
    return max(field[1]) * scale
