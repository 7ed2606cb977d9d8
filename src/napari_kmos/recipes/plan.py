"""A night as a plan: what was found, how it pairs, what each step shall use."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from napari_kmos.io import check_free, write_text
from napari_kmos.progress import Progress, silent
from napari_kmos.recipes.finding import Found, find_exposures
from napari_kmos.recipes.outcome import Outcome
from napari_kmos.recipes.pairing import drop_copies, group_epochs, pair_skies, split_halves

ROLES = ("object", "sky", "skip")


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedExposure:
    """An exposure of the plan.

    Parameters
    ----------
    file : Path
        Absolute path.
    role : str
        ``"object"``, ``"sky"`` or ``"skip"``.
    why : str
        What the role was decided by.
    band, date, ob : str
        As the header tells.
    targets : mapping
        IFU to target name. An IFU that is not in it is left out when the exposures are combined.
    epoch : str
        Group of exposures.
    half : int, optional
        1 before, 2 after the sky of the OB.
    skies : tuple of Path
        Sky files of an object.
    sky_why : str
        What they were chosen by.
    """

    file: Path
    role: str
    why: str = ""
    band: str = ""
    date: str = ""
    ob: str = ""
    targets: Mapping[int, str] = field(default_factory=dict)
    epoch: str = ""
    half: int | None = None
    skies: tuple[Path, ...] = ()
    sky_why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to do with a night.

    Parameters
    ----------
    exposures : tuple of PlannedExposure
        In the order of time.
    settings : mapping
        Step to its settings, those that are not the default; see `napari_kmos.recipes.steps`.
    """

    exposures: tuple[PlannedExposure, ...]
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def of_role(self, role: str) -> tuple[PlannedExposure, ...]:
        """Exposures of one role."""
        return tuple(exposure for exposure in self.exposures if exposure.role == role)


def make_plan(
    folders: Sequence[Path],
    out: Path,
    *,
    skies: Sequence[Path] = (),
    gap_days: float = 30.0,
    overwrite: bool = False,
    progress: Progress = silent,
) -> Outcome:
    """Find the exposures in folders and write a plan, to be edited and run.

    Parameters
    ----------
    folders : sequence of Path
        Folders with science and sky products, any tree.
    out : Path
        The plan, a TOML file.
    skies : sequence of Path
        Folders or files that hold skies, where no name says so.
    gap_days : float
        A longer time without exposures begins a new epoch.
    overwrite : bool
        Replace an existing plan.
    progress : Progress
        Told the files looked at.

    Returns
    -------
    Outcome
        The plan as product; numbers of objects, skies and epochs, and the pairs, as measured.

    Raises
    ------
    KmosError
        If nothing was found or a file is there twice.
    SkyError
        If there is no sky for an object.
    WriteError
        If the plan exists or cannot be written.
    """
    from napari_kmos.recipes.plan_file import plan_text

    check_free(out, overwrite)
    found = find_exposures([*folders, *skies], progress=progress)
    plan = plan_exposures([_named_sky(item, skies) for item in found], gap_days=gap_days)
    write_text(plan_text(plan, out.absolute().parent), out, overwrite=overwrite)
    return Outcome(products=(out,), measured=summarise(plan))


def plan_exposures(found: Sequence[Found], *, gap_days: float = 30.0) -> Plan:
    """Pair what was found and group it by epochs and halves."""
    items = drop_copies(found)
    pairs = pair_skies(items)
    used = [index for index, item in enumerate(items) if item.role != "skip"]
    names = group_epochs([items[index].mjd for index in used], gap_days=gap_days)
    epochs = dict(zip(used, names, strict=True))
    halves = _halves(items, pairs, epochs)
    exposures = []
    for index, item in enumerate(items):
        sky, why = pairs.get(index, (None, ""))
        exposures.append(
            replace(
                _planned(item),
                epoch=epochs.get(index, ""),
                half=halves.get(index),
                skies=() if sky is None else (items[sky].file,),
                sky_why=why,
            )
        )
    return Plan(exposures=tuple(exposures))


def summarise(plan: Plan) -> dict[str, Any]:
    """Return the numbers of a plan and its pairs."""
    objects = plan.of_role("object")
    targets = sorted({name for exposure in objects for name in exposure.targets.values()})
    return {
        "objects": len(objects),
        "skies": len(plan.of_role("sky")),
        "skipped": len(plan.of_role("skip")),
        "bands": sorted({exposure.band for exposure in objects}),
        "epochs": dict(Counter(exposure.epoch for exposure in objects)),
        "targets": targets,
        "pairs": {str(exposure.file): [str(sky) for sky in exposure.skies] for exposure in objects},
        "why": {str(exposure.file): exposure.why for exposure in plan.exposures},
    }


def _planned(item: Found) -> PlannedExposure:
    return PlannedExposure(
        file=item.file,
        role=item.role,
        why=item.why,
        band=item.band,
        date=item.date,
        ob=item.ob,
        targets=item.targets,
    )


def _named_sky(item: Found, skies: Sequence[Path]) -> Found:
    """Take what the user called sky as sky."""
    places = {Path(sky).absolute() for sky in skies}
    if item.role == "object" and places & {item.file, *item.file.parents}:
        return replace(item, role="sky", why="named as sky when the plan was made")
    return item


def _halves(items: Sequence[Found], pairs: Mapping[int, tuple[int, str]], epochs: Mapping[int, str]) -> dict[int, int]:
    """Return the half of every object: those of one OB and epoch are split by their sky."""
    blocks = defaultdict(list)
    for index in pairs:
        blocks[items[index].ob, epochs[index]].append(index)
    halves: dict[int, int] = {}
    for members in blocks.values():
        times = [items[index].mjd for index in members]
        split = split_halves(times, [items[pairs[index][0]].mjd for index in members])
        halves.update(zip(members, split, strict=True))
    return halves
