"""Combine exposures by ESO's `kmos_combine`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from napari_kmos.combine import CombineParameters
from napari_kmos.errors import EngineError, KmosError
from napari_kmos.esorex import EsorexOptions, FinishedRun, RecipeRun
from napari_kmos.instrument import KEY_TEMPLATE
from napari_kmos.io import combine_tag, read_exposure, safe_name, shifts_text
from napari_kmos.progress import Progress, silent
from napari_kmos.recipes.combine_tasks import CombineChoice, make_tasks
from napari_kmos.recipes.esorex_runs import EsorexTask, EsorexWork, do_tasks, refuse_native, shared_parameters
from napari_kmos.recipes.shift_files import Frame, displacements
from napari_kmos.recipes.zero_points import NONE

if TYPE_CHECKING:
    from napari_kmos.exposure import Exposure
    from napari_kmos.recipes.combine_tasks import CombineTask
    from napari_kmos.recipes.outcome import Outcome

RECIPE = "kmos_combine"
#: Parameters of the recipe that are parameters of ours, of the same name and meaning. Not ``flux``: the recipe scales
#: after every shift, we only where the size of spaxels changes.
SHARED = ("method", "cmethod", "cpos_rej", "cneg_rej", "citer", "cmax", "cmin")
#: Parameters of the recipe that have an option of their own.
OWN_OPTIONS = {"method": "--method", "name": "--name", "ifus": "--ifus", "filename": "--offsets"}
_SHIFTS = "shifts.txt"
_MAPPING = "mapping"


def combine_by_esorex(
    files: Sequence[Path | str],
    out_dir: Path | str,
    *,
    choice: CombineChoice,
    parameters: CombineParameters | None = None,
    options: EsorexOptions | None = None,
    overwrite: bool = False,
    progress: Progress = silent,
) -> Outcome:
    """Combine exposures by `kmos_combine`: one run a product, the method always given.

    Parameters
    ----------
    files, out_dir, overwrite, progress
        As in `combine`; no mosaics.
    choice : CombineChoice
        What is combined. Offsets become a shift file in the order of the set of frames.
    parameters : CombineParameters, optional
        Only those in `SHARED` may differ from their defaults.
    options : EsorexOptions, optional
        How esorex is called, and further parameters of the recipe.

    Returns
    -------
    Outcome
        Products: ``COMBINE_<name>.fits``, the pixels as the recipe made them. Extras: what else it made, as
        ``EXP_MASK_<name>.fits``, ``COMBINE_<name>_IMAGE.fits`` or ``COMBINE_<name>_<its own name>``, the record and the
        log, ``COMBINE_<name>_esorex.log``. Measured, for each: the command and the corrections used. Of a dry run the
        products are the sets of frames and ``command.txt``.

    Raises
    ------
    EngineError
        If esorex or the recipe is missing, lacks a parameter, fails, or makes no product; the log is kept. If something
        is asked for that the recipe cannot do.
    KmosError, AlignmentError, WriteError
        As `combine`.
    """
    chosen, how, folder = options or EsorexOptions(), parameters or CombineParameters(), Path(out_dir)
    work = EsorexWork(options=chosen, own=OWN_OPTIONS, sort=sort_products, overwrite=overwrite)
    work.check()
    check_choice(choice, how)
    tasks = make_tasks([Path(path) for path in files], choice, how)
    return do_tasks([_esorex_task(task, choice, how, chosen, folder) for task in tasks], work, folder, progress)


def check_choice(choice: CombineChoice, parameters: CombineParameters) -> None:
    """Refuse what the recipe cannot do.

    Raises
    ------
    EngineError
        Naming the first.
    """
    refuse_native(parameters, SHARED, RECIPE)
    if str(choice.zero_points) != NONE:
        msg = (
            "zero points are taken out by the native engine, not by kmos_combine; leave them out, or leave esorex out "
        )
        raise EngineError(msg + "(--engine)")
    if choice.mosaic and parameters.method == "user":
        msg = "kmos_combine takes one shift a frame, not one an IFU: for a mosaic write the offsets into headers "
        raise EngineError(msg + "(napari-kmos offsets --crval) and combine these by --method header")


def _esorex_task(
    task: CombineTask, choice: CombineChoice, parameters: CombineParameters, options: EsorexOptions, folder: Path
) -> EsorexTask:
    """Return the run for one product."""
    exposures = list({id(exposure): exposure for exposure in task.exposures}.values())
    _check_exposures(exposures, choice)
    paths = tuple(exposure.path for exposure in exposures if exposure.path is not None)
    given = shared_parameters(parameters, SHARED, options)
    files = {}
    if task.offsets is not None:
        files[_SHIFTS] = shifts_text(_moves(task)[1:])
        given["filename"] = _SHIFTS
    stem = f"COMBINE_{safe_name(task.name)}"
    run = RecipeRun(
        name=stem,
        recipe=RECIPE,
        frames=tuple((path, combine_tag(one.category)) for path, one in zip(paths, exposures, strict=True)),
        parameters={**_area(task, choice), **given, **options.recipe_options},
        files=files,
    )
    return EsorexTask(
        step="combine",
        run=run,
        product=folder / f"{stem}.fits",
        inputs=(*paths, *choice.files),
        choices={"target": task.name, **choice.given},
        defaults=CombineChoice().given,
        measured={"COMBINE NEXP": len(exposures)},
        others=(folder / f"EXP_MASK_{safe_name(task.name)}.fits", folder / f"{stem}_IMAGE.fits"),
    )


def _check_exposures(exposures: Sequence[Exposure], choice: CombineChoice) -> None:
    """Refuse files that the recipe does not combine, or not into a mosaic."""
    for exposure in exposures:
        if exposure.kind == "mosaic":
            msg = f"{exposure.label}: is a mosaic; kmos_combine combines exposures, the native engine both"
            raise EngineError(msg)
        template = str(exposure.header.get(KEY_TEMPLATE, ""))
        if choice.mosaic and _MAPPING not in template:
            msg = f"{exposure.label}: template is {template or 'not told'!r}; kmos_combine makes mosaics of mapping "
            raise EngineError(msg + "templates only, the native engine of any")


def _area(task: CombineTask, choice: CombineChoice) -> dict[str, str]:
    """Return what tells the recipe which IFUs to combine: all of a map, a target, or one IFU a frame."""
    if choice.mosaic:
        return {}
    members = task.members
    one_each = len({id(member.exposure) for member in members}) == len(members)
    by_number = choice.ifus is not None or choice.each != "target" or not members[0].cube.name
    if not by_number:
        return {"name": task.name}
    if not one_each:
        msg = f"{task.name}: several IFUs of one exposure; kmos_combine takes one a frame, or all of a target (--name)"
        raise EngineError(msg)
    return {"ifus": ";".join(str(member.cube.ifu) for member in members)}


def _moves(task: CombineTask) -> list[tuple[float, float]]:
    """Return the displacement of each frame in pixels."""
    members = task.members
    if len({id(member.exposure) for member in members}) < len(members):
        msg = f"{task.name}: seen by several IFUs of one exposure, which no shift file can tell apart; combine each "
        raise EngineError(msg + "IFU (--each ifu), or leave esorex out (--engine)")
    frames = [Frame(one.exposure, one.cube, offset) for one, offset in zip(members, task.offsets or (), strict=True)]
    return displacements(task.name, frames)


def sort_products(finished: FinishedRun, task: EsorexTask) -> dict[Path, Path]:
    """Return where the products go; those for the archive, which hold the same cube, keep their names."""
    mask, image = task.others
    roles: dict[str, Path] = {}
    for path in finished.products:
        roles.setdefault(_role(path), path)
    places = (("cube", task.product), ("mask", mask), ("image", image))
    known = {roles[role]: place for role, place in places if role in roles}
    rest = (path for path in finished.products if path not in known)
    return {**known, **{path: task.product.with_name(f"{task.product.stem}_{safe_name(path.name)}") for path in rest}}


def _role(path: Path) -> str:
    """Tell what a product is: by its name, which older versions write small, and by what is in it."""
    name = path.stem.upper()
    if name.startswith("EXP_MASK"):
        return "mask"
    if name.startswith("IDP"):
        return "archive"
    try:
        read_exposure(path)
    except KmosError:
        return "image"
    return "cube"
