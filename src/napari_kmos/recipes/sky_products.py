"""What a sky subtraction leaves beside the cube: header keywords, record, tables, figures, and what --json tells."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from napari_kmos.io import write_figure, write_record, write_table
from napari_kmos.provenance import Step, defaults_of, parameters_of
from napari_kmos.recipes.outcome import Outcome
from napari_kmos.report.sky import band_table, sky_figure
from napari_kmos.sky import DEFAULT_METHOD

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_kmos.recipes.sky_tasks import SkyTask
    from napari_kmos.sky import SkyParameters, SkyResult


def describe_step(
    task: SkyTask, options: dict[str, Any], parameters: SkyParameters, results: Sequence[SkyResult]
) -> Step:
    """Describe what was done, with the numbers that go into the header."""
    return Step(
        name="sky-tweak",
        inputs=tuple(exposure.path for exposure in (task.target, task.sky) if exposure.path is not None),
        parameters={**options, **parameters_of(parameters)},
        defaults={"method": DEFAULT_METHOD, "pick": "nearest", "ifu": 0, **defaults_of(parameters)},
        measured={name: value for result in results for name, value in _keywords(result)},
    )


def _keywords(result: SkyResult) -> Iterator[tuple[str, float | int]]:
    """Yield what is told of one IFU in the header; numbers that are not known are left out."""
    start = "SKY" if result.cube.ifu is None else f"SKY IFU{result.cube.ifu}"
    numbers = [("SHIFT", result.shift_pix), ("RMS BEFORE", result.rms_before), ("RMS AFTER", result.rms_after)]
    numbers += [(f"ROT {group.name.upper()}", group.factor) for group in result.groups]
    for band in result.bands:
        name = band.name.upper()
        numbers += [(f"{name} FACTOR", band.factor), (f"{name} NPIX", band.n_line_pixels)]
        numbers += [(f"{name} RMS BEFORE", band.rms_before), (f"{name} RMS AFTER", band.rms_after)]
    for name, value in numbers:
        if math.isfinite(value):
            yield f"{start} {name}", value if isinstance(value, int) else float(f"{value:.6g}")


def explain(
    task: SkyTask, step: Step, results: Sequence[SkyResult], *, overwrite: bool, tell: Callable[[str], None]
) -> Outcome:
    """Write what explains the product: record, bands, figures."""
    extras = [write_record(task.product, step, overwrite=overwrite)]
    extras.append(write_table(band_table(results), task.table, overwrite=overwrite))
    for result in results:
        tell(f"{task.target.label}: figure of {result.cube.label}")
        extras.append(write_figure(sky_figure(result), task.figure(result.cube), overwrite=overwrite))
    return Outcome(
        products=(task.product,), extras=tuple(extras), measured={task.product.name: _measured(task, results)}
    )


def _measured(task: SkyTask, results: Sequence[SkyResult]) -> dict[str, Any]:
    """Return what --json tells of one product."""
    ifus = {
        "cube" if result.cube.ifu is None else str(result.cube.ifu): {
            "target": result.cube.name,
            "sky": result.sky_source,
            "shift_pix": result.shift_pix,
            "rms_before": result.rms_before,
            "rms_after": result.rms_after,
            "groups": {group.name: group.factor for group in result.groups},
            "bands": [dataclasses.asdict(band) for band in result.bands],
        }
        for result in results
    }
    return {"object": task.target.label, "sky": task.sky.label, "ifus": ifus}
