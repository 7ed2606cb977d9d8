"""Subtract the sky from object exposures, each with a sky exposure."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_kmos.calls import recorded
from napari_kmos.errors import EngineError, KmosWarning, SkyError
from napari_kmos.esorex import NATIVE, EsorexOptions, check_engine
from napari_kmos.io import check_free, output_dir, write_exposure
from napari_kmos.progress import Progress, silent
from napari_kmos.recipes.esorex_sky import sky_tweak_by_esorex
from napari_kmos.recipes.outcome import Outcome, join_outcomes
from napari_kmos.recipes.sky_products import OPTIONS, describe_step, explain
from napari_kmos.recipes.sky_tasks import SKY_STARS, SkyUse, plan_tasks, with_best_sky
from napari_kmos.sky import (
    DEFAULT_METHOD,
    PICKS,
    SKY_METHODS,
    SkyParameters,
    has_data,
    in_memory,
    n_trials,
    subtract_skies,
)
from napari_kmos.threads import compute_ahead

if TYPE_CHECKING:
    from napari_kmos.cube import Cube
    from napari_kmos.exposure import Exposure
    from napari_kmos.recipes.sky_tasks import SkyTask
    from napari_kmos.sky import SkyResult

CATEGORY = "SKY_TWEAK"

_log = logging.getLogger(__name__)


@recorded(each="objects")
def sky_tweak(
    objects: Sequence[Path | str],
    skies: Sequence[Path | str],
    out_dir: Path | str,
    *,
    method: str = DEFAULT_METHOD,
    parameters: SkyParameters | None = None,
    ifu: int | None = None,
    pick: str = "nearest",
    sky_stars: str = "mask",
    sky_masks: Sequence[Path | str] = (),
    figures: bool = True,
    engine: str = NATIVE,
    esorex: EsorexOptions | None = None,
    overwrite: bool = False,
    progress: Progress = silent,
) -> Outcome:
    """Subtract the sky from object exposures and write ``<input stem>_SKY_TWEAK.fits`` for each.

    Parameters
    ----------
    objects, skies : sequence of path
        Exposures (or combined cubes of one target). One sky serves all objects; of several, each object takes what
        ``pick`` says among those of its band.
    out_dir : path
        Folder of the products; made if missing.
    method : str
        A key of `SKY_METHODS`.
    parameters : SkyParameters, optional
        Defaults if None.
    ifu : int, optional
        This IFU only; the others are left empty in the product.
    pick : str
        Which of several skies: the ``"nearest"`` in time, the ``"best"`` (that leaves least, see `choose_best`), or
        ``"interpolate"`` between the one before and the one after, weighted by time (see `subtract_skies`).
    sky_stars : str
        ``"mask"`` puts sky in the place of stars in IFUs of the sky where there are any; ``"keep"`` leaves them.
    sky_masks : sequence of path
        Masks of skies, as `read_sky_mask` reads them, to be used instead of looking for stars. One serves one sky; of
        several, ``<sky stem>_SKY_MASK.fits`` that of its name.
    figures : bool
        Draw a figure an IFU.
    engine : str
        ``"native"``, or ``"esorex"`` for ESO's `kmos_sky_tweak`, see `sky_tweak_by_esorex`: each object with the sky
        nearest in time as it is, stars and all, whatever ``sky_stars`` says; no figures.
    esorex : EsorexOptions, optional
        For engine ``esorex``: where it is, the parameters of the recipe, how many run at once, whether to run at all.
    overwrite : bool
        Replace products that exist.
    progress : Progress
        Told each IFU; it may raise `Cancelled`, and then no half-written file is left.

    Returns
    -------
    Outcome
        Products in the layout of the inputs, with NOISE: where the input has none it is estimated before the sky, whose
        light it counts, is gone, and the header says so. Extras: for each its record ``.json``, the table of bands
        ``_bands.ecsv``, with `levels` that of upper levels, ``_levels.ecsv``, and a figure an IFU, ``_IFU<n>.png``.
        Measured, for each product: the sky and why it was taken, how many of its spaxels had stars; for each IFU: sky,
        method and why it stands in for another, shift, factors with errors, line pixels, residuals before and after
        and over the noise.

    Raises
    ------
    EngineError
        If there is no such engine, it cannot do what is asked for, or it fails.
    SkyError
        If there is no sky for an object, its band differs, or no IFU has data; before any product is written
        where the headers tell.
    GeometryError
        If shapes, wavelengths or units of object and sky differ.
    WriteError
        If a product exists, or two inputs would have the same product.

    Notes
    -----
    Two IFUs are worked on at a time; the cubes without sky of one object, as large as its product, stay in memory until
    it is written.
    """
    _check_choices(method, pick, sky_stars)
    chosen = parameters or SkyParameters()
    if check_engine(engine, esorex):
        _check_recipe(method, pick, sky_masks)
        how: dict[str, Any] = {"options": esorex, "overwrite": overwrite, "progress": progress}
        return sky_tweak_by_esorex(objects, skies, out_dir, ifu=ifu, parameters=chosen, **how)
    use = SkyUse(skies=skies, pick=pick, stars=sky_stars, masks=sky_masks)
    tasks = plan_tasks(objects, use, Path(out_dir), ifu=ifu, parameters=chosen, with_figures=figures)
    output_dir(out_dir)
    for task in tasks:
        for path in task.outputs:
            check_free(path, overwrite)
    masks = ",".join(Path(path).name for path in sky_masks)
    given = (method, pick, sky_stars, masks, ifu or 0)
    work = _Work(method, chosen, dict(zip(OPTIONS, given, strict=True)), overwrite, _Counter(progress, tasks, chosen))
    outcomes = [_do_task(task, work) for task in tasks]
    work.counter.next("sky subtracted")
    return join_outcomes(outcomes)


class _Counter:
    """Counts finished parts and tells the progress."""

    def __init__(self, progress: Progress, tasks: Sequence[SkyTask], parameters: SkyParameters) -> None:
        self._progress, self._done = progress, 0
        self._total = sum(
            n_trials(task.options, task.cubes, parameters) + (1 + task.with_figures) * len(task.cubes) + 1
            for task in tasks
        )

    def next(self, text: str) -> None:
        """Tell what is done now, then count it."""
        self._progress(self._done, self._total, text)
        self._done += 1


@dataclasses.dataclass(frozen=True, slots=True)
class _Work:
    """How every object is worked on."""

    method: str
    parameters: SkyParameters
    options: dict[str, Any]
    overwrite: bool
    counter: _Counter


def _check_choices(method: str, pick: str, sky_stars: str) -> None:
    """Refuse names that are not in the tables."""
    choices = (("sky method", method, tuple(SKY_METHODS)), ("pick", pick, PICKS), ("sky stars", sky_stars, SKY_STARS))
    for what, value, known in choices:
        if value not in known:
            msg = f"{what} {value!r} is not known; choose one of {', '.join(known)}"
            raise SkyError(msg)


def _check_recipe(method: str, pick: str, sky_masks: Sequence[Path | str]) -> None:
    """Refuse what the native engine alone can do."""
    asked = {
        f"method {method}": method != DEFAULT_METHOD,
        f"pick {pick}": pick != "nearest",
        "a sky mask": bool(sky_masks),
    }
    native = next((what for what, is_asked in asked.items() if is_asked), None)
    if native is not None:
        msg = f"{native} is of the native engine: leave it out, or leave esorex out (--engine)"
        raise EngineError(msg)


def _do_task(task: SkyTask, work: _Work) -> Outcome:
    """Subtract the sky from one object and write everything."""
    task = with_best_sky(task, method=work.method, parameters=work.parameters, tell=work.counter.next)
    results = _subtract_all(task, work)
    found = [result for result in results if result is not None]
    step = describe_step(task, work.options, work.parameters, found)
    work.counter.next(f"{task.target.label}: writing {task.product.name}")
    without = _without_sky(task, results)
    write_exposure(without, task.product, step=step, category=CATEGORY, overwrite=work.overwrite)
    return explain(task, step, found, overwrite=work.overwrite, tell=work.counter.next)


def _subtract_all(task: SkyTask, work: _Work) -> list[SkyResult | None]:
    """Subtract the sky from every IFU that has data, two at a time; None, with a warning, for those without."""

    def subtract(cube: Cube) -> SkyResult | None:
        if not has_data(cube):
            return None
        return subtract_skies(
            in_memory(cube), task.choice.skies_for(cube), method=work.method, parameters=work.parameters
        )

    results = []
    with contextlib.closing(compute_ahead(subtract, task.cubes)) as found:
        for cube in task.cubes:
            work.counter.next(f"{task.target.label}: sky of {cube.label}")
            results.append(next(found))
    empty = [cube.label for cube, result in zip(task.cubes, results, strict=True) if result is None]
    if len(empty) == len(results):
        msg = f"{task.target.label}: no data in {', '.join(empty)} (all NaN); leave this file out or choose other IFUs"
        raise SkyError(msg)
    if empty:
        msg = f"{task.target.label}: no data in {', '.join(empty)} (all NaN); left as it is"
        warnings.warn(msg, KmosWarning, stacklevel=4)
    _log_stars(task)
    return results


def _log_stars(task: SkyTask) -> None:
    """Tell where the sky had stars."""
    for source in task.choice.sources:
        for ifu, number in source.n_masked.items():
            where = "cube" if ifu is None else f"IFU {ifu}"
            _log.info("%s: %d spaxels of %s have stars; sky put in their place", source.exposure.label, number, where)


def _without_sky(task: SkyTask, results: Sequence[SkyResult | None]) -> Exposure:
    """Exposure with the new cubes; IFUs that were not asked for are empty."""
    new = {id(cube): cube if result is None else result.cube for cube, result in zip(task.cubes, results, strict=True)}
    arms = tuple(dataclasses.replace(arm, cube=new.get(id(arm.cube))) for arm in task.target.arms)
    return dataclasses.replace(task.target, arms=arms)
