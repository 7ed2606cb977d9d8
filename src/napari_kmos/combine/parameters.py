"""Parameters of the combination, with the names and defaults of `kmos_combine` where it has them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from napari_kmos.errors import KmosError

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
    flux : bool
        Keep the flux of a source, rather than the value per spaxel, where the spaxel size changes.
    pix_scale : float, optional
        Spaxel size of the result in arcsec; that of the first exposure if not given.
    """

    method: Method = "header"
    cmethod: CombineMethod = "ksigma"
    cpos_rej: float = 3.0
    cneg_rej: float = 3.0
    citer: int = 3
    cmax: int = 1
    cmin: int = 1
    weight: Weight = "none"
    flux: bool = True
    pix_scale: float | None = None

    def __post_init__(self) -> None:
        for name in ("cpos_rej", "cneg_rej"):
            self._check(name, getattr(self, name) > 0, "a positive number")
        for name in ("citer", "cmax", "cmin"):
            self._check(name, getattr(self, name) >= 0, "zero or more")
        self._check("pix_scale", self.pix_scale is None or self.pix_scale > 0, "a positive number of arcsec")
        if self.weight != "none" and self.cmethod not in _WEIGHTED:
            msg = f"cmethod {self.cmethod} takes no weights, weight is {self.weight}: expected none, or another cmethod"
            raise KmosError(msg)

    def _check(self, name: str, is_fine: bool, expected: str) -> None:
        """Refuse a value that cannot be meant."""
        if not is_fine:
            msg = f"{name} is {getattr(self, name)}, expected {expected}"
            raise KmosError(msg)
