"""Subtract the sky by ESO's `kmos_sky_tweak`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from napari_kmos.errors import EngineError, KmosError
from napari_kmos.esorex import EsorexOptions, FinishedRun, RecipeRun
from napari_kmos.io import read_exposure
from napari_kmos.progress import Progress, silent
from napari_kmos.recipes.esorex_runs import EsorexTask, EsorexWork, do_tasks, refuse_native, shared_parameters
from napari_kmos.recipes.sky_tasks import SkyUse, plan_tasks
from napari_kmos.sky import SkyParameters

if TYPE_CHECKING:
    from napari_kmos.recipes.outcome import Outcome
    from napari_kmos.recipes.sky_tasks import SkyTask

RECIPE = "kmos_sky_tweak"
OBJECT_TAG, SKY_TAG = "CUBE_OBJECT", "CUBE_SKY"
#: Parameters of the recipe that are parameters of ours, of the same name and meaning. Only what is changed is
#: passed: older versions have few of them.
SHARED = ("tbsub", "discard_subband", "stretch", "stretch_degree", "stretch_resampling")
#: Parameters of the recipe that have an option of their own.
OWN_OPTIONS = {"ifu": "--ifu"}
_PRODUCT = "SKY_TWEAK"


def sky_tweak_by_esorex(
    objects: Sequence[Path | str],
    skies: Sequence[Path | str],
    out_dir: Path | str,
    *,
    ifu: int | None = None,
    parameters: SkyParameters | None = None,
    options: EsorexOptions | None = None,
    overwrite: bool = False,
    progress: Progress = silent,
) -> Outcome:
    """Subtract the sky by `kmos_sky_tweak`: one run an object, each with the sky nearest in time.

    Parameters
    ----------
    objects, skies, out_dir, ifu, overwrite, progress
        As in `sky_tweak`; the skies are taken as they are, stars and all.
    parameters : SkyParameters, optional
        Only those in `SHARED` may differ from their defaults, which are those of the recipe.
    options : EsorexOptions, optional
        How esorex is called, and the parameters of the recipe.

    Returns
    -------
    Outcome
        Products: ``<input stem>_SKY_TWEAK.fits``, the pixels as the recipe made them. Extras: for each its record and
        its log, ``<input stem>_SKY_TWEAK_esorex.log``. Measured, for each: the command, the sky and why it was taken.
        Of a dry run the products are the sets of frames and ``command.txt``.

    Raises
    ------
    EngineError
        If esorex or the recipe is missing, lacks a parameter, fails, or makes no product; the log is kept.
    SkyError, WriteError
        As `sky_tweak`.
    """
    chosen, folder = options or EsorexOptions(), Path(out_dir)
    work = EsorexWork(options=chosen, own=OWN_OPTIONS, sort=_sorted, overwrite=overwrite)
    work.check()
    how = parameters or SkyParameters()
    refuse_native(how, SHARED, RECIPE)
    use = SkyUse(skies=skies, pick="nearest", stars="keep", masks=())
    tasks = plan_tasks(objects, use, folder, ifu=ifu, parameters=how, with_figures=False)
    defaults, shared = (shared_parameters(one, SHARED, chosen) for one in (SkyParameters(), how))
    changed = {name: value for name, value in shared.items() if value != defaults[name]}
    given = {**({"ifu": str(ifu)} if ifu else {}), **changed}
    runs = [_esorex_task(task, {**given, **chosen.recipe_options}) for task in tasks]
    return do_tasks(runs, work, folder, progress)


def _esorex_task(task: SkyTask, parameters: Mapping[str, str]) -> EsorexTask:
    """Return the run for one object."""
    object_file, sky_file = task.inputs
    frames = ((object_file, OBJECT_TAG), (sky_file, SKY_TAG))
    return EsorexTask(
        step="sky-tweak",
        run=RecipeRun(name=task.product.stem, recipe=RECIPE, frames=frames, parameters=parameters),
        product=task.product,
        inputs=task.inputs,
        choices={"sky": task.choice.label},
        measured={"SKY REASON": task.choice.reason},
    )


def _sorted(finished: FinishedRun, task: EsorexTask) -> dict[Path, Path]:
    """Return where the product goes: the one of its name or, where a version calls it otherwise, the only one."""
    products = finished.products
    named = [path for path in products if path.stem.upper() == _PRODUCT] or list(products)
    if len(named) != 1:
        return {}
    try:
        read_exposure(named[0])
    except KmosError as err:
        msg = f"{task.run.name}: what {RECIPE} made cannot be used: {err}"
        raise EngineError(msg) from err
    return {named[0]: task.product}
