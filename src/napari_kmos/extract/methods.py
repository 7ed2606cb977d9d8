"""Ways to extract spectra, by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

from napari_kmos.extract.aperture import Extraction, extract_aperture
from napari_kmos.extract.crowded import extract_psf
from napari_kmos.extract.optimal import extract_optimal

if TYPE_CHECKING:
    from napari_kmos.extract.parameters import ExtractParameters
    from napari_kmos.extract.placing import Placed
    from napari_kmos.extract.reading import CubeReader


class ExtractMethod(Protocol):
    """A method sees all stars of a cube at once, and gives one `Extraction` for each, in their order.

    Beside them it is given the sky areas in the cube, and stars outside whose light may reach in: their kind tells.
    """

    def __call__(
        self, reader: CubeReader, stars: Sequence[Placed], others: Sequence[Placed], parameters: ExtractParameters
    ) -> list[Extraction]:
        """Extract all stars."""
        ...


#: Methods that fit the point spread function, for which stars outside the cube matter.
PSF_METHODS = frozenset({"optimal", "psf"})
EXTRACT_METHODS: Mapping[str, ExtractMethod] = MappingProxyType(
    {
        "aperture": extract_aperture,
        "optimal": extract_optimal,
        "psf": extract_psf,
    }
)
