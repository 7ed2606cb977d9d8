"""What was decided as a Python script that does it again, by public functions alone."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from napari_kmos._version import __version__
from napari_kmos.extract import ExtractParameters
from napari_kmos.io import write_text
from napari_kmos.recipes.steps import build_parameters
from napari_kmos.session.plan_export import left_out
from napari_kmos.sky import DEFAULT_METHOD

_HEAD = f'''\
"""What was decided in napari-kmos {__version__}: subtracts the sky, combines, extracts, and writes into OUT."""

from pathlib import Path

from napari_kmos import (
    Aperture,
    Offset,
    combine_cubes,
    extract_spectra,
    read_exposure,
    subtract_sky,
    write_cube,
    write_spectrum,
)
from napari_kmos.combine import CombineParameters
from napari_kmos.extract import ExtractParameters, apertures_inside
from napari_kmos.io import safe_name
from napari_kmos.sky import SkyParameters
'''
_BODY = '''

def without_sky(exposure, cube):
    """Subtract the sky that is nearest in time and has the same IFU, if there is one."""
    skies = [one for one in map(read_exposure, SKIES) if cube.ifu in [other.ifu for other in one.cubes]]
    if not skies:
        return cube
    nearest = min(skies, key=lambda one: abs((one.date - exposure.date).sec))
    sky = next(one for one in nearest.cubes if one.ifu == cube.ifu)
    return subtract_sky(cube, sky, method=SKY_METHOD, parameters=SKY).cube


def offset_of(number, path, ifu):
    """Return where a cube was put; if that was not accepted, it stands where its header says."""
    found = [one for one in OFFSETS if (Path(one.file), one.ifu) == (path, ifu) and one.accepted]
    header = {"dra_arcsec": 0.0, "ddec_arcsec": 0.0, "err_arcsec": 0.0, "method": "header"}
    return found[0] if found else Offset(exposure=number, file=str(path), ifu=ifu, **header)


def main():
    targets = {}
    for number, path in enumerate(OBJECTS):
        exposure = read_exposure(path)
        for cube in exposure.cubes:
            if (path, cube.ifu) not in LEFT_OUT:
                placed = without_sky(exposure, cube), offset_of(number, path, cube.ifu)
                targets.setdefault(cube.name, []).append(placed)
    OUT.mkdir(parents=True, exist_ok=True)
    for name, placed in targets.items():
        cubes, offsets = zip(*placed)
        how = {"offsets": offsets} if COMBINE.method == "user" else {}
        cube = combine_cubes(cubes, parameters=COMBINE, **how).cube
        print(write_cube(cube, OUT / f"COMBINE_{safe_name(name)}.fits", overwrite=True))
        if any(star.kind == "star" for star in apertures_inside(cube, STARS)):
            for spectrum in extract_spectra(cube, STARS, method=METHOD, parameters=EXTRACT):
                path = OUT / f"spec_{safe_name(name)}_{safe_name(spectrum.aperture.id)}.fits"
                print(write_spectrum(spectrum, path, overwrite=True))


if __name__ == "__main__":
    main()
'''


def script_text(values: Mapping[str, Any]) -> str:
    """Return the script: what was decided as constants, and below them what is done with these.

    Parameters
    ----------
    values : mapping
        Decisions of a session, by the name of the field. Whatever stands in them, the script has it as data.
    """
    offsets = values["alignment"].offsets
    sky = values["forms"].get("sky-tweak", {})
    combine = {"method": "user" if offsets else "header", **values["forms"].get("combine", {})}
    constants = {
        "OBJECTS": [path.absolute() for path in values["objects"] or values["files"]],
        "SKIES": [path.absolute() for path in values["skies"]],
        "OFFSETS": list(offsets),
        "LEFT_OUT": [(Path(one.file), one.ifu) for one in offsets if left_out(one)],
        "STARS": list(values["apertures"]),
        "SKY_METHOD": sky.get("method", DEFAULT_METHOD),
        "SKY": build_parameters("sky-tweak", sky),
        "COMBINE": build_parameters("combine", combine),
        "METHOD": values["extract_method"],
        "EXTRACT": values["extract_parameters"] or ExtractParameters(),
        "OUT": values["out_dir"],
    }
    return "\n".join([_HEAD, *(f"{name} = {_code(value)}" for name, value in constants.items()), _BODY])


def export_script(values: Mapping[str, Any], path: Path, *, overwrite: bool = False) -> Path:
    """Write the script of `script_text`.

    Raises
    ------
    WriteError
        If the file exists or cannot be written.
    """
    return write_text(script_text(values), path, overwrite=overwrite)


def _code(value: Any) -> str:
    """Return a value as Python reads it; texts are quoted, so that nothing in them is ever run."""
    if isinstance(value, Path):
        return f"Path({str(value)!r})"
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        given = {one.name: getattr(value, one.name) for one in dataclasses.fields(value) if not _is_default(one, value)}
        return f"{type(value).__name__}({', '.join(f'{name}={_code(one)}' for name, one in given.items())})"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{str(key)!r}: {_code(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + "".join(f"\n    {_code(one)}," for one in value) + ("\n]" if value else "]")
    if isinstance(value, tuple):
        return "(" + "".join(f"{_code(one)}, " for one in value) + ")"
    value = value.item() if hasattr(value, "item") else value  # numpy's numbers, in columns of a user's table
    if isinstance(value, float) and not math.isfinite(value):
        return f"float({str(value)!r})"
    return repr(value if isinstance(value, bool | int | float | str) or value is None else str(value))


def _is_default(field: dataclasses.Field[Any], value: Any) -> bool:
    made = field.default_factory() if field.default_factory is not dataclasses.MISSING else field.default
    return bool(getattr(value, field.name) == made)
