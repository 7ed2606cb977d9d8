"""How a file was made, and whether that suits what is done with it here: verdicts with reasons."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_kmos.errors import KmosError
from napari_kmos.io import RecipeBlock, read_exposure, read_recipe_blocks
from napari_kmos.progress import Progress, silent
from napari_kmos.recipes import grid_verdicts, verdicts
from napari_kmos.recipes.evidence import CheckLine, Evidence
from napari_kmos.recipes.finding import find_exposures, fits_beside
from napari_kmos.recipes.info import recipe_facts
from napari_kmos.recipes.outcome import Outcome

if TYPE_CHECKING:
    from napari_kmos.exposure import Exposure

_TOPICS = (
    verdicts.sky_subtraction,
    verdicts.sky_cubes,
    verdicts.telluric_method,
    verdicts.telluric_windows,
    verdicts.flux_calibration,
    grid_verdicts.sampling,
    grid_verdicts.spaxels,
    grid_verdicts.rotator,
    grid_verdicts.mapping,
    grid_verdicts.halves,
    verdicts.units,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What is to be said of a file.

    Parameters
    ----------
    path : Path
        The file.
    blocks : tuple of RecipeBlock
        Its history, first step first.
    lines : tuple of CheckLine
        The verdicts.
    """

    path: Path
    blocks: tuple[RecipeBlock, ...]
    lines: tuple[CheckLine, ...]


def check(files: Sequence[Path], *, progress: Progress = silent) -> Outcome:
    """Tell how files were made, and whether that suits; only headers are read.

    Parameters
    ----------
    files : sequence of Path
        Exposures, combined cubes, mosaics.
    progress : Progress
        Told each file.

    Returns
    -------
    Outcome
        ``measured["files"]`` holds a mapping a file: ``file``, ``history``, the steps with recipe, version, inputs,
        the parameters that differ from their defaults, these, and calibrations; and ``lines``, see `CheckLine`.

    Raises
    ------
    NotKmosError
        If a file holds no cube.
    """
    told = []
    for done, path in enumerate(files):
        progress(done, len(files), f"checking {Path(path).name}")
        told.append(_facts(check_file(Path(path), others=files)))
    return Outcome(measured={"files": told})


def check_file(path: Path, *, others: Sequence[Path] = (), progress: Progress = silent) -> Checked:
    """Return the verdicts on one file; for an exposure, exposures of the sky are looked for.

    Parameters
    ----------
    path : Path
        The file.
    others : sequence of Path
        Files that may be exposures of the sky, beside those in its folder.
    progress : Progress
        Told the files looked at.

    Raises
    ------
    NotKmosError
        If it holds no cube.
    """
    exposure = read_exposure(path)
    skies = None
    if exposure.kind == "exposure":
        skies = _skies([*fits_beside(path), *others], exposure, progress)
    evidence = _evidence(exposure, skies)
    return Checked(path=path.absolute(), blocks=evidence.blocks, lines=tuple(judge(evidence) for judge in _TOPICS))


def _skies(files: Sequence[Path], exposure: Exposure, progress: Progress) -> tuple[Path, ...]:
    """Return which of the files are exposures of the sky, of the same band, that still have their sky."""
    try:
        found = find_exposures(files, progress=progress)
    except KmosError:
        return ()
    skies = (one.file for one in found if one.role == "sky" and one.band == exposure.band)
    return tuple(path for path in skies if not verdicts.is_subtracted(_evidence(read_exposure(path))))


def _evidence(exposure: Exposure, skies: tuple[Path, ...] | None = None) -> Evidence:
    return Evidence(exposure=exposure, blocks=read_recipe_blocks(exposure.header), skies=skies)


def _facts(checked: Checked) -> dict[str, Any]:
    return {
        "file": str(checked.path),
        "history": [recipe_facts(block) for block in checked.blocks],
        "lines": [dataclasses.asdict(line) for line in checked.lines],
    }
