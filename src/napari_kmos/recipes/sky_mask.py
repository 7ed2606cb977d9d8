"""Find stars in sky exposures: masks to look at and edit, and the skies with sky in place of the stars."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dask.array as da
import numpy as np
from dask.delayed import delayed

from napari_kmos.calls import recorded
from napari_kmos.errors import SkyError
from napari_kmos.io import (
    check_free,
    output_dir,
    read_sky_mask,
    write_exposure,
    write_figure,
    write_record,
    write_sky_mask,
)
from napari_kmos.progress import Progress, silent
from napari_kmos.provenance import Step, defaults_of, parameters_of
from napari_kmos.recipes.outcome import Outcome, join_outcomes
from napari_kmos.recipes.sky_tasks import MASK_SUFFIX, masks_of_skies, name_products, read_unmosaicked
from napari_kmos.report.sky_mask import MaskPanel, sky_mask_figure
from napari_kmos.sky import CleaningParameters, SkyCleaner

if TYPE_CHECKING:
    from napari_kmos.cube import Cube
    from napari_kmos.exposure import Exposure

    Tell = Callable[[str], None]

SUFFIX = "_SKY_CLEAN"
CATEGORY = "SKY_CLEAN"


@recorded(each="skies")
def sky_mask(
    skies: Sequence[Path | str],
    out_dir: Path | str,
    *,
    masks: Sequence[Path | str] = (),
    parameters: CleaningParameters | None = None,
    ifu: int | None = None,
    overwrite: bool = False,
    progress: Progress = silent,
) -> Outcome:
    """Find the stars in sky exposures and write each without them, as ``<input stem>_SKY_CLEAN.fits``.

    Parameters
    ----------
    skies : sequence of path
        Sky exposures; one IFU of one of them is in memory at a time.
    out_dir : path
        Folder of the products; made if missing.
    masks : sequence of path
        Masks, as `read_sky_mask` reads them, to be used instead of looking for stars. One serves one sky; of several,
        ``<sky stem>_SKY_MASK.fits`` that of its name.
    parameters : CleaningParameters, optional
        Defaults if None.
    ifu : int, optional
        This IFU only; the others are left empty in the product.
    overwrite : bool
        Replace products that exist.
    progress : Progress
        Told each IFU; it may raise `Cancelled`, and then no half-written file is left.

    Returns
    -------
    Outcome
        Products: for each sky the one without stars, in the layout of the input, so that it serves as sky, and
        ``<input stem>_SKY_MASK.fits`` unless its mask was given. Extras: a picture ``_SKY_MASK.png`` and the record.
        Measured, for each product and IFU: spaxels, those with stars, voxels that were replaced, whether it is crowded.

    Raises
    ------
    KmosError
        If a file cannot be used, is a mosaic, or a mask does not belong to its sky.
    WriteError
        If a product exists, or two inputs would have the same product.
    """
    chosen = parameters or CleaningParameters()
    tasks = _plan(skies, [Path(path) for path in masks], Path(out_dir), ifu)
    output_dir(out_dir)
    for task in tasks:
        for path in task.outputs:
            check_free(path, overwrite)
    done, total = itertools.count(), sum(2 * len(task.cubes) for task in tasks)

    def tell(text: str) -> None:
        progress(min(next(done), total), total, text)

    outcomes = [_treat(task, chosen, tell, ifu=ifu, overwrite=overwrite) for task in tasks]
    tell("skies without stars written")
    return join_outcomes(outcomes)


@dataclass(frozen=True, slots=True, eq=False)
class _Task:
    """A sky, its IFUs to be cleaned, its mask if one is given, and where its product goes."""

    exposure: Exposure
    cubes: tuple[Cube, ...]
    mask: Path | None
    product: Path

    def _beside(self, suffix: str) -> Path:
        return self.product.with_name(self.product.name.removesuffix(f"{SUFFIX}.fits") + suffix)

    @property
    def mask_product(self) -> Path:
        return self._beside(f"{MASK_SUFFIX}.fits")

    @property
    def figure(self) -> Path:
        return self._beside(f"{MASK_SUFFIX}.png")

    @property
    def products(self) -> tuple[Path, ...]:
        """The main products: a mask that was given is not written again."""
        return (self.product,) if self.mask else (self.product, self.mask_product)

    @property
    def outputs(self) -> tuple[Path, ...]:
        """All files that will be written."""
        return (*self.products, self.figure, self.product.with_suffix(".json"))


def _plan(skies: Sequence[Path | str], masks: Sequence[Path], out_dir: Path, ifu: int | None) -> tuple[_Task, ...]:
    """Read the headers and name the products."""
    products = name_products(skies, out_dir, SUFFIX)
    if not products:
        msg = "no sky exposures given; at least one is needed"
        raise SkyError(msg)
    tasks = []
    for (product, path), mask in zip(products.items(), masks_of_skies(list(products.values()), masks), strict=True):
        exposure = read_unmosaicked(path)
        cubes = exposure.cubes if ifu is None else (exposure.cube(ifu),)
        if not cubes:
            msg = f"{exposure.label}: no IFU has data; leave this file out"
            raise SkyError(msg)
        tasks.append(_Task(exposure, cubes, mask, product))
    return tuple(tasks)


def _treat(task: _Task, p: CleaningParameters, tell: Tell, *, ifu: int | None, overwrite: bool) -> Outcome:
    """Find the stars of a sky, then write all its products."""
    given = None if task.mask is None else read_sky_mask(task.mask, exposure=task.exposure)
    cleaner = SkyCleaner(task.exposure, masks=given, parameters=p)
    panels = []
    for cube in task.cubes:
        tell(f"{task.exposure.label}: stars in {cube.label}")
        panels.append(
            MaskPanel(title=cube.label, starlight=cleaner.starlight(cube.ifu), sky_mask=cleaner.mask(cube.ifu))
        )
    if not any(np.isfinite(panel.starlight).any() for panel in panels):
        msg = f"{task.exposure.label}: no data (all NaN); leave this file out or choose other IFUs"
        raise SkyError(msg)
    step = _step(task, cleaner, {"mask": "" if task.mask is None else task.mask.name, "ifu": ifu or 0})
    write_exposure(_cleaned(task, cleaner, tell), task.product, step=step, category=CATEGORY, overwrite=overwrite)
    if task.mask is None:
        found = {cube.ifu: cleaner.mask(cube.ifu) for cube in task.cubes}
        write_sky_mask(found, task.mask_product, exposure=task.exposure, step=step, overwrite=overwrite)
    figure = write_figure(sky_mask_figure(panels, title=task.exposure.label), task.figure, overwrite=overwrite)
    record = write_record(task.product, step, products=task.products, overwrite=overwrite)
    return Outcome(
        products=task.products, extras=(figure, record), measured={task.product.name: _measured(task, cleaner)}
    )


def _step(task: _Task, cleaner: SkyCleaner, options: dict[str, Any]) -> Step:
    """Describe what was done, with the numbers that go into the header."""
    inputs = (task.exposure.path, task.mask)
    return Step(
        name="sky-mask",
        inputs=tuple(path for path in inputs if path is not None),
        parameters={**options, **parameters_of(cleaner.parameters)},
        defaults={"mask": "", "ifu": 0, **defaults_of(cleaner.parameters)},
        measured=dict(_keywords(task, cleaner)),
    )


def _keywords(task: _Task, cleaner: SkyCleaner) -> Iterator[tuple[str, int | float]]:
    """Yield in how many spaxels of each IFU there are stars, of how many, and the brightest."""
    for cube in task.cubes:
        start = "SKY" if cube.ifu is None else f"SKY IFU{cube.ifu}"
        starlight = cleaner.starlight(cube.ifu)
        brightest = float(np.nanmax(starlight, initial=-math.inf))
        yield f"{start} MASKED", cleaner.n_masked(cube.ifu)
        yield f"{start} SPAXELS", int(np.count_nonzero(np.isfinite(starlight)))
        if math.isfinite(brightest):
            yield f"{start} STARLIGHT MAX", float(f"{brightest:.6g}")


def _cleaned(task: _Task, cleaner: SkyCleaner, tell: Tell) -> Exposure:
    """Exposure with cubes that are cleaned when they are written; IFUs that were not asked for are empty."""
    chosen = {cube.ifu for cube in task.cubes}

    def clean(cube: Cube) -> Cube:
        tell(f"{task.exposure.label}: filling {cube.label}")
        return cleaner.clean(cube)

    arms = tuple(
        dataclasses.replace(arm, cube=_when_written(arm.cube, clean) if arm.cube.ifu in chosen else None)
        if arm.cube is not None
        else arm
        for arm in task.exposure.arms
    )
    return dataclasses.replace(task.exposure, arms=arms)


def _when_written(cube: Cube, clean: Callable[[Cube], Cube]) -> Cube:
    """Return a cube whose arrays are computed, flux and noise together, when they are written."""
    done = delayed(lambda: clean(cube))()
    flux, noise = (da.from_delayed(part, shape=cube.shape, dtype=np.float32) for part in (done.flux, done.noise))
    return dataclasses.replace(cube, flux=flux, noise=noise, noise_estimated=cube.noise_estimated or cube.noise is None)


def _measured(task: _Task, cleaner: SkyCleaner) -> dict[str, Any]:
    """Return what --json tells of one sky."""
    ifus = {"cube" if done.ifu is None else str(done.ifu): dataclasses.asdict(done) for done in cleaner.report}
    return {"sky": task.exposure.label, "mask": task.mask or task.mask_product, "ifus": ifus}
