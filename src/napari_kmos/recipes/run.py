"""Do what a plan says, step by step; what is done and unchanged is not done again."""

from __future__ import annotations

import time
import warnings
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_kmos.errors import KmosError, KmosWarning
from napari_kmos.esorex import EsorexOptions
from napari_kmos.io import claimed, output_dir, safe_name
from napari_kmos.progress import Progress, silent
from napari_kmos.recipes import planned_steps as planned
from napari_kmos.recipes.jobs import Job, do_job
from napari_kmos.recipes.outcome import Outcome
from napari_kmos.recipes.plan_file import read_plan
from napari_kmos.recipes.planned_engines import check_engines, with_engine
from napari_kmos.recipes.steps import STEPS, nearest_word

if TYPE_CHECKING:
    from napari_kmos.recipes.plan import Plan, PlannedExposure

#: Whose products are the main ones, first.
_PRODUCT_ORDER = ("combine", "align", "extract", "compare", "sky-tweak")
_NO_APERTURES = (
    "the plan names no apertures, so it ends with the combined cubes: open them with `napari-kmos view`, pick stars in "
    "the Spectra dock, save them, name the file as apertures under [extract] in the plan, and run it again"
)


def run_plan(
    plan_file: Path,
    out_dir: Path,
    *,
    from_step: str | None = None,
    engine: str | None = None,
    esorex: EsorexOptions | None = None,
    overwrite: bool = False,
    progress: Progress = silent,
) -> Outcome:
    """Do every step of a plan: sky-tweak, align, combine, extract, compare.

    Parameters
    ----------
    plan_file : Path
        A plan as `make_plan` writes it, edited or not.
    out_dir : Path
        Folder of the products: ``sky_tweak``, ``align``, ``combine``, ``extract`` and ``compare`` in it (in a folder
        a band, if there are several).
    from_step : str, optional
        Do this step and those after it again, changed or not.
    engine : str, optional
        Engine of the steps that ESO's pipeline has a recipe for; by default what the plan says.
    esorex : EsorexOptions, optional
        Where esorex and its recipes are, and how many products it combines at once.
    overwrite : bool
        Replace files that are in the way but were not made by an earlier run, and tables that were edited by hand.
    progress : Progress
        Told the parts of each step.

    Returns
    -------
    Outcome
        Products of all steps, the combined cubes first. Measured: ``jobs``, for each piece of work its step, name,
        whether it was ``done`` now, and seconds; and by step what was measured.

    Raises
    ------
    KmosError
        If the plan cannot be used, the engine cannot do what it asks for, another process runs a plan in this folder,
        or a step fails; what was finished stays, and the next run goes on from there.

    Notes
    -----
    What a job made, and from what, stands in ``<job>.run.json`` beside its products; there is no other memory.
    """
    if from_step is not None and from_step not in STEPS:
        msg = f"there is no step {from_step!r}; expected {nearest_word(from_step, STEPS)}"
        raise KmosError(msg)
    plan = with_engine(read_plan(plan_file), engine)
    if not plan.of_role("object"):
        msg = f"{plan_file}: names no exposure of role object; there is nothing to do"
        raise KmosError(msg)
    planned.dropped_files(plan)  # a wrong name is told before hours of work
    check_engines(plan, esorex or EsorexOptions())
    run = _Run(from_step=from_step, esorex=esorex or EsorexOptions(), overwrite=overwrite, progress=progress)
    with claimed(output_dir(out_dir) / "run"):
        return _do_all(run, plan, Path(out_dir))


def _do_all(run: _Run, plan: Plan, out_dir: Path) -> Outcome:
    """Do all jobs of a plan."""
    has_apertures = planned.check_apertures_of(plan)
    spectra: list[Path] = []
    bands = planned.objects_by_band(plan)
    for band, objects in bands.items():
        folder = out_dir / safe_name(band or "unknown_band") if len(bands) > 1 else out_dir
        cubes = _make_cubes(run, plan, objects, folder)
        if has_apertures:
            jobs = planned.extract_jobs(plan, cubes, combined=folder / "combine", folder=folder / "extract")
            spectra += [path for job, part in _counted(jobs) for path in run.do(job, part).products]
    spectra = [path for path in spectra if path.name.startswith("spec_") and path.suffix == ".fits"]
    if spectra:
        run.do(planned.compare_job(plan, spectra, out_dir / "compare"))
    if not has_apertures:
        warnings.warn(_NO_APERTURES, KmosWarning, stacklevel=3)
    return run.outcome()


def _make_cubes(run: _Run, plan: Plan, objects: Sequence[PlannedExposure], folder: Path) -> list[Path]:
    """Subtract the sky, align and combine the exposures of one band; return the combined cubes."""
    jobs = planned.sky_tweak_jobs(plan, objects, folder / "sky_tweak", esorex=run.esorex)
    tweaked = [run.do(job, part).products[0] for job, part in _counted(jobs)]
    offsets, unaccepted = None, None
    method = planned.settings_of(plan, "combine")[1].method
    if method != "user" and planned.settings_of(plan, "align")[0]["offsets"] is not None:
        text = f"[combine] places exposures by method {method}: the offsets of [align] are not used; take user for them"
        warnings.warn(text, KmosWarning, stacklevel=3)
    if method == "user":
        offsets = planned.settings_of(plan, "align")[0]["offsets"]
        if offsets is None:
            offsets = run.do(planned.align_job(plan, objects, tweaked, folder / "align")).products[0]
        selection = planned.selection_job(plan, objects, tweaked, offsets=offsets, folder=folder / "combine")
        if selection is not None:
            offsets, unaccepted = run.do(selection).products[0], "skip"
    jobs = planned.combine_jobs(
        plan,
        objects,
        tweaked,
        offsets=offsets,
        unaccepted=unaccepted,
        esorex=run.esorex,
        folder=folder / "combine",
    )
    return [cube for job, part in _counted(jobs) for cube in run.do(job, part).products]


@dataclass
class _Run:
    """How a run goes, and what it has given so far."""

    from_step: str | None
    esorex: EsorexOptions
    overwrite: bool
    progress: Progress
    outcomes: dict[str, list[Outcome]] = field(default_factory=lambda: defaultdict(list))
    jobs: list[dict[str, Any]] = field(default_factory=list)

    def do(self, job: Job, part: str = "") -> Outcome:
        """Do one job and keep what came of it."""
        order = list(STEPS)
        again = self.from_step is not None and order.index(job.step) >= order.index(self.from_step)

        def progress(done: int, total: int, text: str) -> None:
            self.progress(done, total, f"{job.step}{part}: {text}")

        progress(0, 0, job.name)
        start = time.monotonic()
        outcome, done = do_job(job, again=again, overwrite=self.overwrite, progress=progress)
        seconds = round(time.monotonic() - start, 3)
        self.outcomes[job.step].append(outcome)
        products = [str(path) for path in outcome.products]
        self.jobs.append({"step": job.step, "job": job.name, "done": done, "seconds": seconds, "products": products})
        return outcome

    def outcome(self) -> Outcome:
        """Return the outcome of the whole run."""
        measured: dict[str, Any] = {"jobs": self.jobs}
        for step, outcomes in self.outcomes.items():
            measured[step] = [outcome.measured for outcome in outcomes]
        return Outcome(
            products=tuple(p for step in _PRODUCT_ORDER for o in self.outcomes.get(step, ()) for p in o.products),
            extras=tuple(p for step in _PRODUCT_ORDER for o in self.outcomes.get(step, ()) for p in o.extras),
            measured=measured,
        )


def _counted(jobs: Sequence[Job]) -> Iterable[tuple[Job, str]]:
    """Yield each job with its place among its like."""
    for number, job in enumerate(jobs, start=1):
        yield job, f" {number}/{len(jobs)}"
