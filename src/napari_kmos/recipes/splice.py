"""Join cubes of one observation that are right in different ranges of wavelengths, and write one cube."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from napari_kmos.calls import recorded
from napari_kmos.combine import SpliceParameters, SpliceResult, splice_cubes
from napari_kmos.errors import KmosError
from napari_kmos.io import read_exposure, write_cube, write_record
from napari_kmos.io.names import names_apart
from napari_kmos.progress import Progress, silent
from napari_kmos.provenance import Step, defaults_of, parameters_of
from napari_kmos.recipes.outcome import Outcome
from napari_kmos.recipes.product_cube import check_product, product_category


@recorded(out="out")
def splice(
    files: Sequence[Path | str],
    out: Path | str,
    *,
    parameters: SpliceParameters | None = None,
    ifu: int | None = None,
    overwrite: bool = False,
    progress: Progress = silent,
) -> Outcome:
    """Join cubes of one observation plane by plane, as after fits of the telluric lines in different windows.

    Parameters
    ----------
    files : sequence of path
        Two or more in the order of their wavelengths: combined cubes, mosaics or exposures, each of the whole grid;
        they are read, and the product is written, a few planes at a time.
    out : path
        File to write.
    parameters : SpliceParameters, optional
        Where and how; the defaults, which are for three cubes of the K band, if not given.
    ifu : int, optional
        The IFU, where the files hold several.
    overwrite : bool
        Replace products that exist.
    progress : Progress
        Told the planes written; it may raise `Cancelled`, and then no half-written file is left.

    Returns
    -------
    Outcome
        Product: the cube, with noise where any input has it. Extra: the record. Measured: ``parts``, for each its
        ``file``, ``planes`` (0-based and without its end), ``wavelength_um`` (first and last plane), ``level`` and
        ``level_error``; and ``joints``, for each its ``edge_um``, the planes of its ``fade``, and the ``ratio`` of the
        fluxes at it before any match, with ``ratio_error``.

    Raises
    ------
    KmosError
        If a file cannot be used, follows itself, or number of files and edges do not fit together.
    GeometryError
        If the cubes, or edges and fades, do not fit together.
    WriteError
        If the product exists and may not be replaced, is an input, or has the name of another kind of file.
    """
    p = parameters or SpliceParameters()
    paths = tuple(Path(file) for file in files)
    target = check_product(Path(out), paths, overwrite)
    exposures = [read_exposure(path) for path in paths]
    _check_neighbours(paths)
    result = splice_cubes([exposure.cube(ifu) for exposure in exposures], parameters=p)
    told = _measured(result, names_apart(paths))
    step = Step(
        name="splice",
        inputs=paths,
        parameters={**_shown(parameters_of(p)), "ifu": ifu or 0},
        defaults={**_shown(defaults_of(p)), "ifu": 0},
        measured=_cards(told),
    )
    write_cube(
        result.cube,
        target,
        step=step,
        primary=exposures[0].header,
        category=product_category(exposures[0]),
        overwrite=overwrite,
        progress=progress,
    )
    record = write_record(target, step, overwrite=overwrite)
    return Outcome(products=(target,), extras=(record,), measured=told)


def _check_neighbours(paths: Sequence[Path]) -> None:
    """Refuse a file that follows itself: there is nothing to join."""
    for first, second in itertools.pairwise(paths):
        if first.samefile(second):
            msg = f"{second}: follows itself; give the cubes in the order of their wavelengths, a file of its own each"
            raise KmosError(msg)


def _shown(parameters: dict[str, Any]) -> dict[str, Any]:
    """Parameters as one types them."""
    return {**parameters, "edges": ",".join(f"{edge:.8g}" for edge in parameters["edges"])}


def _measured(result: SpliceResult, names: Sequence[str]) -> dict[str, Any]:
    """Return what is told of the parts and the joints."""
    parts = [
        {
            "file": name,
            "planes": [part.planes.start, part.planes.stop],
            "wavelength_um": list(part.wavelength_um),
            "level": part.level.value,
            "level_error": part.level.error,
        }
        for name, part in zip(names, result.parts, strict=True)
    ]
    joints = [
        {
            "edge_um": joint.edge_um,
            "fade": [joint.fade.start, joint.fade.stop],
            "ratio": joint.ratio.value,
            "ratio_error": joint.ratio.error,
        }
        for joint in result.joints
    ]
    return {"parts": parts, "joints": joints}


def _cards(told: dict[str, Any]) -> dict[str, Any]:
    """Return what the header tells of it; planes are counted from 1 there, their last one included."""
    cards: dict[str, Any] = {}
    for number, part in enumerate(told["parts"], start=1):
        cards[f"SPLICE PART{number} FILE"] = part["file"]
        cards[f"SPLICE PART{number} PLANES"] = _span(part["planes"])
        cards[f"SPLICE PART{number} UM"] = "{:.6f}-{:.6f}".format(*part["wavelength_um"])
        cards[f"SPLICE PART{number} LEVEL"] = part["level"]
        cards[f"SPLICE PART{number} LEVELERR"] = part["level_error"]
    for number, joint in enumerate(told["joints"], start=1):
        cards[f"SPLICE JOINT{number} FADE"] = _span(joint["fade"])
        cards[f"SPLICE JOINT{number} RATIO"] = joint["ratio"]
        cards[f"SPLICE JOINT{number} RATIOERR"] = joint["ratio_error"]
    return {name: value for name, value in cards.items() if isinstance(value, str) or math.isfinite(value)}


def _span(planes: list[int]) -> str:
    """Planes counted from 1."""
    first, stop = planes
    return f"{first + 1}-{stop}" if stop > first else "none"
