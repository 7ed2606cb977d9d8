"""Combine exposures into cubes: by target, by IFU, or all IFUs into a mosaic."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_kmos.calls import recorded
from napari_kmos.combine import CombineParameters, CombinePass, NoDataError, combine_cubes
from napari_kmos.errors import AlignmentError, KmosError, KmosWarning, WriteError
from napari_kmos.esorex import NATIVE, EsorexOptions, check_engine
from napari_kmos.io import (
    check_free,
    output_dir,
    read_cube,
    safe_name,
    times_of,
    with_exposure_times,
    write_cube,
    write_image,
    write_record,
)
from napari_kmos.progress import Progress, part_of, silent
from napari_kmos.provenance import Step, defaults_of, parameters_of
from napari_kmos.recipes.combine_tasks import (
    CombineChoice,
    CombineTask,
    make_tasks,
    warn_if_unclipped,
    zero_point_file,
    zero_point_parts,
)
from napari_kmos.recipes.esorex_combine import combine_by_esorex
from napari_kmos.recipes.outcome import Outcome, join_outcomes
from napari_kmos.recipes.zero_points import NONE, without_zero_points
from napari_kmos.spatial.wcs import offset_between
from napari_kmos.spectral import collapse_median

if TYPE_CHECKING:
    from napari_kmos.combine import CombineResult, Scatter
    from napari_kmos.cube import Cube, Image
    from napari_kmos.offset import Offset

#: Standard deviation of the median of many normal values over that of their mean.
_MEDIAN_NOISE = float(np.sqrt(np.pi / 2))


@recorded()
def combine(
    files: Sequence[Path | str],
    out_dir: Path | str,
    *,
    parameters: CombineParameters | None = None,
    offsets: Path | str | Sequence[Path | str] | Sequence[Offset] | None = None,
    unaccepted: str = "error",
    name: str | None = None,
    ifus: str | int | Sequence[int] | None = None,
    mosaic: bool = False,
    each: str = "target",
    drop: Sequence[Path | str] = (),
    cuts: Sequence[Path | str] = (),
    zero_points: Path | str = NONE,
    engine: str = NATIVE,
    esorex: EsorexOptions | None = None,
    overwrite: bool = False,
    progress: Progress = silent,
) -> Outcome:
    """Combine exposures and write the cubes, their white-light images and exposure maps.

    Parameters
    ----------
    files : sequence of path
        Exposures, combined cubes or mosaics. The first one with a target gives its product the grid.
    out_dir : path
        Folder of the products; made if missing.
    parameters : CombineParameters, optional
        The defaults if not given.
    offsets : path, sequence of path, or sequence of Offset, optional
        Offset tables, for method ``user``: rows are found by the last part of the file's name and the IFU, of a mosaic
        also by the name of a cut; rows without a file are for all of an epoch, half or IFU. What fits adds up, rows and
        tables, before the one resampling. Rows for other files do not matter.
    unaccepted : str
        What to do with an exposure whose row is missing or not accepted: ``"error"``, ``"header"`` (take its header
        as it is) or ``"skip"`` (leave it out).
    name : str, optional
        This target only; every target by default.
    ifus : str, int or sequence of int, optional
        ``"3;1;24"``, one IFU a file, or one number for all files.
    mosaic : bool
        All IFUs on one grid.
    each : str
        Otherwise, of what there is a product each: ``"target"``, ``"ifu"``, or ``"half"`` of an IFU.
    drop : sequence of path
        Of the files, those to be left out; the last part of a name is enough.
    cuts : sequence of path
        Tables of where the IFUs of mosaics are, as `cut` writes them; by default those beside the mosaics. A mosaic's
        IFUs and halves are taken apart where offsets or products are by IFU or half.
    zero_points : path or str
        What is taken out of the wavelengths of each exposure in the same resampling: ``"none"``; ``"header"``, what
        `sky_tweak` measured; ``"measure"``, on cubes that still have their sky; or a table of zero points.
    engine : str
        ``"native"``, or ``"esorex"`` for ESO's `kmos_combine`; see `combine_by_esorex` for what that can do and leaves.
    esorex : EsorexOptions, optional
        For engine ``esorex``: where it is, the parameters of the recipe, how many run at once, whether to run at all.
    overwrite : bool
        Replace products that exist.
    progress : Progress
        Told the parts; it may raise `Cancelled`, and then no half-written file is left.

    Returns
    -------
    Outcome
        Products: ``COMBINE_<name>.fits``, where name is the target, ``IFU<n>``, ``IFU<n>_half<h>`` or ``mosaic``.
        Extras, for each: ``COMBINE_<name>_IMAGE.fits``, ``EXP_MASK_<name>.fits``, the record and, where they are taken
        out, the table of zero points ``COMBINE_<name>_zero_points.ecsv``. Measured, by product: target, shape,
        exposures and the corrections used, how many overlap at most, how many values were rejected, and the scatter
        between exposures over the noise predicted for it, of all and by IFU.

    Raises
    ------
    KmosError
        If there is no such target or IFU, or nothing to combine.
    EngineError
        If there is no such engine, it cannot do what is asked for, or it fails.
    AlignmentError
        If offsets are missing, not accepted, or for other files.
    GeometryError
        If cubes of a target do not fit together.
    WriteError
        If a product exists, or two targets would have the same product.
    """
    chosen = parameters or CombineParameters()
    choice = CombineChoice(
        name=name, ifus=ifus, mosaic=mosaic, each=each, drop=drop, cuts=cuts,
        offsets=offsets, unaccepted=unaccepted, zero_points=zero_points,
    )  # fmt: skip
    if check_engine(engine, esorex):
        how: dict[str, Any] = {"options": esorex, "overwrite": overwrite, "progress": progress}
        return combine_by_esorex(files, out_dir, choice=choice, parameters=chosen, **how)
    tasks = make_tasks([Path(path) for path in files], choice, chosen)
    outputs = _outputs(tasks, output_dir(out_dir), str(zero_points) != NONE, overwrite)
    options = _Options(chosen, choice, overwrite)
    outcomes = []
    for number, (stem, task) in enumerate(outputs.items()):
        first, rest = zero_point_parts(part_of(progress, number, len(outputs)), zero_points)
        outcomes.append(_combine_one(task.with_zero_points(zero_points, first), stem, options, rest))
    made = [outcome for outcome in outcomes if outcome is not None]
    if not made:
        msg = "nothing was combined: no target has data; choose other files or IFUs"
        raise KmosError(msg)
    return join_outcomes(made)


@dataclass(frozen=True, slots=True, eq=False)
class _Options:
    """What all products share."""

    parameters: CombineParameters
    choice: CombineChoice
    overwrite: bool


def _outputs(tasks: Sequence[CombineTask], folder: Path, with_zeros: bool, overwrite: bool) -> dict[str, CombineTask]:
    """Return the stems of the products, checked to be free."""
    outputs: dict[str, CombineTask] = {}
    taken: dict[Path, str] = {}
    for task in tasks:
        stem = str(folder / f"COMBINE_{safe_name(task.name)}")
        tables = [zero_point_file(stem)] if with_zeros else []
        for path in (*_files(stem), *tables):
            if path in taken:
                names = f"{taken[path]!r} and {task.name!r}"
                msg = f"targets {names} would both be written as {path}; combine each (--name) into its own folder (-o)"
                raise WriteError(msg)
            taken[check_free(path, overwrite)] = task.name
        outputs[stem] = task
    if not outputs:
        msg = "nothing to combine: no exposure has an offset that may be used"
        raise AlignmentError(msg)
    return outputs


def _files(stem: str) -> tuple[Path, Path, Path, Path]:
    """Return cube, image, exposure map and record of a product."""
    cube = Path(f"{stem}.fits")
    mask = cube.with_name(f"EXP_MASK_{cube.name.removeprefix('COMBINE_')}")
    return cube, Path(f"{stem}_IMAGE.fits"), mask, Path(f"{stem}.json")


def _combine_one(task: CombineTask, stem: str, options: _Options, progress: Progress) -> Outcome | None:
    """Combine one product and write its files; None, with a warning, if its cubes have no data."""
    cube_file, image_file, mask_file, _ = _files(stem)
    header = with_exposure_times(without_zero_points(task.exposures[0].header), times_of(task.exposures))
    how: dict[str, Any] = {"primary": header, "overwrite": options.overwrite}
    try:
        result = combine_cubes(
            task.cubes, offsets=task.offsets, parts=task.parts, parameters=options.parameters, name=task.name
        )
        counted = CombinePass(result)
        write_cube(
            result.cube,
            cube_file,
            planes=counted,
            step=lambda: _step(task, options, result, counted),
            category="COMBINED_CUBE",
            progress=progress,
            **how,
        )
    except NoDataError as err:
        warnings.warn(f"{task.name}: {err}", KmosWarning, stacklevel=4)
        return None
    warn_if_unclipped(task.name, counted.n_overlapping, options.parameters)
    how["step"] = step = _step(task, options, result, counted)
    write_image(_image(read_cube(cube_file), counted), image_file, category="COMBINED_IMAGE", **how)
    write_image(counted.exposure_map, mask_file, category="EXP_MASK", others=_maps(counted), **how)
    record = write_record(cube_file, step, products=(cube_file, image_file, mask_file), overwrite=options.overwrite)
    return Outcome(
        products=(cube_file,),
        extras=(image_file, mask_file, record, *task.write_zero_points(stem, overwrite=options.overwrite)),
        measured={cube_file.name: _measured(task, counted)},
    )


def _image(written: Cube, counted: CombinePass) -> Image:
    """Median over the wavelengths of the cube just written, with noise; the header's facts are those of the cube.

    It is read once more: the mean would follow the brightest lines of the sky, and no median comes of blocks of planes.
    """
    noise = (_MEDIAN_NOISE * counted.mean_noise).astype(np.float32)
    return dataclasses.replace(counted.exposure_map, data=collapse_median(written).data, noise=noise, unit=written.unit)


def _maps(counted: CombinePass) -> dict[str, Image]:
    """Return what else is known of each spaxel, by the kind of extension."""
    time = counted.exposure_time
    return {"REJECTED": counted.rejected, **({} if time is None else {"EXPTIME": time})}


def _step(task: CombineTask, options: _Options, result: CombineResult, counted: CombinePass) -> Step:
    """Describe what was done; before the pass is over with numbers that do not mean anything yet."""
    paths = dict.fromkeys(exposure.path for exposure in task.exposures if exposure.path is not None)
    corrections = _corrections(task, result) if options.parameters.method in ("user", "center") else {}
    given = {**parameters_of(options.parameters), "name": task.name, **options.choice.given}
    found = {
        "COMBINE NEXP": len(task.cubes),
        "COMBINE NOVERLAP": counted.n_overlapping,
        "COMBINE NREJECTED": counted.n_rejected,
        **{f"COMBINE {name}": _number(ratio) for name, ratio in _ratios(counted.scatter).items()},
    }
    return Step(
        name="combine",
        inputs=(*paths, *options.choice.files),
        parameters=given,
        defaults={**defaults_of(options.parameters), **CombineChoice().given},
        measured={**found, **corrections, **task.zero_cards(result.cube.ifu)},
    )


def _ratios(scatter: Scatter) -> dict[str, float]:
    """Return the scatter between exposures over their noise by the names it has in the header."""
    of_ifus = {f"NOISERATIO IFU{ifu}": ratio for ifu, ratio in scatter.by_ifu.items()}
    return {"NOISERATIO": scatter.ratio, **(of_ifus if len(of_ifus) > 1 else {})}


def _number(value: float) -> float | str:
    """Return what a header can hold of a number that may be unknown."""
    return round(value, 4) if np.isfinite(value) else "unknown"


def _corrections(task: CombineTask, result: CombineResult) -> dict[str, float]:
    """Return as header numbers what was added to the header WCS of each exposure, in arcsec."""
    corrections = {}
    for number, (cube, wcs) in enumerate(zip(task.cubes, result.wcs, strict=True), start=1):
        dra, ddec = offset_between(cube.wcs, wcs)
        corrections[f"COMBINE DRA{number}"] = round(dra, 5) + 0.0
        corrections[f"COMBINE DDEC{number}"] = round(ddec, 5) + 0.0
    return corrections


def _measured(task: CombineTask, counted: CombinePass) -> dict[str, Any]:
    """Return what --json tells of one product."""
    return {
        "target": task.name,
        "shape": list(counted.cube.shape),
        "exposures": task.told(),
        "overlapping": counted.n_overlapping,
        "rejected": counted.n_rejected,
        "noise_ratio": counted.scatter.ratio,
        "noise_ratio_by_ifu": dict(counted.scatter.by_ifu),
    }
