"""Compare the methods of sky subtraction on exposures, without writing cubes."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_kmos.calls import recorded
from napari_kmos.errors import SkyError
from napari_kmos.io import check_free, output_dir, write_figure, write_record, write_table
from napari_kmos.progress import Progress, silent
from napari_kmos.provenance import Step, defaults_of, parameters_of
from napari_kmos.recipes.outcome import Outcome, join_outcomes
from napari_kmos.recipes.sky_products import OPTIONS
from napari_kmos.recipes.sky_tasks import SUFFIX, SkyUse, plan_tasks, with_best_sky
from napari_kmos.report.sky_comparison import comparison_figure, comparison_rows, comparison_table, comparison_text
from napari_kmos.sky import DEFAULT_METHOD, SkyParameters, has_data, n_trials
from napari_kmos.sky.comparison import compare_methods

if TYPE_CHECKING:
    from napari_kmos.recipes.sky_tasks import SkyTask
    from napari_kmos.sky.comparison import SkyComparison

COMPARE_SUFFIX = "_SKY_COMPARE"


@recorded(each="objects")
def sky_compare(
    objects: Sequence[Path | str],
    skies: Sequence[Path | str],
    out_dir: Path | str,
    *,
    parameters: SkyParameters | None = None,
    ifu: int | None = None,
    pick: str = "nearest",
    sky_stars: str = "mask",
    sky_masks: Sequence[Path | str] = (),
    overwrite: bool = False,
    progress: Progress = silent,
) -> Outcome:
    """Subtract the sky with every method and tell what each leaves; no cube is written.

    Parameters
    ----------
    objects, skies, out_dir, parameters, ifu, pick, sky_stars, sky_masks, overwrite
        As in `sky_tweak`.
    progress : Progress
        Told each IFU, and each trial of a sky; may raise `Cancelled`.

    Returns
    -------
    Outcome
        Products: for each object ``<input stem>_SKY_COMPARE.ecsv``, a row an IFU and method (see `MethodScore`).
        Extras: its record and a figure an IFU, ``_IFU<n>.png``. Measured, for each product: the rows.

    Raises
    ------
    SkyError, GeometryError, WriteError
        As `sky_tweak`.

    Notes
    -----
    One IFU after the other and one method after the other, so that their seconds can be compared. Which sky is best is
    told by the default method.
    """
    chosen = parameters or SkyParameters()
    use = SkyUse(skies=skies, pick=pick, stars=sky_stars, masks=sky_masks)
    planned = plan_tasks(objects, use, Path(out_dir), ifu=ifu, parameters=chosen, with_figures=False)
    tasks = [dataclasses.replace(task, product=_table_path(task.product)) for task in planned]
    output_dir(out_dir)
    for task in tasks:
        for path in (task.product, task.record, *(task.figure(cube) for cube in task.cubes)):
            check_free(path, overwrite)
    masks = ",".join(Path(path).name for path in sky_masks)
    options = {"pick": pick, "sky_stars": sky_stars, "sky_masks": masks, "ifu": ifu or 0}
    total = sum(n_trials(task.options, task.cubes, chosen) + len(task.cubes) for task in tasks)
    count = itertools.count()

    def tell(text: str) -> None:
        progress(next(count), total, text)

    outcomes = []
    for task in tasks:
        taken = with_best_sky(task, method=DEFAULT_METHOD, parameters=chosen, tell=tell)
        found = _compare(taken, chosen, tell)
        outcomes.append(_write(taken, found, _step(taken, options, chosen), overwrite=overwrite))
    progress(total, total, "methods compared")
    return join_outcomes(outcomes)


def describe_comparison(outcome: Outcome) -> str:
    """Return what was compared as text: a table for each object; empty if nothing was."""
    compared = (told for told in outcome.measured.values() if "rows" in told)
    return "\n".join(f"{told['object']}\n{comparison_text(told['rows'])}" for told in compared)


def _table_path(product: Path) -> Path:
    """Name the table by the product that `sky_tweak` would write."""
    return product.with_name(f"{product.stem.removesuffix(SUFFIX)}{COMPARE_SUFFIX}.ecsv")


def _step(task: SkyTask, options: dict[str, Any], parameters: SkyParameters) -> Step:
    """Describe what was done."""
    return Step(
        name="sky-tweak --compare-methods",
        inputs=task.inputs,
        parameters={**options, **parameters_of(parameters)},
        defaults={**OPTIONS, **defaults_of(parameters)},
    )


def _compare(task: SkyTask, parameters: SkyParameters, tell: Callable[[str], None]) -> list[SkyComparison]:
    """Compare the methods on every IFU that has data."""
    found = []
    for cube in task.cubes:
        tell(f"{task.target.label}: methods on {cube.label}")
        if has_data(cube):
            found.append(compare_methods(cube, task.choice.skies_for(cube), parameters=parameters))
    if not found:
        msg = f"{task.target.label}: no IFU has data (all NaN); leave this file out or choose other IFUs"
        raise SkyError(msg)
    return found


def _write(task: SkyTask, found: Sequence[SkyComparison], step: Step, *, overwrite: bool) -> Outcome:
    """Write table, record and figures of one object."""
    rows = [row for comparison in found for row in comparison_rows(comparison)]
    write_table(comparison_table(rows, found[0].cube.unit), task.product, overwrite=overwrite)
    extras = [write_record(task.product, step, overwrite=overwrite)]
    for comparison in found:
        figure = comparison_figure(comparison)
        extras.append(write_figure(figure, task.figure(comparison.cube), overwrite=overwrite))
    told: dict[str, Any] = {"object": task.target.label, "sky": task.choice.label, "rows": rows}
    return Outcome(products=(task.product,), extras=tuple(extras), measured={task.product.name: told})
