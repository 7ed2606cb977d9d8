"""The plan as a TOML file: written with the reasons beside the choices, read back with every word checked."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tomlkit

from napari_kmos.errors import KmosError, NotKmosError
from napari_kmos.io import read_text, read_toml, write_text
from napari_kmos.io.names import relative_name
from napari_kmos.recipes.plan import ROLES, Plan, PlannedExposure
from napari_kmos.recipes.steps import STEPS, Setting, check_settings, nearest_word

if TYPE_CHECKING:
    from tomlkit import TOMLDocument
    from tomlkit.items import Table

_HEAD = """\
A night for napari-kmos. Read it, change what is wrong, then:
    napari-kmos run {name} -o products
What is done and unchanged is not done again: change the plan and run it as often as you like.
File names are relative to this file."""
_EXPOSURES = """\
Exposures in the order of time.
role    object, sky or skip; `why` says what it was decided by: change the role if that is wrong.
sky     the sky files of an object; with several, `pick` of [sky-tweak] chooses, and with one, `pick` other than
        nearest chooses among all of the epoch. Without it, among all.
epoch   exposures of one visit; half: 1 before, 2 after the sky of the OB. See `by` of [combine].
targets IFUs with data and their targets: take an IFU out, and it is left out of the combination."""
_KEYS = {"file", "role", "why", "band", "date", "ob", "epoch", "half", "targets", "sky", "sky_why"}


def plan_text(plan: Plan, folder: Path, *, name: str = "night.toml") -> str:
    """Return the text of a plan that will stand in ``folder``."""
    document = tomlkit.document()
    _comment(document, _HEAD.format(name=name))
    document.add(tomlkit.nl())
    _comment(document, _EXPOSURES)
    exposures = tomlkit.aot()
    for exposure in plan.exposures:
        exposures.append(_exposure_table(exposure, folder))
    document.add("exposure", exposures)
    for step, settings in STEPS.items():
        document.add(step, _step_table(settings, plan.settings.get(step, {})))
    return tomlkit.dumps(document)


def read_plan(path: Path | str) -> Plan:
    """Read a plan and check every word of it.

    Raises
    ------
    NotKmosError
        If the file is not TOML or not a plan.
    KmosError
        If it names a file that does not exist, a role, key, step or setting that we do not know.
    """
    path = Path(path)
    content = read_toml(path)
    tables = content.pop("exposure", None)
    if not isinstance(tables, list) or not tables or not all(isinstance(table, dict) for table in tables):
        msg = f"{path}: holds no [[exposure]] tables; expected a plan as `napari-kmos plan` writes it"
        raise NotKmosError(msg)
    folder = path.absolute().parent
    exposures = tuple(_read_exposure(table, folder, f"{path.name}, exposure {n}") for n, table in enumerate(tables, 1))
    _check_unique(exposures, path.name)
    for step, settings in content.items():
        if step not in STEPS:
            msg = f"{path.name}: [{step}] is no step; expected {nearest_word(step, STEPS)}"
            raise KmosError(msg)
        check_settings(step, settings, where=f"{path.name}, [{step}]")
        _check_files(step, settings, folder, path.name)
    return Plan(exposures=exposures, settings={step: _absolute(step, content[step], folder) for step in content})


def set_in_plan(path: Path, step: str, **settings: Any) -> Path:
    """Change settings of a step in a plan; everything else, comments included, stays as it is.

    Raises
    ------
    KmosError
        If the plan cannot be read, or the step has no such setting.
    """
    check_settings(step, settings, where=f"{path.name}, [{step}]")
    document = tomlkit.parse(read_text(path))
    table = document.setdefault(step, tomlkit.table())
    for name, value in settings.items():
        table[name] = value
    return write_text(tomlkit.dumps(document), path, overwrite=True)


def _exposure_table(exposure: PlannedExposure, folder: Path) -> Table:
    table = tomlkit.table()
    table.add("file", relative_name(exposure.file, folder))
    table.add("role", exposure.role)
    for key, value in (
        ("why", exposure.why),
        ("band", exposure.band),
        ("date", exposure.date),
        ("ob", exposure.ob),
        ("targets", _inline({str(ifu): name for ifu, name in sorted(exposure.targets.items())})),
        ("epoch", exposure.epoch),
        ("half", exposure.half),
        ("sky", [relative_name(sky, folder) for sky in exposure.skies]),
        ("sky_why", exposure.sky_why),
    ):
        if value:
            table.add(key, value)
    return table


def _step_table(settings: Mapping[str, Setting], chosen: Mapping[str, Any]) -> Table:
    """Write every setting with its meaning, the fine ones only if chosen; one without a value becomes a comment."""
    table = tomlkit.table()
    for name, setting in settings.items():
        if setting.is_fine and name not in chosen:
            continue
        value = chosen.get(name, setting.default)
        for line in _wrapped(setting.text):
            table.add(tomlkit.comment(line))
        if value is None:
            table.add(tomlkit.comment(f"{name} = {setting.example}"))
        else:
            table.add(
                name, list(value) if isinstance(value, tuple) else str(value) if isinstance(value, Path) else value
            )
    return table


def _read_exposure(table: Mapping[str, Any], folder: Path, where: str) -> PlannedExposure:
    unknown = [key for key in table if key not in _KEYS]
    if unknown:
        msg = f"{where}: unknown key {unknown[0]!r}; expected {nearest_word(unknown[0], _KEYS)}"
        raise KmosError(msg)
    role = table.get("role")
    if role not in ROLES:
        msg = f"{where}: role is {role!r}; expected {', '.join(ROLES)}"
        raise KmosError(msg)
    used = role != "skip"
    sky = table.get("sky", [])
    half = table.get("half")
    if half not in (None, 1, 2):
        msg = f"{where}: half is {half!r}; expected 1 (before the sky) or 2 (after it)"
        raise KmosError(msg)
    return PlannedExposure(
        file=_file(table.get("file"), folder, where, must_exist=used),
        role=role,
        **{key: str(table.get(key, "")) for key in ("why", "band", "date", "ob", "epoch", "sky_why")},
        targets=_targets(table.get("targets", {}), where),
        half=half,
        skies=tuple(_file(name, folder, where, must_exist=used) for name in ([sky] if isinstance(sky, str) else sky)),
    )


def _targets(table: Any, where: str) -> dict[int, str]:
    try:
        return {int(ifu): str(name) for ifu, name in table.items()}
    except (AttributeError, ValueError) as err:
        msg = f'{where}: targets is {table!r}; expected a table such as {{ 3 = "star 3" }}'
        raise KmosError(msg) from err


def _file(name: Any, folder: Path, where: str, *, must_exist: bool = True) -> Path:
    if not isinstance(name, str) or not name:
        msg = f"{where}: {name!r} is no file name"
        raise KmosError(msg)
    path = Path(os.path.normpath(folder / Path(name).expanduser()))
    if must_exist and not path.is_file():
        msg = f'{where}: {path} does not exist; put it back, correct its name or set role = "skip"'
        raise KmosError(msg)
    return path


def _check_unique(exposures: Iterable[PlannedExposure], where: str) -> None:
    seen = set()
    for exposure in exposures:
        if exposure.file in seen:
            msg = f"{where}: {exposure.file.name} is named by two exposures; remove one of them"
            raise KmosError(msg)
        seen.add(exposure.file)


def _check_files(step: str, settings: Mapping[str, Any], folder: Path, where: str) -> None:
    """Refuse a missing file before an hour of work, not after it."""
    for name, value in settings.items():
        if STEPS[step][name].is_file and not (folder / Path(value).expanduser()).is_file():
            msg = f"{where}, [{step}]: {name} {value} does not exist; correct the name, or put # before it"
            raise KmosError(msg)


def _absolute(step: str, settings: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Turn the file names among the settings into absolute paths."""
    return {
        name: folder / Path(value).expanduser() if STEPS[step][name].is_file else value
        for name, value in settings.items()
    }


def _inline(content: Mapping[str, Any]) -> Any:
    table = tomlkit.inline_table()
    table.update(content)
    return table


def _comment(document: TOMLDocument, text: str) -> None:
    for line in text.splitlines():
        document.add(tomlkit.comment(line))


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, 116)
