"""Which object takes which sky, and where the result goes: told by the headers, before anything is computed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from napari_kmos.errors import SkyError, WriteError
from napari_kmos.io import fits_stem, read_exposure
from napari_kmos.sky.pairing import check_sky, nearest_sky

if TYPE_CHECKING:
    from napari_kmos.cube import Cube
    from napari_kmos.exposure import Exposure

SUFFIX = "_SKY_TWEAK"


@dataclass(frozen=True, slots=True, eq=False)
class SkyTask:
    """One object exposure, the sky it takes, and where the result goes."""

    target: Exposure
    sky: Exposure
    product: Path
    cubes: tuple[Cube, ...]

    @property
    def record(self) -> Path:
        """Record of the product."""
        return self.product.with_suffix(".json")

    @property
    def table(self) -> Path:
        """Table of the bands."""
        return self.product.with_name(f"{self.product.stem}_bands.ecsv")

    def figure(self, cube: Cube) -> Path:
        """Figure of one IFU."""
        ending = "" if cube.ifu is None else f"_IFU{cube.ifu}"
        return self.product.with_name(f"{self.product.stem}{ending}.png")

    @property
    def outputs(self) -> tuple[Path, ...]:
        """All files that will be written."""
        return (self.product, self.record, self.table, *(self.figure(cube) for cube in self.cubes))


def plan_tasks(
    objects: Sequence[Path | str], skies: Sequence[Path | str], out_dir: Path, ifu: int | None
) -> tuple[SkyTask, ...]:
    """Read the headers, find the sky of each object and the name of each product."""
    if not objects or not skies:
        msg = f"{len(objects)} objects and {len(skies)} skies given; at least one of each is needed"
        raise SkyError(msg)
    products = name_products(objects, out_dir, SUFFIX)
    targets = {product: read_unmosaicked(path) for product, path in products.items()}
    sky_exposures = [read_unmosaicked(Path(path)) for path in skies]
    pairs = {product: (target, nearest_sky(target, sky_exposures)) for product, target in targets.items()}
    return tuple(SkyTask(*pair, product, _cubes(*pair, ifu)) for product, pair in pairs.items())


def name_products(files: Sequence[Path | str], out_dir: Path, suffix: str) -> dict[Path, Path]:
    """Return the file of each product ``<input stem><suffix>.fits``; two with one name are refused."""
    products: dict[Path, Path] = {}
    for path in map(Path, files):
        product = out_dir / f"{fits_stem(path)}{suffix}.fits"
        if product in products:
            msg = f"{products[product]} and {path} would both become {product.name}; use a folder (-o) for each"
            raise WriteError(msg)
        products[product] = path
    return products


def read_unmosaicked(path: Path) -> Exposure:
    """Exposure of a file; mosaics are refused."""
    exposure = read_exposure(path)
    if exposure.kind == "mosaic":
        msg = f"{path}: is a mosaic; the sky is subtracted from exposures, before they are combined"
        raise SkyError(msg)
    return exposure


def _cubes(target: Exposure, sky: Exposure, ifu: int | None) -> tuple[Cube, ...]:
    """Cubes to work on; each has a sky, as far as the headers tell."""
    cubes = target.cubes if ifu is None else (target.cube(ifu),)
    if not cubes:
        msg = f"{target.label}: no IFU has data; leave this file out"
        raise SkyError(msg)
    check_sky(target, cubes, sky)
    return cubes
