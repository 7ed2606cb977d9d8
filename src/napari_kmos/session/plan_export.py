"""What was decided as a plan, so that `run` does for all what was tried by hand."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_kmos.errors import KmosError
from napari_kmos.io import check_free, fits_stem, write_apertures, write_offsets, write_text
from napari_kmos.io.lines import write_line_list
from napari_kmos.offset import Offset
from napari_kmos.progress import Progress, silent
from napari_kmos.recipes.finding import find_exposures
from napari_kmos.recipes.outcome import Outcome
from napari_kmos.recipes.plan import Plan, plan_exposures, summarise
from napari_kmos.recipes.plan_file import plan_text
from napari_kmos.recipes.sky_tasks import SUFFIX
from napari_kmos.recipes.steps import STEPS
from napari_kmos.spectral.windows import windows_text

if TYPE_CHECKING:
    from napari_kmos.recipes.finding import Found
    from napari_kmos.recipes.plan import PlannedExposure

_CHOSEN, _REJECTED = "chosen in the viewer", "all of it was rejected in the viewer"
_LEFT_OUT = ("rejected", "skipped")


def export_plan(
    values: Mapping[str, Any], path: Path, *, overwrite: bool = False, progress: Progress = silent
) -> Outcome:
    """Write a plan of what was decided, with offsets, stars and lines in tables beside it.

    Exposures and skies are those chosen for the sky tweak; without any, what is open and what its headers say. IFUs
    whose offset was rejected or skipped are left out; those that nobody moved stand where their headers say.

    Parameters
    ----------
    values : mapping
        Decisions of a session, by the name of the field.
    path : Path
        The plan, a TOML file.
    overwrite : bool
        Replace files that exist.
    progress : Progress
        Told the files looked at.

    Returns
    -------
    Outcome
        The plan and the tables as products; what `summarise` tells as measured.

    Raises
    ------
    KmosError
        If there are no exposures, or no sky for them.
    WriteError
        If a file exists or cannot be written.
    """
    plan, offsets = plan_exposures(_found(values, progress)), values["alignment"].offsets
    tables = _tables(values, _rows(plan, offsets) if offsets else [], path)
    for one in (path, *tables):
        check_free(one, overwrite)
    exposures = tuple(_without_rejected(one, offsets) for one in plan.exposures)
    plan = Plan(exposures=exposures, settings=_settings(values, [one.name for one in tables]))
    written = [write(rows, one, overwrite=overwrite) for one, (write, rows) in tables.items()]
    write_text(plan_text(plan, path.absolute().parent, name=path.name), path, overwrite=overwrite)
    return Outcome(products=(path, *written), measured=summarise(plan))


def left_out(one: Offset) -> bool:
    """Tell whether somebody decided against an IFU of an exposure."""
    return one.decision in _LEFT_OUT


def _found(values: Mapping[str, Any], progress: Progress) -> list[Found]:
    """Return the exposures, each with the role that it was given."""
    objects, skies = ([path.absolute() for path in values[name]] for name in ("objects", "skies"))
    if not (objects or values["files"]):
        msg = "no exposure is open or chosen; open some, and choose their skies in the dock Sky tweak"
        raise KmosError(msg)
    only = str(values["forms"].get("sky-tweak", {}).get("pick", "")).removeprefix("only ")
    skies = [path for path in skies if path.name == only] or skies
    given = dict.fromkeys([*objects, *skies] if objects else [*values["files"], *skies])
    roles = {**dict.fromkeys(objects, "object"), **dict.fromkeys(skies, "sky")}
    found = find_exposures(list(given), progress=progress)
    return [dataclasses.replace(one, role=roles[one.file], why=_CHOSEN) if one.file in roles else one for one in found]


def _without_rejected(exposure: PlannedExposure, offsets: Sequence[Offset]) -> PlannedExposure:
    gone = {one.ifu for one in offsets if left_out(one) and Path(one.file) == exposure.file}
    targets = {ifu: name for ifu, name in exposure.targets.items() if ifu not in gone}
    if gone and not targets:
        return dataclasses.replace(exposure, role="skip", why=_REJECTED)
    return dataclasses.replace(exposure, targets=targets)


def _rows(plan: Plan, offsets: Sequence[Offset]) -> list[Offset]:
    """Return a row for each IFU of each object, named as the exposure without sky is, which is what is combined."""
    known = {(Path(one.file), one.ifu): one for one in offsets}
    rows = []
    for number, one in enumerate(plan.of_role("object")):
        stem = fits_stem(Path(one.file.name))
        name = one.file.name if stem.endswith(SUFFIX) else f"{stem}{SUFFIX}.fits"
        for ifu in one.targets:
            row = known.get((one.file, ifu)) or _at_header(ifu)
            rows.append(dataclasses.replace(row, exposure=number, file=name))
    return rows


def _at_header(ifu: int) -> Offset:
    return Offset(
        exposure=0,
        file="",
        ifu=ifu,
        dra_arcsec=0.0,
        ddec_arcsec=0.0,
        err_arcsec=math.nan,
        method="header",
        accepted=False,
    )


def _tables(values: Mapping[str, Any], offsets: Sequence[Offset], path: Path) -> dict[Path, tuple[Any, Any]]:
    """Return the tables beside a plan, each with what writes it and its rows."""
    wanted = (
        ("offsets", write_offsets, offsets),
        ("stars", write_apertures, values["apertures"]),
        ("lines", write_line_list, values["lines"]),
    )
    return {path.with_name(f"{path.stem}_{name}.ecsv"): (write, rows) for name, write, rows in wanted if rows}


def _settings(values: Mapping[str, Any], tables: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return what was set for each step, as far as it is not the default."""
    parameters = values["extract_parameters"]
    chosen = {step: dict(values["forms"].get(step, {})) for step in STEPS}
    chosen["extract"] |= {"method": values["extract_method"], **(dataclasses.asdict(parameters) if parameters else {})}
    if values["snr_um"]:
        chosen["compare"]["windows"] = windows_text(values["snr_um"])
    for step, setting in (("align", "offsets"), ("extract", "stars"), ("compare", "lines")):
        name = next((one for one in tables if one.endswith(f"_{setting}.ecsv")), None)
        if name is not None:
            chosen[step]["apertures" if setting == "stars" else setting] = name
    return {
        step: {name: one for name, one in some.items() if _is_setting(step, name, one)} for step, some in chosen.items()
    }


def _is_setting(step: str, name: str, value: Any) -> bool:
    """Tell whether a plan has a setting, and it is not the default."""
    setting = STEPS[step].get(name)
    return setting is not None and value != setting.default and (not setting.choices or value in setting.choices)
