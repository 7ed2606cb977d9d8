"""Combine exposures into cubes: by target, by IFU, or all IFUs into a mosaic."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_kmos.combine import CombineParameters, CombinePass, NoDataError, combine_cubes
from napari_kmos.errors import AlignmentError, KmosError, KmosWarning, WriteError
from napari_kmos.io import (
    check_free,
    output_dir,
    read_cube,
    read_exposure,
    read_offsets,
    safe_name,
    write_cube,
    write_image,
    write_record,
)
from napari_kmos.progress import Progress, part_of, silent
from napari_kmos.provenance import Step, defaults_of, parameters_of
from napari_kmos.recipes.offset_rows import UNACCEPTED, usable_offset
from napari_kmos.recipes.outcome import Outcome, join_outcomes
from napari_kmos.recipes.selecting import Selection, select
from napari_kmos.spatial.wcs import offset_between
from napari_kmos.spectral import collapse_median

if TYPE_CHECKING:
    from napari_kmos.combine import CombineResult, Scatter
    from napari_kmos.cube import Cube, Image
    from napari_kmos.exposure import Exposure
    from napari_kmos.offset import Offset

#: Standard deviation of the median of many normal values over that of their mean.
_MEDIAN_NOISE = float(np.sqrt(np.pi / 2))


def combine(
    files: Sequence[Path | str],
    out_dir: Path | str,
    *,
    parameters: CombineParameters | None = None,
    offsets: Path | str | Sequence[Offset] | None = None,
    unaccepted: str = "error",
    name: str | None = None,
    ifus: str | int | Sequence[int] | None = None,
    mosaic: bool = False,
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
    offsets : path or sequence of Offset, optional
        Offset table, for method ``user``: rows are found by the last part of the file's name and the IFU. Rows for
        other files do not matter.
    unaccepted : str
        What to do with an exposure whose row is missing or not accepted: ``"error"``, ``"header"`` (take its header
        as it is) or ``"skip"`` (leave it out).
    name : str, optional
        This target only; every target by default.
    ifus : str, int or sequence of int, optional
        ``"3;1;24"``, one IFU a file, or one number for all files.
    mosaic : bool
        All IFUs on one grid.
    overwrite : bool
        Replace products that exist.
    progress : Progress
        Told the parts; it may raise `Cancelled`, and then no half-written file is left.

    Returns
    -------
    Outcome
        Products: ``COMBINE_<name>.fits``, where name is the target, ``IFU<n>`` or ``mosaic``. Extras, for each:
        ``COMBINE_<name>_IMAGE.fits``, ``EXP_MASK_<name>.fits`` and the record. Measured, by product: target, shape,
        exposures and the corrections used.

    Raises
    ------
    KmosError
        If there is no such target or IFU, or nothing to combine.
    AlignmentError
        If offsets are missing, not accepted, or for other files.
    GeometryError
        If cubes of a target do not fit together.
    WriteError
        If a product exists, or two targets would have the same product.
    """
    if unaccepted not in UNACCEPTED:
        msg = f"unaccepted is {unaccepted!r}, expected one of {', '.join(UNACCEPTED)}"
        raise KmosError(msg)
    chosen = parameters or CombineParameters()
    paths = [Path(path) for path in files]
    exposures = [read_exposure(path) for path in paths]
    selections = select(exposures, name=name, ifus=ifus, mosaic=mosaic)
    rows = read_offsets(offsets) if isinstance(offsets, Path | str) else offsets
    tasks = [_task(selection, chosen, rows, unaccepted) for selection in selections]
    outputs = _outputs([task for task in tasks if task is not None], output_dir(out_dir), overwrite)
    options = _Options(chosen, offsets, unaccepted, ifus, overwrite)
    outcomes = [
        _combine_one(task, stem, options, part_of(progress, number, len(outputs)))
        for number, (stem, task) in enumerate(outputs.items())
    ]
    made = [outcome for outcome in outcomes if outcome is not None]
    if not made:
        msg = "nothing was combined: no target has data; choose other files or IFUs"
        raise KmosError(msg)
    return join_outcomes(made)


@dataclass(frozen=True, slots=True, eq=False)
class _Task:
    """What one product is made of."""

    name: str
    exposures: tuple[Exposure, ...]
    cubes: tuple[Cube, ...]
    offsets: tuple[Offset, ...] | None


@dataclass(frozen=True, slots=True, eq=False)
class _Options:
    """What all products share."""

    parameters: CombineParameters
    offsets: Path | str | Sequence[Offset] | None
    unaccepted: str
    ifus: str | int | Sequence[int] | None
    overwrite: bool


def _task(
    selection: Selection, parameters: CombineParameters, rows: Sequence[Offset] | None, unaccepted: str
) -> _Task | None:
    """Find the offsets of a product's cubes; None if all of them are skipped."""
    if rows is None or parameters.method != "user":
        if rows is not None or parameters.method == "user":
            state = "needs an offset table (--offsets)" if rows is None else "takes no offset table"
            msg = f"method {parameters.method} {state}; offsets are for method user, and it for them"
            raise AlignmentError(msg)
        exposures, cubes = zip(*selection.members, strict=True)
        return _Task(selection.name, exposures, cubes, None)
    kept = []
    for exposure, cube in selection.members:
        offset = usable_offset(rows, exposure, cube, unaccepted=unaccepted)
        if offset is not None:
            kept.append((exposure, cube, offset))
    if not kept:
        text = f"{selection.name}: no exposure has an accepted offset; nothing was combined"
        warnings.warn(text, KmosWarning, stacklevel=3)
        return None
    exposures, cubes, offsets = zip(*kept, strict=True)
    return _Task(selection.name, exposures, cubes, offsets)


def _outputs(tasks: Sequence[_Task], folder: Path, overwrite: bool) -> dict[str, _Task]:
    """Return the stems of the products, checked to be free."""
    outputs: dict[str, _Task] = {}
    taken: dict[Path, str] = {}
    for task in tasks:
        stem = str(folder / f"COMBINE_{safe_name(task.name)}")
        for path in _files(stem):
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


def _combine_one(task: _Task, stem: str, options: _Options, progress: Progress) -> Outcome | None:
    """Combine one product and write its files; None, with a warning, if its cubes have no data."""
    cube_file, image_file, mask_file, _ = _files(stem)
    how: dict[str, Any] = {"primary": task.exposures[0].header, "overwrite": options.overwrite}
    try:
        result = combine_cubes(task.cubes, offsets=task.offsets, parameters=options.parameters, name=task.name)
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
    how["step"] = step = _step(task, options, result, counted)
    write_image(_image(read_cube(cube_file), counted), image_file, category="COMBINED_IMAGE", **how)
    write_image(counted.exposure_map, mask_file, category="EXP_MASK", others=_maps(counted), **how)
    record = write_record(cube_file, step, products=(cube_file, image_file, mask_file), overwrite=options.overwrite)
    return Outcome(
        products=(cube_file,),
        extras=(image_file, mask_file, record),
        measured={cube_file.name: _measured(task, counted)},
    )


def _image(written: Cube, counted: CombinePass) -> Image:
    """Median over the wavelengths of the cube just written, with noise; the header's facts are those of the cube."""
    noise = (_MEDIAN_NOISE * counted.mean_noise).astype(np.float32)
    return dataclasses.replace(counted.exposure_map, data=collapse_median(written).data, noise=noise, unit=written.unit)


def _maps(counted: CombinePass) -> dict[str, Image]:
    """Return what else is known of each spaxel, by the kind of extension."""
    time = counted.exposure_time
    return {"REJECTED": counted.rejected, **({} if time is None else {"EXPTIME": time})}


def _step(task: _Task, options: _Options, result: CombineResult, counted: CombinePass) -> Step:
    """Describe what was done; before the pass is over with numbers that do not mean anything yet."""
    table = [Path(options.offsets)] if isinstance(options.offsets, Path | str) else []
    paths = dict.fromkeys(exposure.path for exposure in task.exposures if exposure.path is not None)
    corrections = _corrections(task, result) if options.parameters.method in ("user", "center") else {}
    given = {**parameters_of(options.parameters), "name": task.name, "unaccepted": options.unaccepted}
    found = {
        "COMBINE NEXP": len(task.cubes),
        "COMBINE NOVERLAP": counted.n_overlapping,
        "COMBINE NREJECTED": counted.n_rejected,
        **{f"COMBINE {name}": _number(ratio) for name, ratio in _ratios(counted.scatter).items()},
    }
    return Step(
        name="combine",
        inputs=(*paths, *table),
        parameters={**given, "ifus": "" if options.ifus is None else str(options.ifus)},
        defaults={**defaults_of(options.parameters), "unaccepted": "error", "ifus": ""},
        measured={**found, **corrections},
    )


def _ratios(scatter: Scatter) -> dict[str, float]:
    """Return the scatter between exposures over their noise by the names it has in the header."""
    of_ifus = {f"NOISERATIO IFU{ifu}": ratio for ifu, ratio in scatter.by_ifu.items()}
    return {"NOISERATIO": scatter.ratio, **(of_ifus if len(of_ifus) > 1 else {})}


def _number(value: float) -> float | str:
    """Return what a header can hold of a number that may be unknown."""
    return round(value, 4) if np.isfinite(value) else "unknown"


def _corrections(task: _Task, result: CombineResult) -> dict[str, float]:
    """Return as header numbers what was added to the header WCS of each exposure, in arcsec."""
    corrections = {}
    for number, (cube, wcs) in enumerate(zip(task.cubes, result.wcs, strict=True), start=1):
        dra, ddec = offset_between(cube.wcs, wcs)
        corrections[f"COMBINE DRA{number}"] = round(dra, 5) + 0.0
        corrections[f"COMBINE DDEC{number}"] = round(ddec, 5) + 0.0
    return corrections


def _measured(task: _Task, counted: CombinePass) -> dict[str, Any]:
    """Return what --json tells of one product."""
    corrections = [None] * len(task.cubes) if task.offsets is None else [_numbers(row) for row in task.offsets]
    members = [
        {"file": exposure.label, "ifu": cube.ifu, "correction_arcsec": correction}
        for exposure, cube, correction in zip(task.exposures, task.cubes, corrections, strict=True)
    ]
    return {
        "target": task.name,
        "shape": list(counted.cube.shape),
        "exposures": members,
        "overlapping": counted.n_overlapping,
        "rejected": counted.n_rejected,
        "noise_ratio": counted.scatter.ratio,
        "noise_ratio_by_ifu": dict(counted.scatter.by_ifu),
    }


def _numbers(row: Offset) -> list[float]:
    return [row.dra_arcsec, row.ddec_arcsec]
