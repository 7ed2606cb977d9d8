"""Velocities as seen from the barycentre of the solar system, and from the local standard of rest."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from napari_kmos.errors import KmosError
from napari_kmos.spectral.lines import LIGHT_KMS

if TYPE_CHECKING:
    from astropy.coordinates import EarthLocation
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

FRAMES = ("topocentric", "barycentric", "lsr")
#: Unit Telescope 1 of the VLT, where KMOS is, on WGS84: degrees east and north, metres (ESO, VLT white book).
_ANTU = (-70.404897, -24.627439, 2648.0)
#: Motion of the Sun towards the Galactic centre, along rotation, and north; km/s (Schoenrich et al. 2010, MNRAS 403).
SOLAR_MOTION_KMS = (11.1, 12.24, 7.25)
#: From 1972 on UTC and what Earth's rotation makes of it are tabulated; far in the future they are guessed.
_FIRST_MJD, _LAST_MJD = 41317.0, 88069.0


def paranal() -> EarthLocation:
    """Return the place of KMOS, without asking the net for it."""
    from astropy.coordinates import EarthLocation

    east, north, height = _ANTU
    return EarthLocation.from_geodetic(east, north, height)


def barycentric_correction(ra: float, dec: float, mjd: float, *, location: EarthLocation | None = None) -> float:
    """Return the velocity of the observatory towards a star, as seen from the barycentre of the solar system.

    `barycentric_corrections` of one time.
    """
    return float(barycentric_corrections(ra, dec, [mjd], location=location)[0])


def barycentric_corrections(
    ra: float, dec: float, mjd: Sequence[float], *, location: EarthLocation | None = None
) -> Floats:
    """Return the velocity of the observatory towards a star at several times.

    Parameters
    ----------
    ra, dec : float
        Degrees, ICRS.
    mjd : sequence of float, length n
        Middles of exposures, UTC.
    location : EarthLocation, optional
        Paranal if None.

    Returns
    -------
    ndarray, shape (n,)
        In km/s; for `add_velocities`. Good to 0.01 km/s. Nothing is fetched: Earth's rotation is as the installed
        tables have it, and beyond these, as they end.

    Raises
    ------
    KmosError
        If the position is not on the sky or the date not from 1972 to 2099.
    """
    from astropy.coordinates import SkyCoord
    from astropy.time import Time
    from astropy.utils import iers
    from astropy.utils.exceptions import AstropyWarning
    from erfa import ErfaWarning

    bad = [one for one in mjd if not _FIRST_MJD <= one <= _LAST_MJD]
    if bad or not (math.isfinite(ra) and -90 <= dec <= 90):
        when = bad[0] if bad else mjd[0]
        msg = (
            f"barycentric correction of ({ra:g}, {dec:g}) at MJD {when:g}; expected degrees and a date of 1972 to 2099"
        )
        raise KmosError(msg)
    with (
        iers.conf.set_temp("auto_download", False),
        iers.conf.set_temp("auto_max_age", None),
        iers.conf.set_temp("iers_degraded_accuracy", "ignore"),
        warnings.catch_warnings(),
    ):
        for kind in (AstropyWarning, ErfaWarning):  # of dates beyond the tables: a second is 0.0001 km/s
            warnings.simplefilter("ignore", kind)
        time = Time(list(mjd), format="mjd", scale="utc", location=location or paranal())
        correction = SkyCoord(ra, dec, unit="deg").radial_velocity_correction("barycentric", obstime=time)
    return np.asarray(correction.to_value("km/s"), dtype=float)


def lsr_correction(ra: float, dec: float, *, solar_motion_kms: tuple[float, float, float] = SOLAR_MOTION_KMS) -> float:
    """Return what to add to a barycentric velocity for that in the local standard of rest, in km/s.

    Parameters
    ----------
    ra, dec : float
        Degrees, ICRS.
    solar_motion_kms : tuple of float
        Of the Sun, towards the Galactic centre, along rotation and to the north; that of Schoenrich, Binney & Dehnen
        (2010) by default, as astropy has it.
    """
    from astropy.coordinates import SkyCoord

    towards = SkyCoord(ra, dec, unit="deg").galactic.cartesian.xyz.value
    return float(np.dot(towards, solar_motion_kms))


def add_velocities(measured_kms: float, correction_kms: float) -> float:
    """Return a velocity after a correction for the observer's: redshifts multiply."""
    return measured_kms + correction_kms + measured_kms * correction_kms / LIGHT_KMS
