"""What KMOS is: arms, detectors, bands, spaxels, and the names of its header keywords.

Numbers: Sharples et al. (2013, The Messenger 151, 21) and Davies et al. (2013, A&A 558, A56);
wavelength ranges are those on which the pipeline reconstructs its cubes.
"""

from __future__ import annotations

from dataclasses import dataclass

from napari_kmos.errors import KmosError

NAME = "KMOS"
N_ARMS = 24
ARMS = range(1, N_ARMS + 1)
ARMS_PER_DETECTOR = 8
FIELD_ARCSEC = 2.8
SPAXEL_ARCSEC = 0.2
N_PLANES = 2048
GAIN_E_PER_ADU = 2.1


@dataclass(frozen=True, slots=True)
class Band:
    """A grating: its name, the range of its cubes, and its resolving power."""

    name: str
    start_um: float
    end_um: float
    resolution: float


BANDS = {
    band.name: band
    for band in (
        Band("IZ", 0.780, 1.090, 3400),
        Band("YJ", 1.000, 1.359, 3600),
        Band("H", 1.425, 1.867, 4000),
        Band("K", 1.925, 2.500, 4200),
        Band("HK", 1.460, 2.410, 2000),
    )
}


@dataclass(frozen=True, slots=True)
class Magnitude:
    """A magnitude of 2MASS: its name, the range over which KMOS compares with it, and the flux of a star of 0 mag.

    Ranges are taken for those of the pipeline's zero points, which is not confirmed by its source. Fluxes, in erg s-1
    cm-2 Angstrom-1, are of Cohen et al. (2003, AJ 126, 1090).
    """

    name: str
    start_um: float
    end_um: float
    flux: float


_J = Magnitude("J", 1.154, 1.316, 3.129e-10)
_H = Magnitude("H", 1.5365, 1.7875, 1.133e-10)
_K = Magnitude("K", 2.028, 2.290, 4.283e-11)
#: By band; no magnitude of 2MASS lies in IZ.
MAGNITUDES = {"YJ": _J, "H": _H, "K": _K, "HK": _K}


def likeliest_band(start_um: float, end_um: float) -> Band:
    """Return the band whose range is most like the one given."""

    def agreement(band: Band) -> float:
        common = min(end_um, band.end_um) - max(start_um, band.start_um)
        return common / (max(end_um, band.end_um) - min(start_um, band.start_um))

    return max(BANDS.values(), key=agreement)


def detector_of(arm: int) -> int:
    """Return the detector, 1-3, on which an arm, 1-24, is dispersed."""
    if arm not in ARMS:
        msg = f"arm {arm} does not exist: KMOS has arms 1 to {N_ARMS}"
        raise KmosError(msg)
    return (arm - 1) // ARMS_PER_DETECTOR + 1


KEY_INSTRUMENT = "INSTRUME"
KEY_OBJECT = "OBJECT"
KEY_DATE = "DATE-OBS"
KEY_MJD = "MJD-OBS"
KEY_EXPTIME = "EXPTIME"
KEY_MJD_END = "MJD-END"
KEY_CATEGORY = "ESO PRO CATG"
#: What the categories of combined cubes and mosaics have in common.
CATEGORY_COMBINED = "COMBINE"
KEY_CUBE_UNIT = "ESO QC CUBE_UNIT"
KEY_NOISE_ESTIMATED = "ESO QC NOISE ESTIMATED"
KEY_NOISE_CORRELATED = "ESO QC NOISE CORRELATED"
KEY_IFU = "ESO PRO IFUNR"
KEY_CUT_IFU = "ESO QC CUT IFU"
KEY_N_COMBINED = "ESO PRO DATANCOM"
KEY_N_EXPOSURES = "ESO QC COMBINE NEXP"
KEY_MJD_MEAN = "ESO QC COMBINE MJDMEAN"
KEY_AIRMASS_START = "ESO TEL AIRM START"
KEY_AIRMASS_END = "ESO TEL AIRM END"
KEY_ZERO_MAGNITUDE = "ESO QC ZPOINT"
KEY_DETECTOR = "ESO DET CHIP INDEX"
KEY_OB_NAME = "ESO OBS NAME"
KEY_OB_START = "ESO OBS START"
KEY_TEMPLATE = "ESO TPL ID"
KEY_ROTATION = "ESO OCS ROT OFFANGLE"
KEY_DITHER_RA = "ESO OCS TARG DITHA"
KEY_DITHER_DEC = "ESO OCS TARG DITHD"


def key_arm(arm: int, what: str) -> str:
    """Return the keyword of one fact of an arm: NAME, TYPE, ALPHA, DELTA, NOTUSED, ORIGARM."""
    return f"ESO OCS ARM{arm} {what}"


def key_band(detector: int) -> str:
    """Return the keyword that names the grating in front of a detector."""
    return f"ESO INS GRAT{detector} ID"


def key_recipe(number: int, what: str) -> str:
    """Return a keyword of the block that describes the step ``number`` of a product's history."""
    return f"ESO PRO REC{number} {what}"


def key_quality(name: str) -> str:
    """Return the keyword of a number that a step has measured."""
    return f"ESO QC {name}"


def key_exposure_time(number: int, what: str) -> str:
    """Return the keyword of an exposure in a combined cube: MJD, the middle of it, or EXPTIME."""
    return f"ESO QC COMBINE {what}{number}"


def key_zero_point(ifu: int | None) -> str:
    """Return how the wavelength zero point of an IFU, or of the only cube, is named; see `key_quality`."""
    return "WAVE ZERO" if ifu is None else f"WAVE ZERO IFU{ifu}"
