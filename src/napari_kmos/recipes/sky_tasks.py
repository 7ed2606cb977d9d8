"""Which object takes which skies, and where the result goes: told by the headers, unless skies are to be tried."""

from __future__ import annotations

import dataclasses
import logging
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from napari_kmos.errors import KmosWarning, SkyError, WriteError
from napari_kmos.io import fits_stem, read_exposure, read_sky_mask
from napari_kmos.sky import SkySource, choose_best, sky_options
from napari_kmos.sky.cleaning import SkyCleaner

if TYPE_CHECKING:
    from napari_kmos.cube import Cube
    from napari_kmos.exposure import Exposure
    from napari_kmos.sky import SkyChoice, SkyParameters

SUFFIX = "_SKY_TWEAK"
#: What a file of sky masks is called after its sky.
MASK_SUFFIX = "_SKY_MASK"
#: What is done about stars in sky exposures.
SKY_STARS = ("mask", "keep")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class SkyUse:
    """The skies that are given, and how they are used."""

    skies: Sequence[Path | str]
    pick: str
    stars: str
    masks: Sequence[Path | str]


@dataclass(frozen=True, slots=True, eq=False)
class SkyTask:
    """One object exposure, the skies it may take, and where the result goes."""

    target: Exposure
    cubes: tuple[Cube, ...]
    options: tuple[SkyChoice, ...]
    product: Path
    masks: tuple[Path, ...] = ()
    with_figures: bool = True

    @property
    def choice(self) -> SkyChoice:
        """The sky that is taken: the first."""
        return self.options[0]

    @property
    def inputs(self) -> tuple[Path, ...]:
        """Files that the product is made from."""
        exposures = (self.target, *(source.exposure for source in self.choice.sources))
        return (*(exposure.path for exposure in exposures if exposure.path is not None), *self.masks)

    @property
    def record(self) -> Path:
        """Record of the product."""
        return self.product.with_suffix(".json")

    @property
    def table(self) -> Path:
        """Table of the bands."""
        return self.product.with_name(f"{self.product.stem}_bands.ecsv")

    @property
    def level_table(self) -> Path:
        """Table of the upper levels, if the method has them."""
        return self.product.with_name(f"{self.product.stem}_levels.ecsv")

    def figure(self, cube: Cube) -> Path:
        """Figure of one IFU."""
        ending = "" if cube.ifu is None else f"_IFU{cube.ifu}"
        return self.product.with_name(f"{self.product.stem}{ending}.png")

    @property
    def outputs(self) -> tuple[Path, ...]:
        """All files that will be written."""
        figures = [self.figure(cube) for cube in self.cubes] if self.with_figures else []
        return (self.product, self.record, self.table, self.level_table, *figures)


def plan_tasks(
    objects: Sequence[Path | str],
    use: SkyUse,
    out_dir: Path,
    *,
    ifu: int | None,
    parameters: SkyParameters,
    with_figures: bool = True,
) -> tuple[SkyTask, ...]:
    """Read the headers, find the skies of each object and the name of each product."""
    if not objects or not use.skies:
        msg = f"{len(objects)} objects and {len(use.skies)} skies given; at least one of each is needed"
        raise SkyError(msg)
    products = name_products(objects, out_dir, SUFFIX)
    targets = {product: read_unmosaicked(path) for product, path in products.items()}
    sources = _read_skies(use)
    masks = tuple(Path(path) for path in use.masks)
    tasks = []
    for product, target in targets.items():
        cubes = _cubes(target, ifu)
        options = sky_options(target, cubes, sources, use.pick, parameters)
        tasks.append(SkyTask(target, cubes, options, product, masks, with_figures))
    return tuple(tasks)


def with_best_sky(task: SkyTask, *, method: str, parameters: SkyParameters, tell: Callable[[str], None]) -> SkyTask:
    """Return the task with the sky it takes, tried where there are several; warn if it is not what was asked for."""
    label = task.target.label
    choice = choose_best(
        task.options,
        task.cubes,
        method=method,
        parameters=parameters,
        progress=lambda _done, _total, text: tell(f"{label}: {text}"),
    )
    if choice.shortfall:
        msg = f"{label}: {choice.shortfall}; the sky is {choice.label}, {choice.reason}"
        warnings.warn(msg, KmosWarning, stacklevel=4)
    _log.info("%s: sky %s, %s", label, choice.label, choice.reason)
    return dataclasses.replace(task, options=(choice,))


def _read_skies(use: SkyUse) -> tuple[SkySource, ...]:
    """Read the headers of the skies, and the masks of their stars.

    One mask file serves one sky, whatever its name; of several, each serves the sky whose name it has.
    """
    exposures = [read_unmosaicked(Path(path)) for path in use.skies]
    if use.stars == "keep":
        if use.masks:
            msg = f"{use.masks[0]}: a sky mask is given, and stars are to be kept; leave one out (--sky-stars mask)"
            raise SkyError(msg)
        return tuple(SkySource(exposure) for exposure in exposures)
    files = masks_of_skies([Path(path) for path in use.skies], [Path(path) for path in use.masks])
    given = [read_sky_mask(path, exposure=sky) if path else None for path, sky in zip(files, exposures, strict=True)]
    return tuple(
        SkySource(exposure, SkyCleaner(exposure, masks=mask)) for exposure, mask in zip(exposures, given, strict=True)
    )


def masks_of_skies(skies: Sequence[Path], masks: Sequence[Path]) -> list[Path | None]:
    """Return the mask file of each sky, if it has one."""
    if len(skies) == len(masks) == 1:
        return [masks[0]]
    named = {fits_stem(path): path for path in masks}
    wanted = [f"{fits_stem(path)}{MASK_SUFFIX}" for path in skies]
    for name, path in named.items():
        if name not in wanted:
            msg = f"{path}: is the mask of none of the skies; expected a name like {wanted[0]}.fits, after its sky"
            raise SkyError(msg)
    return [named.get(name) for name in wanted]


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


def _cubes(target: Exposure, ifu: int | None) -> tuple[Cube, ...]:
    """Cubes to work on."""
    cubes = target.cubes if ifu is None else (target.cube(ifu),)
    if not cubes:
        msg = f"{target.label}: no IFU has data; leave this file out"
        raise SkyError(msg)
    return cubes
