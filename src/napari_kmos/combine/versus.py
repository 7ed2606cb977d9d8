"""Two subsets of the exposures against each other and against their union, all on one grid."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np

from napari_kmos.combine._versus_pass import VersusPass
from napari_kmos.combine._versus_sums import Shares, WhiteSums, plane_weights
from napari_kmos.combine.versus_result import Comparison, VersusParameters
from napari_kmos.cube import Image
from napari_kmos.errors import KmosError
from napari_kmos.extract.placing import place_apertures
from napari_kmos.progress import Progress, silent
from napari_kmos.stars import find_stars
from napari_kmos.threads import compute_ahead

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_kmos.aperture import Aperture
    from napari_kmos.combine.cubes import CombineResult

    Read = tuple[NDArray[np.float32], NDArray[np.float32]]

#: So few planes at least are combined at a time, as the noise is told from planes beside each other.
_LEAST_PLANES = 5
#: Evenly spread, so many planes make the image in which stars are looked for.
_WHITE_PLANES = 128


class Versus:
    """The exposures of a product on their grid, from which any two subsets are compared.

    Parameters
    ----------
    result : CombineResult
        The exposures, placed; nothing of it is computed.
    keep_bytes : int
        Resampled exposures are kept in memory up to this, and serve the next comparison; what does not fit is read and
        resampled anew.

    Raises
    ------
    KmosError
        If sums are to be compared: those of different numbers of exposures differ by that alone.
    """

    def __init__(self, result: CombineResult, *, keep_bytes: int = 0) -> None:
        if result.stack.parameters.cmethod == "sum":
            msg = "cmethod is sum: sums of different exposures cannot be compared; take average, ksigma or another mean"
            raise KmosError(msg)
        self.result = result
        self._kept: dict[tuple[int, int], Read] = {}
        self._free = keep_bytes
        self._lock = Lock()
        self._stars: dict[VersusParameters, tuple[Aperture, ...]] = {}

    @property
    def kept_bytes(self) -> int:
        """Memory of what is kept."""
        return sum(flux.nbytes + noise.nbytes for flux, noise in self._kept.values())

    def find_stars(self, parameters: VersusParameters) -> tuple[Aperture, ...]:
        """Return the stars of the white light of all exposures, the brightest first; looked for once."""
        if parameters not in self._stars:
            stack, white = self.result.stack, WhiteSums(self.result.stack.shape[1:])
            planes = np.unique(np.linspace(0, stack.shape[0] - 1, _WHITE_PLANES).astype(int)).tolist()
            with contextlib.closing(compute_ahead(lambda plane: stack.combine(plane, plane + 1), planes)) as blocks:
                for block in blocks:
                    flux, noise = block.planes
                    white.add(flux, np.square(noise, dtype=np.float64), plane_weights(noise))
            data, noise = white.image()
            image = Image(data=data, noise=noise, wcs=self.result.cube.wcs)
            self._stars[parameters] = find_stars(
                image,
                fwhm_arcsec=parameters.fwhm_arcsec,
                threshold=parameters.threshold,
                radius_arcsec=parameters.radius_arcsec,
                most=parameters.most_stars,
            )
        return self._stars[parameters]

    def compare(
        self,
        a: Sequence[bool],
        b: Sequence[bool],
        *,
        stars: Sequence[Aperture] | None = None,
        parameters: VersusParameters | None = None,
        progress: Progress = silent,
    ) -> Comparison:
        """Compare two subsets, in one pass over their exposures.

        Parameters
        ----------
        a, b : sequence of bool
            Which exposures are in each; they may share some.
        stars : sequence of Aperture, optional
            Whose signal-to-noise ratio is measured; those outside the field are left out. `find_stars` if not given.
        parameters : VersusParameters, optional
            How stars are found.
        progress : Progress
            Told the planes; it may raise `Cancelled`.

        Returns
        -------
        Comparison
            Images, noise and stars of A, B and all that is in one of them.

        Raises
        ------
        KmosError
            If a subset is empty, both are the same, or min_max would drop all values of one.
        """
        shares = Shares(np.flatnonzero(a).tolist(), np.flatnonzero(b).tolist())
        self._check(shares)
        apertures = self.find_stars(parameters or VersusParameters()) if stars is None else stars
        placed, _ = place_apertures(self.result.cube, (one for one in apertures if one.kind == "star"))
        spans = list(self._spans())
        work = VersusPass(self.result, shares, placed, self._read, len(spans))
        with contextlib.closing(compute_ahead(work.add, spans)) as added:
            for number, _ in enumerate(added):
                progress(number + 1, len(spans), f"comparing subsets of {self.result.cube.label}")
        return work.comparison()

    def _read(self, number: int, start: int, stop: int) -> Read:
        """Return planes of an exposure on its window of the grid, from memory if they are kept."""
        key = number, start
        if key in self._kept:
            return self._kept[key]
        planes = self.result.stack.layers[number].read(start, stop)
        size = planes[0].nbytes + planes[1].nbytes
        with self._lock:
            if key not in self._kept and size <= self._free:
                self._free -= size
                self._kept[key] = planes
        return planes

    def _spans(self) -> Iterator[tuple[int, int]]:
        """Yield first and last plane but one of each piece; several images of each are held."""
        stack = self.result.stack
        step = min(max(stack.planes_per_block() // 2, _LEAST_PLANES), stack.shape[0])
        for start in range(0, stack.shape[0], step):
            yield start, min(start + step, stack.shape[0])

    def _check(self, shares: Shares) -> None:
        """Refuse subsets that cannot be compared."""
        parameters = self.result.stack.parameters
        if not shares.a or not shares.b or shares.a == shares.b:
            what = "both subsets are the same" if shares.a and shares.b else "a subset has no exposure"
            msg = f"{self.result.cube.label}: {what}; choose two different ones, with an exposure each at least"
            raise KmosError(msg)
        fewest, dropped = min(len(shares.a), len(shares.b)), parameters.cmin + parameters.cmax
        if parameters.cmethod == "min_max" and fewest <= dropped:
            msg = f"min_max drops {dropped} values, but a subset has {fewest} exposures: nothing is left; take ksigma"
            raise KmosError(msg)
