"""What steps by esorex share: recipes are run and their products and logs kept, or only the commands written."""

from __future__ import annotations

import contextlib
import logging
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_kmos.errors import EngineError, WriteError
from napari_kmos.esorex import (
    ESOREX,
    Esorex,
    EsorexOptions,
    FinishedRun,
    RecipeManual,
    RecipeRun,
    find_esorex,
    lay_out,
    named_esorex,
    run_recipes,
)
from napari_kmos.io import check_free, output_dir, safe_name, write_copy, write_record, write_text
from napari_kmos.provenance import Step, defaults_of
from napari_kmos.recipes.outcome import Outcome, join_outcomes

if TYPE_CHECKING:
    from napari_kmos.progress import Progress

COMMANDS = "command.txt"
_log = logging.getLogger(__name__)
_HEADING = """\
# A line a run, for any shell; each makes its products in a folder of its own. Needs esorex and ESO's KMOS pipeline.
"""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class EsorexTask:
    """A run of a recipe and what is kept of it.

    Parameters
    ----------
    step : str
        Name of the step.
    run : RecipeRun
        The run.
    product : Path
        Its main product.
    inputs : tuple of Path
        All files it is made from.
    choices, defaults : mapping
        What was chosen beside the parameters of the recipe, and what it is if nothing is said; the record tells it.
    measured : mapping
        What is told of it in header and record.
    others : tuple of Path
        Further files that it may write.
    """

    step: str
    run: RecipeRun
    product: Path
    inputs: tuple[Path, ...]
    choices: Mapping[str, Any]
    measured: Mapping[str, Any]
    defaults: Mapping[str, Any] = field(default_factory=dict)
    others: tuple[Path, ...] = ()

    @property
    def log(self) -> Path:
        """Log of the recipe."""
        return self.product.with_name(f"{self.product.stem}_esorex.log")

    @property
    def outputs(self) -> tuple[Path, ...]:
        """All files that it may write, but for the log: that of a run that failed is replaced."""
        return (self.product, self.product.with_suffix(".json"), *self.others)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class EsorexWork:
    """How all runs of a step are done, and how their products are written.

    Parameters
    ----------
    options : EsorexOptions
        What the user sets.
    own : mapping of str to str
        Parameters of the recipe that have an option of the step, and that option.
    sort : callable
        Given a run and its task, returns where each of its products goes, the main one first.
    overwrite : bool
        Replace what exists.
    """

    options: EsorexOptions
    own: Mapping[str, str]
    sort: Callable[[FinishedRun, EsorexTask], Mapping[Path, Path]]
    overwrite: bool

    def check(self) -> None:
        """Refuse to set a parameter in two ways."""
        for name in self.options.recipe_options:
            if name in self.own:
                msg = f"recipe option {name} has an option of its own here: say it by {self.own[name]}"
                raise EngineError(msg)


def shared_parameters(given: Any, names: Sequence[str], options: EsorexOptions) -> dict[str, str]:
    """Return parameters of ours that the recipe has too, by the same names, as it takes them.

    Parameters
    ----------
    given : dataclass
        Parameters of the native engine.
    names : sequence of str
        Those that the recipe has.
    options : EsorexOptions
        What is said to the recipe itself.

    Raises
    ------
    EngineError
        If one is said in both ways.
    """
    defaults = defaults_of(given)
    for name in names:
        if name in options.recipe_options and getattr(given, name) != defaults[name]:
            msg = f"{name} is given as --{name} and as a recipe option; give it once"
            raise EngineError(msg)
    values = {name: getattr(given, name) for name in names if name not in options.recipe_options}
    return {name: str(value).upper() if isinstance(value, bool) else str(value) for name, value in values.items()}


def refuse_native(given: Any, names: Sequence[str], recipe: str) -> None:
    """Refuse parameters of ours that the recipe does not have, unless they are at their defaults.

    Raises
    ------
    EngineError
        Naming the first.
    """
    for name, default in defaults_of(given).items():
        if name not in names and getattr(given, name) != default:
            msg = f"{name} is of the native engine, {recipe} has nothing like it; leave it out, or leave esorex out "
            raise EngineError(msg + "(--engine)")


def do_tasks(tasks: Sequence[EsorexTask], work: EsorexWork, folder: Path, progress: Progress) -> Outcome:
    """Run the recipes and keep what they made, or write the commands only.

    Raises
    ------
    EngineError
        If esorex or the recipe is missing, lacks a parameter, fails, or makes no product.
    WriteError
        If something exists or cannot be written.
    """
    _check_names(tasks)
    output_dir(folder)
    if work.options.dry_run:
        runs = [task.run for task in tasks]
        return write_commands(named_esorex(work.options), runs, folder, overwrite=work.overwrite)
    esorex = find_esorex(work.options)
    manual = esorex.manual(tasks[0].run.recipe)
    _log.info("%s, %s %s", esorex.label, manual.recipe, manual.version)
    for task in tasks:
        manual.check(task.run.parameters)
        for path in task.outputs:
            check_free(path, work.overwrite)
    by_run = {task.run: task for task in tasks}
    running = run_recipes(esorex, list(by_run), folder, jobs=work.options.jobs, progress=progress)
    with _made(folder), contextlib.closing(running) as finished:
        kept = {one.run: _keep(one, by_run[one.run], work, (esorex, manual)) for one in finished}
    return join_outcomes([kept[run] for run in by_run])


@contextlib.contextmanager
def _made(folder: Path) -> Iterator[None]:
    """Make a folder, and remove it again if nothing is in it in the end."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            folder.rmdir()


def write_commands(esorex: Esorex, runs: Sequence[RecipeRun], folder: Path, *, overwrite: bool) -> Outcome:
    """Write for each run its set of frames and its folder, and the commands of all."""
    places = [folder / safe_name(run.name) for run in runs]
    files = [_files_of(run, place) for run, place in zip(runs, places, strict=True)]
    products = [*(path for paths in files for path in paths), folder / COMMANDS]
    for path in products:
        check_free(path, overwrite)
    lines = []
    for run, place, (sof, *config) in zip(runs, places, files, strict=True):
        lay_out(run, place, sof, overwrite=overwrite)
        for path in config:
            write_text(run.config, path, overwrite=overwrite)
        words = esorex.command(run, *(str(path.absolute()) for path in (sof, *config)))
        lines.append(f"cd {shlex.quote(str(place.absolute()))} && {shlex.join(words)}")
    write_text(_HEADING + "\n".join(lines) + "\n", folder / COMMANDS, overwrite=overwrite)
    return Outcome(products=tuple(products), measured={"commands": lines})


def _files_of(run: RecipeRun, place: Path) -> list[Path]:
    """Return the set of frames of a run and, if it has one, its parameter file."""
    return [place.with_name(f"{place.name}.{ending}") for ending in (("sof", "rc") if run.config else ("sof",))]


def _check_names(tasks: Sequence[EsorexTask]) -> None:
    """Refuse two runs that would write the same files."""
    taken: dict[str, EsorexTask] = {}
    for task in tasks:
        if taken.setdefault(safe_name(task.run.name), task) is not task:
            msg = f"two runs would both be written as {task.run.name}; do them apart, each into its own folder (-o)"
            raise WriteError(msg)


def _keep(finished: FinishedRun, task: EsorexTask, work: EsorexWork, by: tuple[Esorex, RecipeManual]) -> Outcome:
    """Write log, products and record of a run; of one that failed the log only."""
    log = write_text(finished.log, task.log, overwrite=True)
    if finished.problem:
        msg = f"{task.run.name}: {task.run.recipe} failed: {finished.problem}; the whole log is {log}"
        raise EngineError(msg)
    targets = work.sort(finished, task)
    if task.product not in targets.values():
        made = ", ".join(path.name for path in finished.products) or "no FITS file"
        msg = f"{task.run.name}: {task.run.recipe} ended well but its product is missing, it made {made}; see {log}"
        raise EngineError(msg)
    step = _step(task, *by)
    for source, target in targets.items():
        write_copy(source, target, step=step, overwrite=work.overwrite)
    products = tuple(targets.values())
    record = write_record(task.product, step, products=products, overwrite=work.overwrite)
    rest = tuple(path for path in products if path != task.product)
    found = {name.lower().replace(" ", "_"): value for name, value in task.measured.items()}
    told = {"command": shlex.join(by[0].command(task.run, f"{task.run.recipe}.sof")), **task.choices, **found}
    return Outcome(products=(task.product,), extras=(*rest, record, log), measured={task.product.name: told})


def _step(task: EsorexTask, esorex: Esorex, manual: RecipeManual) -> Step:
    """Describe what was done; engine and recipe have no default, so that HISTORY names them."""
    recipe = {"engine": ESOREX, "recipe": f"{manual.recipe} {manual.version}"}
    return Step(
        name=task.step,
        inputs=task.inputs,
        parameters={**recipe, **manual.defaults, **task.run.parameters, **task.choices},
        defaults={**manual.defaults, **task.defaults},
        measured={"ESOREX VERSION": esorex.version, **task.measured},
    )
