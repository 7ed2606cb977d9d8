"""The work of each step of a plan, as jobs: which files, which settings, which call."""

from __future__ import annotations

import dataclasses
import warnings
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_kmos.errors import AlignmentError, KmosError, KmosWarning
from napari_kmos.extract import apertures_inside
from napari_kmos.io import (
    fits_stem,
    read_apertures,
    read_catalogue,
    read_cube,
    read_offsets,
    safe_name,
    write_offsets,
)
from napari_kmos.recipes.align import align
from napari_kmos.recipes.combine import combine
from napari_kmos.recipes.compare import compare
from napari_kmos.recipes.extract import extract
from napari_kmos.recipes.jobs import Job
from napari_kmos.recipes.outcome import Outcome
from napari_kmos.recipes.planned_engines import engine_of
from napari_kmos.recipes.sky_tweak import sky_tweak
from napari_kmos.recipes.steps import STEPS, build_parameters

if TYPE_CHECKING:
    from napari_kmos.esorex import EsorexOptions
    from napari_kmos.offset import Offset
    from napari_kmos.progress import Progress
    from napari_kmos.recipes.plan import Plan, PlannedExposure


def settings_of(plan: Plan, step: str) -> tuple[dict[str, Any], Any]:
    """Return every setting of a step with its value, and the step's parameter object."""
    chosen = plan.settings.get(step, {})
    values = {name: chosen.get(name, setting.default) for name, setting in STEPS[step].items()}
    return values, build_parameters(step, chosen)


def check_apertures_of(plan: Plan) -> bool:
    """Tell whether a plan names apertures; a table that cannot be used is refused before any work is done."""
    apertures = settings_of(plan, "extract")[0]["apertures"]
    if apertures is not None and apertures.suffix == ".ecsv":
        read_apertures(apertures)
    return apertures is not None


def objects_by_band(plan: Plan) -> dict[str, list[PlannedExposure]]:
    """Return the objects of each band, in the order of the plan."""
    bands = defaultdict(list)
    for exposure in plan.of_role("object"):
        bands[exposure.band].append(exposure)
    return dict(bands)


def sky_tweak_jobs(plan: Plan, objects: Sequence[PlannedExposure], folder: Path, *, esorex: EsorexOptions) -> list[Job]:
    """Return a job an object; objects of one name go into folders of their own."""
    stems = [fits_stem(exposure.file) for exposure in objects]
    alike = Counter(stems)
    return [
        _sky_tweak_job(plan, exposure, folder / str(number) if alike[stem] > 1 else folder, esorex)
        for number, (exposure, stem) in enumerate(zip(objects, stems, strict=True), start=1)
    ]


def _sky_tweak_job(plan: Plan, exposure: PlannedExposure, folder: Path, esorex: EsorexOptions) -> Job:
    values, parameters = settings_of(plan, "sky-tweak")
    skies = _skies_for(plan, exposure, values["pick"])

    def call(overwrite: bool, progress: Progress) -> Outcome:
        how = {name: values[name] for name in ("method", "pick", "sky_stars")} | {"parameters": parameters}
        engine = engine_of(values, esorex)
        return sky_tweak([exposure.file], skies, folder, **how, **engine, overwrite=overwrite, progress=progress)

    inputs = (exposure.file, *skies)
    return Job(step="sky-tweak", name=exposure.file.stem, folder=folder, inputs=inputs, parameters=values, call=call)


def _skies_for(plan: Plan, exposure: PlannedExposure, pick: str) -> tuple[Path, ...]:
    """Return the skies an object may take: its own; where that is one, and one of several is to be picked, the epoch's.

    Without skies of its own those are all of the plan.
    """
    if len(exposure.skies) > 1 or (exposure.skies and pick == "nearest"):
        return exposure.skies
    among = [sky for sky in plan.of_role("sky") if not exposure.skies or sky.epoch == exposure.epoch]
    return tuple(dict.fromkeys((*exposure.skies, *(sky.file for sky in among))))


def align_job(plan: Plan, objects: Sequence[PlannedExposure], files: Sequence[Path], folder: Path) -> Job:
    """Return the job that measures the offsets of the exposures of a band."""
    values, parameters = settings_of(plan, "align")
    groups = [(exposure.epoch, exposure.half) for exposure in objects]
    right = [values[name] for name in ("reference", "catalogue") if values[name] is not None]
    if len(right) > 1:
        msg = "[align] has a reference and a catalogue; only one can be right: give one of them"
        raise KmosError(msg)

    def call(overwrite: bool, progress: Progress) -> Outcome:
        return align(
            files,
            folder / "offsets.ecsv",
            method=values["method"],
            reference=read_catalogue(values["catalogue"]) if values["catalogue"] else values["reference"] or 0,
            parameters=parameters,
            groups=groups,
            overwrite=overwrite,
            progress=progress,
        )

    given = {**values, "groups": groups}
    inputs = (*files, *right)
    return Job(step="align", name="offsets", folder=folder, inputs=inputs, parameters=given, call=call)


def selection_job(
    plan: Plan, objects: Sequence[PlannedExposure], files: Sequence[Path], *, offsets: Path, folder: Path
) -> Job | None:
    """Return the job that marks the IFUs which the plan leaves out as not to be used; None if it leaves out none.

    Its table says for every row whether it is used and with which correction, so that `combine` can skip the rest.
    """
    targets = {file.name: exposure.targets for exposure, file in zip(objects, files, strict=True) if exposure.targets}
    left_out = {
        (row.file, row.ifu)
        for row in read_offsets(offsets)
        if row.ifu is not None and row.ifu not in targets.get(Path(row.file).name, {row.ifu: ""})
    }
    if not left_out:
        return None
    unaccepted = settings_of(plan, "combine")[0]["unaccepted"]

    def call(overwrite: bool, progress: Progress) -> Outcome:
        rows = [_selected(row, (row.file, row.ifu) in left_out, unaccepted) for row in read_offsets(offsets)]
        return Outcome(products=(write_offsets(rows, folder / "offsets_used.ecsv", overwrite=overwrite),))

    given = {"left_out": sorted([Path(file).name, ifu] for file, ifu in left_out), "unaccepted": unaccepted}
    return Job(step="combine", name="offsets_used", folder=folder, inputs=(offsets,), parameters=given, call=call)


def _selected(row: Offset, is_left_out: bool, unaccepted: str) -> Offset:
    """Return a row of the table that says what is used."""
    if is_left_out:
        return dataclasses.replace(row, accepted=False, note="left out by the plan")
    if row.accepted or unaccepted == "skip":
        return row
    if unaccepted == "error":
        msg = (
            f"{row.file} IFU {row.ifu}: its offset is not accepted ({row.note}); accept it in the table of offsets, "
            "take the IFU out of the plan, or set unaccepted in [combine]"
        )
        raise AlignmentError(msg)
    note = f"header; measured, not accepted: {row.dra_arcsec:+.3f} {row.ddec_arcsec:+.3f}"
    straight = dataclasses.replace(row, rotation_deg=0.0, rotation_err_deg=None)
    return dataclasses.replace(straight, dra_arcsec=0.0, ddec_arcsec=0.0, accepted=True, method="header", note=note)


def combine_jobs(
    plan: Plan,
    objects: Sequence[PlannedExposure],
    files: Sequence[Path],
    *,
    offsets: Path | None,
    unaccepted: str | None = None,
    esorex: EsorexOptions,
    folder: Path,
) -> list[Job]:
    """Return a job for each group of exposures that are merged; ``unaccepted`` goes before the plan's."""
    values = settings_of(plan, "combine")[0]
    by, dropped = values["by"], dropped_files(plan)
    groups = defaultdict(list)
    for exposure, file in zip(objects, files, strict=True):
        if exposure.file in dropped:
            continue
        name = {"all": "", "epoch": exposure.epoch, "half": f"{exposure.epoch}_half{exposure.half or 0}"}[by]
        groups[name].append((exposure, file))
    return [
        _combine_job(plan, name, members, (offsets, unaccepted, esorex), folder / safe_name(name) if name else folder)
        for name, members in groups.items()
    ]


def dropped_files(plan: Plan) -> set[Path]:
    """Return the objects that are left out of the combination, named by the last part of their file, or its end.

    Raises
    ------
    KmosError
        If one of the names is that of no object.
    """
    drop = settings_of(plan, "combine")[0]["drop"]
    files = [exposure.file for exposure in plan.of_role("object")]
    found = {
        name: {file for file in files if Path(name).parts == file.parts[-len(Path(name).parts) :]} for name in drop
    }
    unknown = [name for name, named in found.items() if not named]
    if unknown:
        msg = f"[combine]: drop names {unknown[0]}, which is no object of the plan; expected one of its files"
        raise KmosError(msg)
    return set().union(*found.values())


def _combine_job(
    plan: Plan,
    name: str,
    members: Sequence[tuple[PlannedExposure, Path]],
    how: tuple[Path | None, str | None, EsorexOptions],
    folder: Path,
) -> Job:
    values, parameters = settings_of(plan, "combine")
    offsets, unaccepted, esorex = how
    values["unaccepted"] = unaccepted or values["unaccepted"]
    del values["drop"]  # the inputs tell: products that a dropped file was not part of stay as they are
    files = tuple(file for _, file in members)

    def call(overwrite: bool, progress: Progress) -> Outcome:
        return combine(
            files,
            folder,
            offsets=offsets,
            unaccepted=values["unaccepted"],
            mosaic=values["mosaic"],
            each=values["each"],
            zero_points=values["zero_points"],
            parameters=parameters,
            **engine_of(values, esorex),
            overwrite=overwrite,
            progress=progress,
        )

    inputs = files if offsets is None else (*files, offsets)
    return Job(step="combine", name=name or "all", folder=folder, inputs=inputs, parameters=values, call=call)


def extract_jobs(plan: Plan, cubes: Sequence[Path], *, combined: Path, folder: Path) -> list[Job]:
    """Return a job for each group of combined cubes that holds a star; groups are the folders below ``combined``."""
    groups = defaultdict(list)
    for cube in cubes:
        groups[cube.parent.relative_to(combined.absolute()).as_posix()].append(cube)
    filled = [name for name, members in groups.items() if _holds_a_star(plan, members)]
    for name in set(groups) - set(filled) if filled else ():
        text = f"{combined / name}: none of the apertures lies in these cubes; no spectra were extracted"
        warnings.warn(text, KmosWarning, stacklevel=3)
    return [_extract_job(plan, name.strip(".") or "spectra", groups[name], folder / name) for name in filled or groups]


def _holds_a_star(plan: Plan, cubes: Sequence[Path]) -> bool:
    """Tell whether a group of cubes should be extracted; what is wrong with the apertures is for `extract` to say."""
    apertures = settings_of(plan, "extract")[0]["apertures"]
    if apertures.suffix != ".ecsv":
        return True
    stars = [aperture for aperture in read_apertures(apertures) if aperture.kind == "star"]
    return not stars or any(apertures_inside(read_cube(cube), stars) for cube in cubes)


def _extract_job(plan: Plan, name: str, cubes: Sequence[Path], folder: Path) -> Job:
    values, parameters = settings_of(plan, "extract")
    apertures = values["apertures"]

    def call(overwrite: bool, progress: Progress) -> Outcome:
        how = {"method": values["method"], "parameters": parameters}
        return extract(cubes, apertures, folder, **how, overwrite=overwrite, progress=progress)

    given = {**values, "apertures": apertures.name}
    inputs = (*cubes, apertures)
    return Job(step="extract", name=name, folder=folder, inputs=inputs, parameters=given, call=call)


def compare_job(plan: Plan, spectra: Sequence[Path], folder: Path) -> Job:
    """Return the job that puts all spectra together."""
    values, _ = settings_of(plan, "compare")
    lines = values["lines"]

    def call(overwrite: bool, progress: Progress) -> Outcome:
        how = {"windows": values["windows"], "lines": lines}
        return compare(spectra, folder, **how, overwrite=overwrite, progress=progress)

    given = {**values, "lines": lines.name if lines else None}
    inputs = tuple(spectra) if lines is None else (*spectra, lines)
    return Job(step="compare", name="compare", folder=folder, inputs=inputs, parameters=given, call=call)
