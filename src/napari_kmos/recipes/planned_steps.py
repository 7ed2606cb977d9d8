"""The work of each step of a plan, as jobs: which files, which settings, which call."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_kmos.io import safe_name
from napari_kmos.recipes.align import align
from napari_kmos.recipes.combine import combine
from napari_kmos.recipes.compare import compare
from napari_kmos.recipes.extract import extract
from napari_kmos.recipes.jobs import Job
from napari_kmos.recipes.sky_tweak import sky_tweak
from napari_kmos.recipes.steps import STEPS, build_parameters

if TYPE_CHECKING:
    from napari_kmos.progress import Progress
    from napari_kmos.recipes.outcome import Outcome
    from napari_kmos.recipes.plan import Plan, PlannedExposure


def settings_of(plan: Plan, step: str) -> tuple[dict[str, Any], Any]:
    """Return every setting of a step with its value, and the step's parameter object."""
    chosen = plan.settings.get(step, {})
    values = {name: chosen.get(name, setting.default) for name, setting in STEPS[step].items()}
    return values, build_parameters(step, chosen)


def objects_by_band(plan: Plan) -> dict[str, list[PlannedExposure]]:
    """Return the objects of each band, in the order of the plan."""
    bands = defaultdict(list)
    for exposure in plan.of_role("object"):
        bands[exposure.band].append(exposure)
    return dict(bands)


def sky_tweak_jobs(plan: Plan, objects: Sequence[PlannedExposure], folder: Path) -> list[Job]:
    """Return a job an object; objects of one name go into folders of their own."""
    names = [exposure.file.name for exposure in objects]
    return [
        _sky_tweak_job(plan, exposure, folder / str(number) if names.count(exposure.file.name) > 1 else folder)
        for number, exposure in enumerate(objects, start=1)
    ]


def _sky_tweak_job(plan: Plan, exposure: PlannedExposure, folder: Path) -> Job:
    values, parameters = settings_of(plan, "sky-tweak")
    skies = exposure.skies or tuple(sky.file for sky in plan.of_role("sky"))

    def call(overwrite: bool, progress: Progress) -> Outcome:
        how = {"method": values["method"], "pick": values["pick"], "parameters": parameters}
        return sky_tweak([exposure.file], skies, folder, **how, overwrite=overwrite, progress=progress)

    inputs = (exposure.file, *skies)
    return Job(step="sky-tweak", name=exposure.file.stem, folder=folder, inputs=inputs, parameters=values, call=call)


def align_job(plan: Plan, objects: Sequence[PlannedExposure], files: Sequence[Path], folder: Path) -> Job:
    """Return the job that measures the offsets of the exposures of a band."""
    values, parameters = settings_of(plan, "align")
    groups = [(exposure.epoch, exposure.half) for exposure in objects]

    def call(overwrite: bool, progress: Progress) -> Outcome:
        return align(
            files,
            folder / "offsets.ecsv",
            method=values["method"],
            parameters=parameters,
            groups=groups,
            overwrite=overwrite,
            progress=progress,
        )

    given = {**values, "groups": groups}
    return Job(step="align", name="offsets", folder=folder, inputs=tuple(files), parameters=given, call=call)


def combine_jobs(
    plan: Plan, objects: Sequence[PlannedExposure], files: Sequence[Path], *, offsets: Path | None, folder: Path
) -> list[Job]:
    """Return a job for each group of exposures that are merged."""
    by = settings_of(plan, "combine")[0]["by"]
    groups = defaultdict(list)
    for exposure, file in zip(objects, files, strict=True):
        name = {"all": "", "epoch": exposure.epoch, "half": f"{exposure.epoch}_half{exposure.half or 0}"}[by]
        groups[name].append((exposure, file))
    return [
        _combine_job(plan, name, members, offsets, folder / safe_name(name) if name else folder)
        for name, members in groups.items()
    ]


def _combine_job(
    plan: Plan, name: str, members: Sequence[tuple[PlannedExposure, Path]], offsets: Path | None, folder: Path
) -> Job:
    values, parameters = settings_of(plan, "combine")
    files = tuple(file for _, file in members)

    def call(overwrite: bool, progress: Progress) -> Outcome:
        return combine(
            files,
            folder,
            offsets=offsets,
            unaccepted=values["unaccepted"],
            mosaic=values["mosaic"],
            parameters=parameters,
            overwrite=overwrite,
            progress=progress,
        )

    inputs = files if offsets is None else (*files, offsets)
    return Job(step="combine", name=name or "all", folder=folder, inputs=inputs, parameters=values, call=call)


def combined_cubes(paths: Iterable[Path]) -> list[Path]:
    """Return the cubes among the products of `combine`."""
    return [path for path in paths if path.name.startswith("COMBINE_") and not path.stem.endswith("_IMAGE")]


def extract_job(plan: Plan, cubes: Sequence[Path], folder: Path) -> Job:
    """Return the job that extracts the spectra from the combined cubes of a band."""
    values, parameters = settings_of(plan, "extract")
    apertures = values["apertures"]

    def call(overwrite: bool, progress: Progress) -> Outcome:
        how = {"method": values["method"], "parameters": parameters}
        return extract(cubes, apertures, folder, **how, overwrite=overwrite, progress=progress)

    given = {**values, "apertures": apertures.name}
    inputs = (*cubes, apertures)
    return Job(step="extract", name="spectra", folder=folder, inputs=inputs, parameters=given, call=call)


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
