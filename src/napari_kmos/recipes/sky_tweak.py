"""Subtract the sky from object exposures, each with a sky exposure."""

from __future__ import annotations

import dataclasses
import logging
import math
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_kmos.errors import KmosWarning, SkyError, WriteError
from napari_kmos.io import (
    check_free,
    fits_stem,
    output_dir,
    read_exposure,
    write_exposure,
    write_figure,
    write_record,
    write_table,
)
from napari_kmos.progress import Progress, silent
from napari_kmos.provenance import Step, defaults_of, parameters_of
from napari_kmos.recipes.outcome import Outcome, join_outcomes
from napari_kmos.report.sky import band_table, sky_figure
from napari_kmos.sky import SKY_METHODS, SkyParameters, has_data, subtract_sky
from napari_kmos.sky.pairing import check_sky, choose_sky_cube, nearest_sky

if TYPE_CHECKING:
    from napari_kmos.cube import Cube
    from napari_kmos.exposure import Exposure
    from napari_kmos.sky import SkyResult

SUFFIX = "_SKY_TWEAK"
CATEGORY = "SKY_TWEAK"
#: How one of several skies is chosen.
PICKS = ("nearest",)

_log = logging.getLogger(__name__)


def sky_tweak(
    objects: Sequence[Path | str],
    skies: Sequence[Path | str],
    out_dir: Path | str,
    *,
    method: str = "davies",
    parameters: SkyParameters | None = None,
    ifu: int | None = None,
    pick: str = "nearest",
    overwrite: bool = False,
    progress: Progress = silent,
) -> Outcome:
    """Subtract the sky from object exposures and write ``<input stem>_SKY_TWEAK.fits`` for each.

    Parameters
    ----------
    objects, skies : sequence of path
        Exposures (or combined cubes of one target). One sky serves all objects; of several, each object takes the one
        of its band nearest in time.
    out_dir : path
        Folder of the products; made if missing.
    method : str
        A key of `SKY_METHODS`.
    parameters : SkyParameters, optional
        Defaults if None.
    ifu : int, optional
        This IFU only; the others are left empty in the product.
    pick : str
        How one of several skies is chosen: ``"nearest"`` in time.
    overwrite : bool
        Replace products that exist.
    progress : Progress
        Told each IFU; it may raise `Cancelled`, and then no half-written file is left.

    Returns
    -------
    Outcome
        Products in the layout of the inputs, with NOISE: where the input has none it is estimated before the sky, whose
        light it counts, is gone, and the header says so. Extras: for each its record
        ``.json``, the table of bands ``_bands.ecsv`` and a figure an IFU, ``_IFU<n>.png``. Measured, for each product
        and IFU: sky, shift, factors, line pixels, residuals before and after.

    Raises
    ------
    SkyError
        If there is no sky for an object, its band differs, or no IFU has data; before any product is written
        where the headers tell.
    GeometryError
        If shapes, wavelengths or units of object and sky differ.
    WriteError
        If a product exists, or two inputs would have the same product.
    """
    _check_choices(method, pick)
    chosen = parameters or SkyParameters()
    tasks = _plan(objects, skies, Path(out_dir), ifu)
    output_dir(out_dir)
    for task in tasks:
        for path in task.outputs:
            check_free(path, overwrite)
    options = {"method": method, "pick": pick, "ifu": ifu or 0}
    counter = _Counter(progress, sum(2 * len(task.cubes) + 1 for task in tasks))
    outcomes = []
    for task in tasks:
        results = _subtract_all(task, method, chosen, counter)
        found = [result for result in results if result is not None]
        step = _step(task, options, chosen, found)
        counter.next(f"{task.target.label}: writing {task.product.name}")
        write_exposure(_without_sky(task, results), task.product, step=step, category=CATEGORY, overwrite=overwrite)
        outcomes.append(_explain(task, step, found, overwrite, counter))
    counter.next("sky subtracted")
    return join_outcomes(outcomes)


@dataclass(frozen=True, slots=True, eq=False)
class _Task:
    """One object exposure, the sky it takes, and where the result goes."""

    target: Exposure
    sky: Exposure
    product: Path
    cubes: tuple[Cube, ...]

    @property
    def record(self) -> Path:
        return self.product.with_suffix(".json")

    @property
    def table(self) -> Path:
        return self.product.with_name(f"{self.product.stem}_bands.ecsv")

    def figure(self, cube: Cube) -> Path:
        """Figure of one IFU."""
        ending = "" if cube.ifu is None else f"_IFU{cube.ifu}"
        return self.product.with_name(f"{self.product.stem}{ending}.png")

    @property
    def outputs(self) -> tuple[Path, ...]:
        """All files that will be written."""
        return (self.product, self.record, self.table, *(self.figure(cube) for cube in self.cubes))


class _Counter:
    """Counts finished parts and tells the progress."""

    def __init__(self, progress: Progress, total: int) -> None:
        self._progress, self._total, self._done = progress, total, 0

    def next(self, text: str) -> None:
        """Tell what is done now, then count it."""
        self._progress(self._done, self._total, text)
        self._done += 1


def _check_choices(method: str, pick: str) -> None:
    """Refuse names that are not in the tables."""
    for what, value, known in (("sky method", method, tuple(SKY_METHODS)), ("pick", pick, PICKS)):
        if value not in known:
            msg = f"{what} {value!r} is not known; choose one of {', '.join(known)}"
            raise SkyError(msg)


def _plan(
    objects: Sequence[Path | str], skies: Sequence[Path | str], out_dir: Path, ifu: int | None
) -> tuple[_Task, ...]:
    """Read the headers, find the sky of each object and the name of each product."""
    if not objects or not skies:
        msg = f"{len(objects)} objects and {len(skies)} skies given; at least one of each is needed"
        raise SkyError(msg)
    products: dict[Path, Path] = {}
    for path in map(Path, objects):
        product = out_dir / f"{fits_stem(path)}{SUFFIX}.fits"
        if product in products:
            msg = f"{products[product]} and {path} would both become {product.name}; use a folder (-o) for each"
            raise WriteError(msg)
        products[product] = path
    targets = {product: _readable(path) for product, path in products.items()}
    sky_exposures = [_readable(Path(path)) for path in skies]
    pairs = {product: (target, nearest_sky(target, sky_exposures)) for product, target in targets.items()}
    return tuple(_Task(*pair, product, _cubes(*pair, ifu)) for product, pair in pairs.items())


def _readable(path: Path) -> Exposure:
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


def _subtract_all(task: _Task, method: str, parameters: SkyParameters, counter: _Counter) -> list[SkyResult | None]:
    """Subtract the sky from every IFU that has data; None, with a warning, for those without."""
    results: list[SkyResult | None] = []
    for cube in task.cubes:
        counter.next(f"{task.target.label}: sky of {cube.label}")
        result = None
        if has_data(cube):
            sky = choose_sky_cube(cube, task.sky)
            result = subtract_sky(cube, sky, method=method, parameters=parameters)
        results.append(result)
    empty = [cube.label for cube, result in zip(task.cubes, results, strict=True) if result is None]
    if len(empty) == len(results):
        msg = f"{task.target.label}: no data in {', '.join(empty)} (all NaN); leave this file out or choose other IFUs"
        raise SkyError(msg)
    if empty:
        msg = f"{task.target.label}: no data in {', '.join(empty)} (all NaN); left as it is"
        warnings.warn(msg, KmosWarning, stacklevel=3)
    return results


def _step(task: _Task, options: dict[str, Any], parameters: SkyParameters, results: Sequence[SkyResult]) -> Step:
    """Describe what was done, with the numbers that go into the header."""
    return Step(
        name="sky-tweak",
        inputs=tuple(exposure.path for exposure in (task.target, task.sky) if exposure.path is not None),
        parameters={**options, **parameters_of(parameters)},
        defaults={"method": "davies", "pick": "nearest", "ifu": 0, **defaults_of(parameters)},
        measured={name: value for result in results for name, value in _keywords(result)},
    )


def _keywords(result: SkyResult) -> Iterator[tuple[str, float | int]]:
    """Yield what is told of one IFU in the header; numbers that are not known are left out."""
    start = "SKY" if result.cube.ifu is None else f"SKY IFU{result.cube.ifu}"
    numbers = [("SHIFT", result.shift_pix), ("RMS BEFORE", result.rms_before), ("RMS AFTER", result.rms_after)]
    numbers += [(f"ROT {group.name.upper()}", group.factor) for group in result.groups]
    for band in result.bands:
        name = band.name.upper()
        numbers += [(f"{name} FACTOR", band.factor), (f"{name} NPIX", band.n_line_pixels)]
        numbers += [(f"{name} RMS BEFORE", band.rms_before), (f"{name} RMS AFTER", band.rms_after)]
    for name, value in numbers:
        if math.isfinite(value):
            yield f"{start} {name}", value if isinstance(value, int) else float(f"{value:.6g}")


def _explain(task: _Task, step: Step, results: Sequence[SkyResult], overwrite: bool, counter: _Counter) -> Outcome:
    """Write what explains the product: record, bands, figures."""
    extras = [write_record(task.product, step, overwrite=overwrite)]
    extras.append(write_table(band_table(results), task.table, overwrite=overwrite))
    for result in results:
        counter.next(f"{task.target.label}: figure of {result.cube.label}")
        extras.append(write_figure(sky_figure(result), task.figure(result.cube), overwrite=overwrite))
    _log.info("%s: sky of %s subtracted from %d IFUs", task.target.label, task.sky.label, len(results))
    return Outcome(
        products=(task.product,), extras=tuple(extras), measured={task.product.name: _measured(task, results)}
    )


def _without_sky(task: _Task, results: Sequence[SkyResult | None]) -> Exposure:
    """Exposure with the new cubes; IFUs that were not asked for are empty."""
    new = {id(cube): cube if result is None else result.cube for cube, result in zip(task.cubes, results, strict=True)}
    arms = tuple(dataclasses.replace(arm, cube=new.get(id(arm.cube))) for arm in task.target.arms)
    return dataclasses.replace(task.target, arms=arms)


def _measured(task: _Task, results: Sequence[SkyResult]) -> dict[str, Any]:
    """Return what --json tells of one product."""
    ifus = {
        "cube" if result.cube.ifu is None else str(result.cube.ifu): {
            "target": result.cube.name,
            "sky": result.sky_source,
            "shift_pix": result.shift_pix,
            "rms_before": result.rms_before,
            "rms_after": result.rms_after,
            "groups": {group.name: group.factor for group in result.groups},
            "bands": [dataclasses.asdict(band) for band in result.bands],
        }
        for result in results
    }
    return {"object": task.target.label, "sky": task.sky.label, "ifus": ifus}
