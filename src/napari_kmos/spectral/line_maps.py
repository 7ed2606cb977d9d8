"""Maps of an emission line, and how they are measured: its flux above the continuum, its wavelength, its width."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from napari_kmos.errors import KmosError

if TYPE_CHECKING:
    from napari_kmos.cube import Image

_MOMENTS = (0, 1, 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class MapParameters:
    """How a line is measured.

    Parameters
    ----------
    moments : tuple of int
        Moments wanted, of 0, 1 and 2: the integrated flux, the mean wavelength, the width (standard deviation).
    rest_um : float, optional
        Rest wavelength of the line in micron: moments 1 and 2 are then velocities in km/s against it.
    min_coverage : float
        Share of the planes of each window in which a spaxel must have data; it is NaN where it has less.
    min_snr : float
        Signal to noise of the line below which moments 1 and 2 mean nothing and are NaN.

    Raises
    ------
    KmosError
        If a value makes no sense.
    """

    moments: tuple[int, ...] = _MOMENTS
    rest_um: float | None = None
    min_coverage: float = 0.5
    min_snr: float = 3.0

    def __post_init__(self) -> None:
        unknown = [order for order in self.moments if order not in _MOMENTS]
        if unknown:
            msg = f"moments holds {unknown[0]}; expected some of 0, 1 and 2"
            raise KmosError(msg)
        if self.rest_um is not None and not 0 < self.rest_um < math.inf:
            msg = f"rest_um is {self.rest_um}; expected a wavelength in micron"
            raise KmosError(msg)
        if not 0 < self.min_coverage <= 1:
            msg = f"min_coverage is {self.min_coverage}; expected a share above 0, at most 1"
            raise KmosError(msg)
        if not 0 <= self.min_snr < math.inf:
            msg = f"min_snr is {self.min_snr}; expected a number, at least 0"
            raise KmosError(msg)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class LineMaps:
    """What was measured of a line in each spaxel; images of shape (n_y, n_x), each but the last with its noise.

    Parameters
    ----------
    line : Image
        Mean flux above the continuum over the line window, in the cube's unit.
    band : Image
        Mean flux over the line window, nothing subtracted, in the cube's unit.
    continuum : Image, optional
        The difference of the two: the continuum under the line. None where none was subtracted.
    moments : mapping of int to Image
        0: flux above the continuum integrated over the line window, the cube's unit times micron. 1: mean wavelength,
        weighted with that flux, in micron; 2: standard deviation about it, in micron, the instrument's included.
        Both in km/s where a rest wavelength was given.
    snr : Image
        Moment 0 over its noise.
    """

    line: Image
    band: Image
    continuum: Image | None = None
    moments: Mapping[int, Image] = field(default_factory=dict)
    snr: Image

    def by_name(self) -> dict[str, Image]:
        """Return the maps by the names that their files and layers carry."""
        maps = {"LINE": self.line, "CONTINUUM": self.continuum, "BAND": self.band}
        maps |= {f"MOMENT{order}": image for order, image in self.moments.items()}
        return {name: image for name, image in {**maps, "SNR": self.snr}.items() if image is not None}
