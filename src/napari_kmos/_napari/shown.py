"""What a layer shows: a cube or image, or all IFUs of an exposure."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from napari_kmos._napari.composite import Grid, Home, grid_of
from napari_kmos._napari.frames import SKY, Frame
from napari_kmos.cube import Cube, Image
from napari_kmos.spatial.correction import place_wcs


@dataclass(frozen=True, eq=False, kw_only=True)
class KmosLayer:
    """What a layer shows; kept in its metadata.

    Parameters
    ----------
    product : Cube or Image
        The data with their WCS and wavelengths; lazy.
    path : Path, optional
        File; None if made in memory.
    homes : mapping of str to Frame
        Where the header puts it: on the common ``"sky"`` and on the contact ``"sheet"``.
    layout : str
        Which of the two is drawn.
    tag : str
        What tells its exposure from others.
    rotation_deg : float
        Rotation of its offset, by which it is drawn turned; the shift is where the layer stands.
    """

    product: Cube | Image
    path: Path | None = None
    homes: Mapping[str, Frame] = field(default_factory=dict)
    layout: str = SKY
    tag: str = ""
    rotation_deg: float = 0.0

    @property
    def turned(self) -> Cube | Image:
        """The product with the rotation of its offset in its WCS."""
        wcs = place_wcs((self.product.wcs, self.shape), 0.0, 0.0, self.rotation_deg)
        return dataclasses.replace(self.product, wcs=wcs) if self.rotation_deg else self.product

    @property
    def frame(self) -> Frame:
        """The frame it is drawn in."""
        return self.homes[self.layout]

    @property
    def cube(self) -> Cube | None:
        """The cube, if it shows one."""
        return self.product if isinstance(self.product, Cube) else None

    @property
    def ifu(self) -> int | None:
        """Its IFU."""
        return self.product.ifu

    @property
    def identity(self) -> tuple[str, int | None]:
        """What tells it from other files and IFUs."""
        return str(self.path) if self.path else self.product.source or self.product.name, self.ifu

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows and columns."""
        return shape_of(self.product)

    @property
    def note(self) -> str:
        """What there is to know of how it is drawn."""
        return ""

    @property
    def parts(self) -> tuple[KmosLayer, ...]:
        """What it shows, product by product."""
        return (self,)

    def home(self) -> Home:
        """Return the pixel size in arcsec and the 3 x 3 matrix, applied after it, that draw it by header and turn."""
        return self.frame.transform((self.turned.wcs, self.shape))

    def part_at(self, y: int, x: int) -> tuple[KmosLayer, int, int] | None:
        """Return what is shown at a row and column of the layer, and its own row and column; None outside."""
        return (self, y, x) if 0 <= y < self.shape[0] and 0 <= x < self.shape[1] else None

    def laid_out(self, layout: str) -> KmosLayer:
        """Return the same, drawn in another layout."""
        return dataclasses.replace(self, layout=layout)


@dataclass(frozen=True, eq=False, kw_only=True)
class CompositeLayer(KmosLayer):
    """All IFUs of an exposure in one layer; each is drawn at the nearest whole spaxel of their common grid.

    Parameters
    ----------
    pieces : tuple of KmosLayer
        Its cubes.
    """

    product: None = None
    pieces: tuple[KmosLayer, ...]

    @property
    def note(self) -> str:
        """What there is to know of how it is drawn."""
        return "(drawn to the nearest spaxel)"

    @property
    def parts(self) -> tuple[KmosLayer, ...]:
        """Its cubes."""
        return self.pieces

    @property
    def ifu(self) -> None:
        """Not one IFU."""
        return

    @property
    def identity(self) -> tuple[str, int | None]:
        """What tells it from other files."""
        return self.pieces[0].identity[0], None

    @cached_property
    def grid(self) -> Grid:
        """The grid on which it is drawn.

        Raises
        ------
        GeometryError
            If its cubes have no common grid, or one too large to draw.
        """
        return grid_of([piece.home() for piece in self.pieces], [piece.shape for piece in self.pieces])

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows and columns of the grid."""
        return self.grid.shape

    def home(self) -> Home:
        """Return how the grid is drawn."""
        scale, matrix = self.grid.home
        return scale, matrix.copy()

    def part_at(self, y: int, x: int) -> tuple[KmosLayer, int, int] | None:
        """Return the cube on top at a row and column of the grid, and its own row and column; None between cubes."""
        for piece, (y0, x0) in reversed(list(zip(self.pieces, self.grid.origins, strict=True))):
            if found := piece.part_at(y - y0, x - x0):
                return found
        return None

    def laid_out(self, layout: str) -> CompositeLayer:
        """Return the same, drawn in another layout."""
        return dataclasses.replace(self, layout=layout, pieces=tuple(one.laid_out(layout) for one in self.pieces))


def shape_of(product: Cube | Image) -> tuple[int, int]:
    """Return the number of rows and columns of a cube or image."""
    shape = product.shape if isinstance(product, Cube) else product.data.shape
    return shape[-2], shape[-1]
