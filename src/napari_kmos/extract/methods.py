"""Ways to extract spectra, by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

from napari_kmos.extract.aperture import Extraction, extract_aperture

if TYPE_CHECKING:
    from napari_kmos.extract.parameters import ExtractParameters
    from napari_kmos.extract.placing import Placed
    from napari_kmos.extract.reading import CubeReader


class ExtractMethod(Protocol):
    """A method sees all stars of a cube at once, and gives one `Extraction` for each, in their order."""

    def __call__(
        self, reader: CubeReader, stars: Sequence[Placed], skies: Sequence[Placed], parameters: ExtractParameters
    ) -> list[Extraction]:
        """Extract all stars."""
        ...


EXTRACT_METHODS: Mapping[str, ExtractMethod] = MappingProxyType({"aperture": extract_aperture})
