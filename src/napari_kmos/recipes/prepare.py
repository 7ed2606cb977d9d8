"""Write parameter file, set of frames and command for the recipes of the pipeline that make the cubes."""

from __future__ import annotations

import dataclasses
import logging
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from napari_kmos.errors import EngineError, GeometryError, KmosError, KmosWarning
from napari_kmos.esorex import EsorexOptions, RecipeRun, find_esorex, named_esorex
from napari_kmos.esorex.settings import (
    FINE_PIX_SCALE,
    FINE_SAMPLES,
    WINDOWS,
    WINDOWS_BAND,
    RecipeSettings,
    config_text,
    find_settings,
    sampling_settings,
    window_settings,
)
from napari_kmos.io import FrameFacts, output_dir, read_frame_facts
from napari_kmos.recipes.esorex_runs import write_commands

if TYPE_CHECKING:
    from napari_kmos.recipes.outcome import Outcome

_SCI_RED = "kmos_sci_red"
_log = logging.getLogger(__name__)


def prepare(
    recipe: str,
    files: Sequence[Path | str],
    out_dir: Path | str,
    *,
    pix_scale: float = FINE_PIX_SCALE,
    b_samples: int = FINE_SAMPLES,
    windows: Sequence[str] = tuple(WINDOWS),
    tags: Mapping[str, str] | None = None,
    esorex: EsorexOptions | None = None,
    overwrite: bool = False,
) -> Outcome:
    """Write what a recipe of the pipeline needs to run with the settings that suit what follows.

    Parameters
    ----------
    recipe : str
        A key of `napari_kmos.esorex.settings.PREPARED`.
    files : sequence of path
        Its frames, raw and calibrations.
    out_dir : path
        Folder of the products; made if missing.
    pix_scale : float
        `kmos_sci_red`: side of a spaxel in arcsec.
    b_samples : int
        `kmos_sci_red`: planes of a cube.
    windows : sequence of str
        `kmos_molecfit_model`: a run each; ``"A"``, ``"B"``, ``"C"``, or several as one fit, ``"ABC"``.
    tags : mapping of str to str
        Tags of files whose header does not tell one or another one, by the last part of their name.
    esorex : EsorexOptions, optional
        Where esorex is, and further parameters of the recipe, which win over these settings.
    overwrite : bool
        Replace products that exist.

    Returns
    -------
    Outcome
        Products: for each run ``<recipe>.rc``, the parameter file, and ``<recipe>.sof``, of several windows
        ``<recipe>_<window>``; and ``command.txt``. Measured: the settings, each with its value and cost, by run.

    Raises
    ------
    EngineError
        If nothing is known of the recipe or window; where esorex and the recipe are found, if it lacks a parameter.
    GeometryError
        If frames are of different gratings, or the windows of another.
    KmosError
        If a frame cannot be read, its tag is not known, or one that the recipe needs is missing.
    WriteError
        If a product exists.
    """
    known, options, folder = find_settings(recipe), esorex or EsorexOptions(), output_dir(out_dir)
    frames = _read_frames(files, tags or {})
    band = _check_band(frames)
    _check_tags(recipe, known, [frame.tag for frame in frames])
    grids = _grids(recipe, band, options, pix_scale=pix_scale, b_samples=b_samples, windows=windows)
    given = {name: (value, "") for name, value in options.recipe_options.items()}
    runs = {name: {**known.settings, **grid, **given} for name, grid in grids.items()}
    _check_parameters(recipe, [name for one in runs.values() for name in one], options)
    pairs = tuple((frame.path, frame.tag) for frame in frames)
    all_runs = [
        RecipeRun(name=name, recipe=recipe, frames=pairs, config=config_text(recipe, one)) for name, one in runs.items()
    ]
    commands = write_commands(named_esorex(options), all_runs, folder, overwrite=overwrite)
    told = {
        name: {key: {"value": value, "cost": why} for key, (value, why) in one.items()} for name, one in runs.items()
    }
    return dataclasses.replace(commands, measured={**commands.measured, "settings": told})


def describe_settings(outcome: Outcome) -> str:
    """Return the settings of each run as text, with what they cost."""
    lines = []
    for name, settings in outcome.measured["settings"].items():
        lines.append(f"{name}:")
        lines += [f"  {key}={one['value']}  {one['cost']}".rstrip() for key, one in settings.items()]
    return "\n".join(lines)


def parse_tags(texts: Sequence[str]) -> dict[str, str]:
    """Return tags as they are typed, ``FILE=TAG``, by the name of the file.

    Raises
    ------
    KmosError
        If one is written in another way.
    """
    tags = {}
    for text in texts:
        name, _, tag = text.rpartition("=")
        if not name or not tag.replace("_", "").isalnum():
            msg = f"tag {text!r} is not understood; expected FILE=TAG, such as response.fits=RESPONSE"
            raise KmosError(msg)
        tags[Path(name).name] = tag
    return tags


def _read_frames(files: Sequence[Path | str], tags: Mapping[str, str]) -> list[FrameFacts]:
    """Read what the frames are."""
    frames = []
    for path in map(Path, files):
        frame = read_frame_facts(path)
        tag = tags.get(path.name, frame.tag)
        if not tag:
            found = f"is raw, of type {frame.raw_type}" if frame.raw_type else "has no product category"
            msg = f"{path}: {found}, which tells no tag; give it (--tag {path.name}=TAG), or leave the file out"
            raise KmosError(msg)
        frames.append(dataclasses.replace(frame, tag=tag))
    unknown = sorted(set(tags) - {frame.path.name for frame in frames})
    if unknown:
        msg = f"{unknown[0]} has a tag, but is none of the files"
        raise KmosError(msg)
    return frames


def _check_band(frames: Sequence[FrameFacts]) -> str:
    """Refuse frames of different gratings; return theirs, empty if none tells it."""
    bands = {frame.band: frame.path.name for frame in frames if frame.band}
    if len(bands) > 1:
        told = ", ".join(f"{band} ({name})" for band, name in bands.items())
        msg = f"frames of several gratings, {told}; expected one: leave the others out"
        raise GeometryError(msg)
    return next(iter(bands), "")


def _check_tags(recipe: str, known: RecipeSettings, tags: Sequence[str]) -> None:
    """Refuse sets of frames with which the recipe cannot run, and warn of those with which it does less."""
    lacking = [" or ".join(group) for group in known.needed if not set(group) & set(tags)]
    if lacking:
        several = len(lacking) > 1
        what, there = f"frame{'s' if several else ''} {', '.join(lacking)}", ", ".join(sorted(set(tags))) or "none"
        msg = f"{recipe} needs {'' if several else 'a '}{what}; there are {there}: give "
        raise KmosError(
            msg + f"{'their files' if several else 'its file'} too, or a tag where it is there (--tag FILE=TAG)"
        )
    missing = [tag for tag in known.wished if tag not in tags]
    if missing:
        text = f"{recipe}: no {' and no '.join(missing)} among the frames; it runs without, and corrects less"
        warnings.warn(text, KmosWarning, stacklevel=3)


def _grids(
    recipe: str, band: str, options: EsorexOptions, *, pix_scale: float, b_samples: int, windows: Sequence[str]
) -> dict[str, dict[str, tuple[str, str]]]:
    """Return by the name of each run what it is set beside the settings of all: the grid, or a window."""
    if recipe == _SCI_RED:
        return {recipe: sampling_settings(pix_scale, b_samples)}
    if not find_settings(recipe).has_windows or "wave_range" in options.recipe_options:
        return {recipe: {}}
    if band not in ("", WINDOWS_BAND):
        msg = (
            f"the frames are of grating {band}, windows {', '.join(WINDOWS)} of {WINDOWS_BAND}: say what is fitted, in "
        )
        raise GeometryError(msg + "micron, by --recipe-option wave_range=FROM,TO,FROM,TO")
    return {f"{recipe}_{window}": window_settings(window) for window in windows}


def _check_parameters(recipe: str, names: Sequence[str], options: EsorexOptions) -> None:
    """Refuse parameters that the recipe lacks, where it can be asked."""
    try:
        manual = find_esorex(options).manual(recipe)
    except EngineError as err:
        if options.program:
            raise
        _log.info("parameters are not checked: %s", err)
        return
    manual.check(names)
