"""What can be set in the second pass."""

from __future__ import annotations

from dataclasses import dataclass

from napari_kmos.errors import SkyError
from napari_kmos.sky._checks import check_finite, check_positive


@dataclass(frozen=True, slots=True, kw_only=True)
class SecondPassParameters:
    """Parameters of the second pass and of the table of what is left by line group.

    Parameters
    ----------
    dark_share : float
        The darkest share of an IFU's spaxels, whose brightest tells how dark its sky is.
    star_limit : float
        A spaxel brighter than that by this many times the noise of a voxel shows a star and is left out.
    empty_share : float
        An IFU is one of the emptier ones if at least this share of its spaxels shows no star.
    rotation_low, rotation_mid : int
        Largest rotational levels of the groups low and mid; those above are high.
    line_fwhm : float
        Known lines reach over this FWHM in planes.
    faintest : float
        Light of known lines below this times the brightest counts for little, and much below for nothing.
    edge_planes : int
        Planes at either end of the data that are told apart in the table, and in which nothing is subtracted.
    continuum_planes : int
        Planes from one knot of the continuum beside the lines to the next.
    line_weight : float
        Planes with known lines count this much for the continuum.
    voxel_clip : float
        Voxels off by this many sigma are left out.
    star_features : float
        Depth of stellar features: the more star light a spaxel has, the less its own lines count.
    significance : float
        What is left of a group in the emptier IFUs, and its amplitude in an IFU, are taken as 0 below this many times
        their error.
    spaxel_scatter : float
        The amplitudes of spaxels scatter no more than this times that of their IFU.
    largest : float
        An amplitude above this, or below 0, shows that something else is left in an IFU: it is taken as 0.
    """

    dark_share: float = 0.2
    star_limit: float = 0.2
    empty_share: float = 0.5
    rotation_low: int = 2
    rotation_mid: int = 5
    line_fwhm: float = 3.0
    faintest: float = 1e-3
    edge_planes: int = 25
    continuum_planes: int = 50
    line_weight: float = 0.05
    voxel_clip: float = 5.0
    star_features: float = 0.05
    significance: float = 3.0
    spaxel_scatter: float = 0.3
    largest: float = 3.0

    def __post_init__(self) -> None:
        check_finite(self)
        for name in ("dark_share", "empty_share", "line_weight"):
            if not 0 < getattr(self, name) <= 1:
                msg = f"{name} is {getattr(self, name)}; expected more than 0 and at most 1"
                raise SkyError(msg)
        check_positive(self, *_POSITIVE)
        if not 0 < self.rotation_low < self.rotation_mid:
            msg = f"rotation_low is {self.rotation_low} and rotation_mid {self.rotation_mid}; expected 0 < low < mid"
            raise SkyError(msg)
        if self.continuum_planes < 1 or self.edge_planes < 0:
            msg = (
                f"continuum_planes is {self.continuum_planes} and edge_planes {self.edge_planes}; "
                "expected 1 or more, and 0 or more"
            )
            raise SkyError(msg)


_POSITIVE = (
    "star_limit", "line_fwhm", "faintest", "voxel_clip", "star_features", "significance", "spaxel_scatter", "largest",
)  # fmt: skip
