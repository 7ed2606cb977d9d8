"""What a simulated night is made of."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Literal

from napari_kmos.errors import KmosError
from napari_kmos.instrument import BANDS, FIELD_ARCSEC, N_ARMS, N_PLANES, SPAXEL_ARCSEC

_FEWEST_PLANES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmParameters:
    """How much arms, slitlets and spaxels differ.

    All are rms values of what is drawn once a night and stays the same in all its exposures.

    Parameters
    ----------
    slitlet_gain, spaxel_gain : float
        Sensitivity that the flat field leaves over, of slitlets and of single spaxels.
    illumination : float
        Difference of sensitivity between the ends of the slitlets.
    slitlet_shift, spaxel_shift : float
        Wavelength errors in planes of the detector, likewise.
    slitlet_tilt : float
        Lines lie this many planes further at one end of a slitlet than in its middle, and less far at the other.
    arm_width, slitlet_width : float
        Width of the line spread function, relative: of all slitlets of an arm alike, and of each.
    slitlet_wing : float
        Logarithm of the share of its wing.
    """

    slitlet_gain: float = 0.02
    spaxel_gain: float = 0.0
    illumination: float = 0.01
    slitlet_shift: float = 0.03
    spaxel_shift: float = 0.0
    slitlet_tilt: float = 0.0
    arm_width: float = 0.03
    slitlet_width: float = 0.02
    slitlet_wing: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulationParameters(ArmParameters):
    """What a simulated night is made of.

    Parameters
    ----------
    seed : int
        Seed of everything random: the same parameters give the same night.
    ifus : int
        Number of arms with data, 1-24, spread over the three detectors.
    exposures : int
        Object exposures per epoch: the first half of them before the sky, the rest after it.
    epochs : int
        Visits, months apart.
    skies : int
        Sky exposures per epoch; 0 is as many as object exposures.
    nz : int
        Wavelength planes over the band's range. With fewer than 2048 the lines become broader, so that a line covers
        as many planes as in real cubes. More are interpolated, as by the pipeline: the detectors sample 2048.
    pix_scale : float
        Side of a spaxel in arcsec. Less than the 0.2 arcsec that the slitlets sample is interpolated as well.
    band : str
        Grating: IZ, YJ, H, K or HK.
    density : float
        Stars per 3 x 3 arcsec, down to the faintest.
    amplitude : float
        How much the OH levels vary with time, rms; rotation, hot levels and background vary along. 0 is a steady sky.
    airglow : float
        Brightness of the sky lines. At 1 the brightest line of K gives 2500 electrons in a voxel of 300 s, at 4 what
        long exposures under a bright sky have.
    flexure : float
        Wavelength shift of an exposure in planes of the detector, rms; along the band it changes by 0.3 of that from
        the middle to the ends.
    flexure_curve : float
        How far that deviates from a straight line along the band, rms, in planes of the detector: Legendre polynomials
        of the second and third order.
    lsf_wing : float
        Share of the line spread function in a broad, asymmetric wing.
    rotation : float
        Rotation of the field from one epoch to the next, in degrees.
    telluric : bool
        Atmospheric absorption in the stars.
    exptime : float
        Exposure time in seconds.
    seeing_arcsec : tuple of float
        FWHM at 2.2 micron lies between these.
    pointing_arcsec : float
        Error of the header's position, per IFU and exposure, rms of each coordinate.
    dither_arcsec : float
        Dithers lie within this of the target in each coordinate.
    spacing_arcsec : float
        Distance of the targets of neighbouring arms.
    sky_stars : int
        Stars in the sky field of each arm.
    bad_voxels : float
        Share of voxels with a wrong value.
    edges : bool
        Planes and edge spaxels without data, as in real cubes.
    """

    seed: int = 1
    ifus: int = 3
    exposures: int = 2
    epochs: int = 2
    skies: int = 0
    nz: int = N_PLANES
    pix_scale: float = SPAXEL_ARCSEC
    band: Literal["IZ", "YJ", "H", "K", "HK"] = "K"
    density: float = 15.0
    amplitude: float = 0.1
    airglow: float = 1.0
    flexure: float = 0.1
    flexure_curve: float = 0.0
    lsf_wing: float = 0.05
    rotation: float = 5.0
    telluric: bool = False
    exptime: float = 300.0
    seeing_arcsec: tuple[float, float] = (0.6, 0.9)
    pointing_arcsec: float = 0.25
    dither_arcsec: float = 0.4
    spacing_arcsec: float = 35.0
    sky_stars: int = 0
    bad_voxels: float = 1e-4
    edges: bool = True

    def __post_init__(self) -> None:
        if self.band not in BANDS:
            msg = f"there is no band {self.band!r}; KMOS has {', '.join(BANDS)}"
            raise KmosError(msg)
        low, high = self.seeing_arcsec
        limits = {
            "ifus": (self.ifus, 1, N_ARMS),
            "exposures": (self.exposures, 1, 1000),
            "epochs": (self.epochs, 1, 100),
            "skies": (self.skies, 0, 1000),
            "nz": (self.nz, _FEWEST_PLANES, 20_000),
            "pix_scale": (self.pix_scale, 0.05, 0.5),
            "density": (self.density, 0, 1000),
            "amplitude": (self.amplitude, 0, 1),
            "airglow": (self.airglow, 0, 100),
            "flexure": (self.flexure, 0, 5),
            "flexure_curve": (self.flexure_curve, 0, 5),
            "lsf_wing": (self.lsf_wing, 0, 0.5),
            "exptime": (self.exptime, 0.1, 1e5),
            "seeing_arcsec": (low, 0.2, high),
            "spacing_arcsec": (self.spacing_arcsec, 1, 60),
            "bad_voxels": (self.bad_voxels, 0, 0.5),
            **{field.name: (getattr(self, field.name), 0, 1) for field in dataclasses.fields(ArmParameters)},
        }
        for name, (value, least, most) in limits.items():
            if not (math.isfinite(value) and least <= value <= most):
                msg = f"{name} is {value}; expected {least} to {most}"
                raise KmosError(msg)
        if self.seed < 0 or self.sky_stars < 0 or self.pointing_arcsec < 0 or self.dither_arcsec < 0:
            msg = "seed, sky_stars, pointing_arcsec and dither_arcsec must not be negative"
            raise KmosError(msg)

    @property
    def on_detector(self) -> SimulationParameters:
        """The same with what the detectors sample, where spaxels or planes are finer than that."""
        return dataclasses.replace(self, pix_scale=max(self.pix_scale, SPAXEL_ARCSEC), nz=min(self.nz, N_PLANES))

    @property
    def n_spaxels(self) -> int:
        """Rows, and columns, of a cube."""
        return round(FIELD_ARCSEC / self.pix_scale)

    @property
    def n_skies(self) -> int:
        """Sky exposures per epoch."""
        return self.skies or self.exposures

    @property
    def start_um(self) -> float:
        """Centre of the first plane."""
        return BANDS[self.band].start_um

    @property
    def step_um(self) -> float:
        """Distance of the planes."""
        return (BANDS[self.band].end_um - BANDS[self.band].start_um) / self.nz
