"""What is under the mouse, in one line: IFU, spaxel, sky, wavelength and flux."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from napari_kmos.cube import Cube, Image

#: In a day and in a degree; right ascension is written to 0.01 s, declination to 0.1 arcsec.
_DAY_TICKS, _DEGREE_TICKS = 24 * 3600 * 100, 3600 * 10


class Readout(NamedTuple):
    """What is shown at one position.

    Parameters
    ----------
    product : Cube or Image
        What is under the mouse; of several IFUs in one layer, the one there.
    spaxel : tuple of int
        Row and column in it.
    sky : tuple of float
        Right ascension and declination, in degrees, of where it is drawn.
    seen : str
        Which planes are on the screen, as `seen_text` says it; empty for images.
    value : float
        What is drawn there, in the unit of the product; NaN is no data.
    note : str
        What else there is to know of how it is drawn.
    """

    product: Cube | Image
    spaxel: tuple[int, int]
    sky: tuple[float, float]
    seen: str
    value: float
    note: str = ""

    @property
    def place(self) -> str:
        """Where on the sky and at which wavelength."""
        return "  ".join(part for part in (sky_text(*self.sky), self.seen) if part)

    @property
    def flux(self) -> str:
        """Value with its unit."""
        if not np.isfinite(self.value):
            return "no data"
        unit = "" if self.product.unit is None else self.product.unit.to_string("unicode")
        return f"{self.value:.5g} {unit}".rstrip()

    def __str__(self) -> str:
        ifu = "" if self.product.ifu is None else f"IFU {self.product.ifu}"
        y, x = self.spaxel
        what = " ".join(part for part in (ifu, self.product.name, f"[y={y} x={x}]") if part)
        return "  ".join(part for part in (what, self.place, self.flux, self.note) if part)


def sky_text(ra: float, dec: float) -> str:
    """Return a position in degrees in sexagesimal and decimal form."""
    hours = _sexagesimal(round(ra / 360 * _DAY_TICKS) % _DAY_TICKS, 2)
    degrees = ("-" if dec < 0 else "+") + _sexagesimal(round(abs(dec) * _DEGREE_TICKS), 1)
    return f"{hours} {degrees} ({ra:.5f}, {dec:.5f})"


def seen_text(cube: Cube, plane: int, *, n_planes: int = 1) -> str:
    """Return the wavelength of a plane in micron, and how many planes about it are put together; empty if outside."""
    if not 0 <= plane < cube.shape[0]:
        return ""
    together = f" ({n_planes} planes)" if n_planes > 1 else ""
    return f"{cube.wavelength_um[plane]:.5f} µm{together}"


def _sexagesimal(ticks: int, decimals: int) -> str:
    """Return a whole number of the smallest parts of a second, so that none is rounded up to 60, with colons."""
    seconds, part = divmod(ticks, 10**decimals)
    minutes, second = divmod(seconds, 60)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{second:02d}.{part:0{decimals}d}"
