"""Parameters of the combination, with the names and defaults of `kmos_combine` where it has them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from napari_kmos.errors import KmosError
from napari_kmos.spatial.kernels import Kernel, KernelName

Method = Literal["none", "header", "center", "user"]
CombineMethod = Literal["ksigma", "average", "median", "sum", "min_max"]
Weight = Literal["none", "variance", "exptime"]

#: Methods that take weights.
_WEIGHTED = ("ksigma", "average")


@dataclass(frozen=True, slots=True, kw_only=True)
class CombineParameters:
    """How exposures are brought onto one grid and merged.

    Parameters
    ----------
    method : str
        How exposures are placed: none (spaxel on spaxel), header (by their WCS), center (by a Gaussian fitted to the
        brightest star of each white-light image), user (by their WCS and an offset table).
    cmethod : str
        How overlapping values are merged: ksigma, average, median, sum or min_max.
    cpos_rej, cneg_rej : float
        ksigma: reject above mean + cpos_rej * stdev, and below mean - cneg_rej * stdev.
    citer : int
        ksigma: iterations; the first takes median and percentiles instead of mean and standard deviation.
    cmax, cmin : int
        min_max: how many of the largest and of the smallest values are dropped.
    weight : str
        ksigma, average: what values count by: none (all the same), variance (1 / noise² of each value; biased where the
        noise was told from the value itself), exptime (exposure time). Outliers are told without weights.
    scale_noise : bool
        Multiply the noise by how much more the values of overlapping exposures scatter than it predicts, for each IFU
        by its own, before they are merged. It is measured where three exposures or more overlap, in up to 128 planes.
    flux : bool
        Keep the flux of a source, rather than the value per spaxel, where the spaxel size changes.
    pix_scale : float, optional
        Spaxel size of the result in arcsec; that of the first exposure if not given.
    kernel : str
        How values between spaxels are told: nearest, linear, spline (cubic), lanczos3 or drizzle.
    pixfrac : float
        drizzle: side of the shrunken spaxels from which values fall onto the grid, in spaxels, above 0, 1 at most.
    min_coverage : float
        A spaxel takes from an exposure only if more than this part of it rests on data there, from 0 to below 1.
    """

    method: Method = "header"
    cmethod: CombineMethod = "ksigma"
    cpos_rej: float = 3.0
    cneg_rej: float = 3.0
    citer: int = 3
    cmax: int = 1
    cmin: int = 1
    weight: Weight = "none"
    scale_noise: bool = False
    flux: bool = True
    pix_scale: float | None = None
    kernel: KernelName = "spline"
    pixfrac: float = 1.0
    min_coverage: float = 0.8

    def __post_init__(self) -> None:
        for name in ("cpos_rej", "cneg_rej"):
            self._check(name, getattr(self, name) > 0, "a positive number")
        for name in ("citer", "cmax", "cmin"):
            self._check(name, getattr(self, name) >= 0, "zero or more")
        self._check("pix_scale", self.pix_scale is None or 0 < self.pix_scale < math.inf, "a positive number of arcsec")
        if self.weight != "none" and self.cmethod not in _WEIGHTED:
            msg = f"cmethod {self.cmethod} takes no weights, weight is {self.weight}: expected none, or another cmethod"
            raise KmosError(msg)
        _ = self.interpolation

    @property
    def interpolation(self) -> Kernel:
        """How exposures are resampled."""
        return Kernel(name=self.kernel, pixfrac=self.pixfrac, min_coverage=self.min_coverage)

    def _check(self, name: str, is_fine: bool, expected: str) -> None:
        """Refuse a value that cannot be meant."""
        if not is_fine:
            msg = f"{name} is {getattr(self, name)}, expected {expected}"
            raise KmosError(msg)
