"""What a sky subtraction leaves beside the cube: header keywords, record, tables, figures, and what --json tells."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from napari_kmos.io import write_figure, write_record, write_table
from napari_kmos.provenance import Step, defaults_of, parameters_of
from napari_kmos.recipes.outcome import Outcome
from napari_kmos.recipes.zero_points import header_cards
from napari_kmos.report.sky import sky_figure
from napari_kmos.report.sky_tables import band_table, level_table
from napari_kmos.sky import DEFAULT_METHOD
from napari_kmos.spectral.zero_points import zero_point_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_kmos.recipes.sky_tasks import SkyTask
    from napari_kmos.sky import SkyChoice, SkyParameters, SkyResult

#: Defaults of what is no field of the parameter class.
OPTIONS = {"method": DEFAULT_METHOD, "pick": "nearest", "sky_stars": "mask", "sky_masks": "", "ifu": 0}


def describe_step(
    task: SkyTask, options: dict[str, Any], parameters: SkyParameters, results: Sequence[SkyResult]
) -> Step:
    """Describe what was done, with the numbers that go into the header."""
    measured = dict(_choice_keywords(task.choice))
    for result in results:
        measured |= _zero_point(result)
    return Step(
        name="sky-tweak",
        inputs=task.inputs,
        parameters={**options, **parameters_of(parameters)},
        # The method has no default here, so that HISTORY always names it.
        defaults={**{name: OPTIONS[name] for name in OPTIONS if name != "method"}, **defaults_of(parameters)},
        measured=measured | {name: value for result in results for name, value in _keywords(result)},
    )


def _choice_keywords(choice: SkyChoice) -> Iterator[tuple[str, str | float | int]]:
    """Yield which sky was taken and why, and in how many spaxels it had stars."""
    yield "SKY REASON", choice.reason
    for number, (name, left) in enumerate(choice.tried, start=1):
        yield f"SKY TRIED{number} NAME", name
        yield f"SKY TRIED{number} RMS", _short(left)
    for number, (source, weight) in enumerate(zip(choice.sources, choice.weights, strict=True), start=1):
        yield f"SKY{number} NAME", source.exposure.label
        yield f"SKY{number} WEIGHT", _short(weight)
        for ifu, n_masked in source.n_masked.items():
            yield f"SKY{number} MASKED" if ifu is None else f"SKY{number} IFU{ifu} MASKED", n_masked


def _keywords(result: SkyResult) -> Iterator[tuple[str, str | float | int]]:
    """Yield what is told of one IFU in the header; what is not known is left out."""
    start = "SKY" if result.cube.ifu is None else f"SKY IFU{result.cube.ifu}"
    if result.note:
        yield f"{start} NOTE", result.note
    least, most = result.shift_range_pix
    numbers = [("SHIFT", result.shift_pix), ("SHIFT LEAST", least), ("SHIFT MOST", most)]
    numbers += [("RMS BEFORE", result.rms_before), ("RMS AFTER", result.rms_after)]
    numbers.append(("OVER NOISE", result.residual_over_noise))
    numbers += [(f"ROT {group.name.upper()}", group.factor) for group in result.groups]
    for band in result.bands:
        name = band.name.upper()
        numbers += [
            (f"{name} FACTOR", band.factor),
            (f"{name} ERROR", band.error),
            (f"{name} NPIX", band.n_line_pixels),
        ]
        numbers += [(f"{name} RMS BEFORE", band.rms_before), (f"{name} RMS AFTER", band.rms_after)]
        numbers += [(f"{name} OVER NOISE", band.residual_over_noise)]
        numbers += [(f"{name} MISFIT", band.misfit_pix), (f"{name} MISFIT ERROR", band.misfit_error_pix)]
    for name, value in numbers:
        if math.isfinite(value):
            yield f"{start} {name}", value if isinstance(value, int) else _short(value)


def _zero_point(result: SkyResult) -> Mapping[str, float]:
    """Return as keywords where the sky lines lay: without them nothing tells it any more."""
    if result.cube.medium != "vacuum":
        return {}
    return header_cards(result.cube.ifu, zero_point_of(result.object_spectrum, result.wavelength_um))


def _short(value: float) -> float:
    """Round to what a header shows."""
    return float(f"{value:.6g}")


def explain(
    task: SkyTask, step: Step, results: Sequence[SkyResult], *, overwrite: bool, tell: Callable[[str], None]
) -> Outcome:
    """Write what explains the product: record, tables, figures."""
    extras = [write_table(band_table(results), task.table, overwrite=overwrite)]
    if any(result.levels for result in results):
        extras.append(write_table(level_table(results), task.level_table, overwrite=overwrite))
    for result in results if task.with_figures else ():
        tell(f"{task.target.label}: figure of {result.cube.label}")
        extras.append(write_figure(sky_figure(result), task.figure(result.cube), overwrite=overwrite))
    record = write_record(task.product, step, products=(task.product, *extras), overwrite=overwrite)
    return Outcome(
        products=(task.product,), extras=(record, *extras), measured={task.product.name: _measured(task, results)}
    )


def _measured(task: SkyTask, results: Sequence[SkyResult]) -> dict[str, Any]:
    """Return what --json tells of one product."""
    ifus = {
        "cube" if result.cube.ifu is None else str(result.cube.ifu): {
            "target": result.cube.name,
            "sky": result.sky_source,
            "method": result.method,
            "note": result.note,
            "residual_over_noise": result.residual_over_noise,
            "shift_pix": result.shift_pix,
            "shift_range_pix": result.shift_range_pix,
            "rms_before": result.rms_before,
            "rms_after": result.rms_after,
            "groups": {group.name: group.factor for group in result.groups},
            "bands": [dataclasses.asdict(band) for band in result.bands],
        }
        for result in results
    }
    return {"object": task.target.label, "sky": task.choice.label, **_choice_told(task.choice), "ifus": ifus}


def _choice_told(choice: SkyChoice) -> dict[str, Any]:
    """Return what --json tells of the sky that was taken."""
    skies = [
        {
            "file": source.exposure.label,
            "weight": weight,
            "spaxels_with_stars": {str(ifu or "cube"): number for ifu, number in source.n_masked.items()},
        }
        for source, weight in zip(choice.sources, choice.weights, strict=True)
    ]
    tried = [{"file": name, "rms_after": left} for name, left in choice.tried]
    return {"why": choice.reason, "skies": skies, "tried": tried}
