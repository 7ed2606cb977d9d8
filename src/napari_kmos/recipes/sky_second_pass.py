"""A second pass over exposures whose sky was subtracted, and a table of what is left on the sky lines."""

from __future__ import annotations

import dataclasses
import itertools
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from napari_kmos.calls import recorded
from napari_kmos.errors import KmosWarning, SkyError
from napari_kmos.io import check_free, output_dir, write_exposure
from napari_kmos.progress import Progress, silent
from napari_kmos.recipes.outcome import Outcome, join_outcomes
from napari_kmos.recipes.second_pass_products import PassOfFile, PassOfIfu, describe_step, explain
from napari_kmos.recipes.sky_tasks import name_products, read_unmosaicked
from napari_kmos.sky import (
    SecondPassParameters,
    choose_emptier,
    fit_second_pass,
    has_data,
    make_template,
    measure_residual,
    subtract_residual,
)

if TYPE_CHECKING:
    from napari_kmos.cube import Cube
    from napari_kmos.exposure import Exposure
    from napari_kmos.sky import IfuResidual

    Tell = Callable[[str], None]

SUFFIX = "_SECOND_PASS"
CATEGORY = "SECOND_PASS"


@recorded(each="files")
def sky_second_pass(
    files: Sequence[Path | str],
    out_dir: Path | str,
    *,
    sources: Sequence[int] = (),
    parameters: SecondPassParameters | None = None,
    overwrite: bool = False,
    progress: Progress = silent,
) -> Outcome:
    """Subtract what the subtraction of the sky left, and write ``<input stem>_SECOND_PASS.fits`` for each file.

    Each file is read twice and then written, one IFU after the other, so that one is in memory at a time.

    Parameters
    ----------
    files : sequence of path
        Exposures of several IFUs whose sky was subtracted. Of combined cubes only the table is made.
    out_dir : path
        Folder of the products; made if missing.
    sources : sequence of int
        IFUs from which the residual sky is taken; by default those that are mostly free of stars.
    parameters : SecondPassParameters, optional
        Defaults if None.
    overwrite : bool
        Replace products that exist.
    progress : Progress
        Told each IFU; it may raise `Cancelled`, and then no half-written file is left.

    Returns
    -------
    Outcome
        Products in the layout of the inputs, with NOISE; where no second pass is possible the table of residuals is the
        product, and a warning says why. Extras: the table ``_residuals.ecsv`` with a row an IFU and line group, a
        figure ``_residuals.png`` and the record ``.json``. Measured, for each file: the emptier IFUs, and for each IFU
        those its residual sky came from, amplitudes by group, residual over noise before and after.

    Raises
    ------
    SkyError
        If a file is a mosaic, a given IFU has no data, or no file has data.
    WriteError
        If a product exists, or two inputs would have the same product.
    """
    p = parameters or SecondPassParameters()
    tasks = _plan(files, Path(out_dir), sources)
    output_dir(out_dir)
    for task in tasks:
        for path in task.outputs:
            check_free(path, overwrite)
    done, total = itertools.count(), sum(2 * len(task.exposure.cubes) + 1 for task in tasks)

    def tell(text: str) -> None:
        progress(min(next(done), total), total, text)

    outcomes = [_treat(task, tuple(sources), p, tell, overwrite=overwrite) for task in tasks]
    made = [outcome for outcome in outcomes if outcome is not None]
    if not made:
        msg = f"no data in {', '.join(task.exposure.label for task in tasks)} (all NaN); give other files"
        raise SkyError(msg)
    tell("second pass done")
    return join_outcomes(made)


@dataclass(frozen=True, slots=True, eq=False)
class _Task:
    """An exposure and where its product goes."""

    exposure: Exposure
    product: Path

    @property
    def outputs(self) -> tuple[Path, ...]:
        """All files that may be written."""
        stem = self.product.name.removesuffix(f"{SUFFIX}.fits")
        beside = (self.product.with_name(f"{stem}_residuals{ending}") for ending in (".ecsv", ".png"))
        return (self.product, *beside, self.product.with_suffix(".json"))


def _plan(files: Sequence[Path | str], out_dir: Path, sources: Sequence[int]) -> tuple[_Task, ...]:
    """Read the headers and name the products."""
    products = name_products(files, out_dir, SUFFIX)
    if not products:
        msg = "no files given; at least one is needed"
        raise SkyError(msg)
    tasks = tuple(_Task(read_unmosaicked(path), product) for product, path in products.items())
    for exposure in (task.exposure for task in tasks if task.exposure.kind == "exposure"):
        have = [cube.ifu for cube in exposure.cubes]
        missing = sorted(set(sources).difference(have))
        if missing:
            msg = (
                f"{exposure.label}: no data for IFU {', '.join(map(str, missing))} (--from); "
                f"IFUs with data: {', '.join(map(str, have))}"
            )
            raise SkyError(msg)
    return tasks


def _treat(
    task: _Task, sources: tuple[int, ...], p: SecondPassParameters, tell: Tell, *, overwrite: bool
) -> Outcome | None:
    """Do all for one file; None, with a warning, if it has no data."""
    residuals = {id(cube): _measured(task.exposure, cube, p, tell) for cube in task.exposure.cubes}
    known = [each for each in residuals.values() if each is not None]
    if not known:
        warnings.warn(f"{task.exposure.label}: no data (all NaN); left out", KmosWarning, stacklevel=4)
        return None
    emptier = choose_emptier(known, sources, parameters=p) if task.exposure.kind == "exposure" else ()
    passes = []
    for cube in task.exposure.cubes:
        tell(f"{task.exposure.label}: amplitudes of {cube.label}")
        own = residuals[id(cube)]
        if own is not None:
            passes.append(_fitted(cube, own, known, emptier, p))
    whole = PassOfFile(task.exposure, task.outputs, emptier, tuple(passes))
    if whole.reason:
        warnings.warn(f"{task.exposure.label}: {whole.reason}", KmosWarning, stacklevel=4)
    step = describe_step(whole, sources, p)
    tell(f"{task.exposure.label}: writing")
    if whole.is_made:
        write_exposure(_corrected(whole), task.product, step=step, category=CATEGORY, overwrite=overwrite)
    return explain(whole, step, overwrite=overwrite)


def _measured(exposure: Exposure, cube: Cube, p: SecondPassParameters, tell: Tell) -> IfuResidual | None:
    """Measure what is left in an IFU; None if it has no data."""
    tell(f"{exposure.label}: residual of {cube.label}")
    return measure_residual(cube, parameters=p) if has_data(cube) else None


def _fitted(
    cube: Cube, own: IfuResidual, known: Sequence[IfuResidual], emptier: tuple[int, ...], p: SecondPassParameters
) -> PassOfIfu:
    """Second pass of an IFU, if there is something to take its residual sky from."""
    template = make_template(cube, known, emptier, parameters=p)
    if template is None:
        return PassOfIfu(cube, own)
    return PassOfIfu(cube, own, *fit_second_pass(cube, own, template, parameters=p))


def _corrected(whole: PassOfFile) -> Exposure:
    """Exposure with lazy cubes without the residual sky; an IFU without a second pass stays as it is."""
    new = {id(one.cube): subtract_residual(one.cube, one.second) for one in whole.passes if one.second is not None}
    arms = tuple(dataclasses.replace(arm, cube=new.get(id(arm.cube), arm.cube)) for arm in whole.exposure.arms)
    return dataclasses.replace(whole.exposure, arms=arms)
