"""Subtract the sky from object exposures, each with a sky exposure."""

from __future__ import annotations

import dataclasses
import logging
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from napari_kmos.errors import KmosWarning, SkyError
from napari_kmos.io import check_free, output_dir, write_exposure
from napari_kmos.progress import Progress, silent
from napari_kmos.recipes.outcome import Outcome, join_outcomes
from napari_kmos.recipes.sky_products import describe_step, explain
from napari_kmos.recipes.sky_tasks import plan_tasks
from napari_kmos.sky import DEFAULT_METHOD, SKY_METHODS, SkyParameters, has_data, subtract_sky
from napari_kmos.sky.pairing import choose_sky_cube

if TYPE_CHECKING:
    from napari_kmos.exposure import Exposure
    from napari_kmos.recipes.sky_tasks import SkyTask
    from napari_kmos.sky import SkyResult

CATEGORY = "SKY_TWEAK"
#: How one of several skies is chosen.
PICKS = ("nearest",)

_log = logging.getLogger(__name__)


def sky_tweak(
    objects: Sequence[Path | str],
    skies: Sequence[Path | str],
    out_dir: Path | str,
    *,
    method: str = DEFAULT_METHOD,
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
    tasks = plan_tasks(objects, skies, Path(out_dir), ifu)
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
        step = describe_step(task, options, chosen, found)
        counter.next(f"{task.target.label}: writing {task.product.name}")
        write_exposure(_without_sky(task, results), task.product, step=step, category=CATEGORY, overwrite=overwrite)
        outcomes.append(explain(task, step, found, overwrite=overwrite, tell=counter.next))
        _log.info("%s: sky of %s subtracted from %d IFUs", task.target.label, task.sky.label, len(found))
    counter.next("sky subtracted")
    return join_outcomes(outcomes)


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


def _subtract_all(task: SkyTask, method: str, parameters: SkyParameters, counter: _Counter) -> list[SkyResult | None]:
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


def _without_sky(task: SkyTask, results: Sequence[SkyResult | None]) -> Exposure:
    """Exposure with the new cubes; IFUs that were not asked for are empty."""
    new = {id(cube): cube if result is None else result.cube for cube, result in zip(task.cubes, results, strict=True)}
    arms = tuple(dataclasses.replace(arm, cube=new.get(id(arm.cube))) for arm in task.target.arms)
    return dataclasses.replace(task.target, arms=arms)
