"""What a second pass leaves beside the cube: header keywords, record, table, figure, and what --json tells."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_kmos.io import write_figure, write_record, write_table
from napari_kmos.provenance import Step, defaults_of, parameters_of
from napari_kmos.recipes.outcome import Outcome
from napari_kmos.report.sky_residuals import residual_figure
from napari_kmos.sky.residuals import residual_table

if TYPE_CHECKING:
    from astropy.table import Table

    from napari_kmos.cube import Cube
    from napari_kmos.exposure import Exposure
    from napari_kmos.sky import IfuResidual, SecondPass, SecondPassParameters


@dataclass(frozen=True, slots=True, eq=False)
class PassOfIfu:
    """What is left in an IFU, and its second pass with what is left then, if there was one."""

    cube: Cube
    before: IfuResidual
    second: SecondPass | None = None
    after: IfuResidual | None = None

    @property
    def name(self) -> str:
        """Number of the IFU, or that it is the cube of the file."""
        return "cube" if self.cube.ifu is None else str(self.cube.ifu)


@dataclass(frozen=True, slots=True, eq=False)
class PassOfFile:
    """All IFUs with data of a file; the outputs are product, table, figure and record."""

    exposure: Exposure
    outputs: tuple[Path, ...]
    emptier: tuple[int, ...]
    passes: tuple[PassOfIfu, ...]

    @property
    def is_made(self) -> bool:
        """Whether any IFU has a second pass."""
        return any(one.second is not None for one in self.passes)

    @property
    def reason(self) -> str:
        """Why there is no second pass, or not of all IFUs; empty if there is."""
        without = [one.cube.label for one in self.passes if one.second is None]
        if self.exposure.kind != "exposure":
            return "a combined cube has no emptier IFUs to take residual sky from; the table of residuals alone is made"
        if not self.emptier:
            return (
                "no IFU is mostly free of stars, and so there is no second pass; the table of residuals alone is made. "
                "Choose IFUs (--from) or allow more stars (--empty-share)"
            )
        if not self.is_made:
            return (
                f"only {without[0]} is there to take residual sky from, and an IFU does not serve itself; the table of "
                "residuals alone is made"
            )
        return f"no other IFU is there to take residual sky from for {', '.join(without)}; as before" if without else ""


def describe_step(whole: PassOfFile, sources: Sequence[int], parameters: SecondPassParameters) -> Step:
    """Describe what was done, with the numbers that go into the header."""
    path = whole.exposure.path
    return Step(
        name="sky-second-pass",
        inputs=() if path is None else (path,),
        parameters={"from": _listed(sources), **parameters_of(parameters)},
        defaults={"from": "", **defaults_of(parameters)},
        measured={
            "SECOND EMPTIER": _listed(whole.emptier),
            **{k: v for one in whole.passes for k, v in _keywords(one)},
        },
    )


def explain(whole: PassOfFile, step: Step, *, overwrite: bool) -> Outcome:
    """Write table, figure and record; the table is the product where there is no other."""
    product, table, figure, _ = whole.outputs
    write_table(pass_table(whole), table, overwrite=overwrite)
    before, after = [one.before for one in whole.passes], [one.after for one in whole.passes]
    drawn = residual_figure(before, after, whole.emptier, whole.exposure.label, unit=whole.passes[0].cube.unit)
    write_figure(drawn, figure, overwrite=overwrite)
    products = (product,) if whole.is_made else (table,)
    record = write_record(product, step, products=products, overwrite=overwrite)
    beside = (table, figure) if whole.is_made else (figure,)
    return Outcome(products=products, extras=(*beside, record), measured={products[0].name: _measured(whole)})


def pass_table(whole: PassOfFile) -> Table:
    """Return a row an IFU and group: what was left, what is left, and how much was subtracted of which IFUs."""
    table = residual_table([one.before for one in whole.passes], whole.passes[0].cube.unit)
    found = [
        {
            **_amplitude(one.second, group.group),
            "per_spaxel_after": math.nan,
            "mean_after": math.nan,
            **_left(one, group.group),
        }
        for one in whole.passes
        for group in one.before.groups
    ]
    for name in ("amplitude", "amplitude_error", "amplitude_scatter", "per_spaxel_after", "mean_after"):
        table[name] = np.array([row[name] for row in found], dtype=float)
        table[name].info.format = ".4g"
    table["from"] = np.array([row["from"] for row in found], dtype=str)
    return table


def _amplitude(second: SecondPass | None, group: str) -> dict[str, Any]:
    """Return how much of a group was subtracted, and from where it came."""
    if second is None:
        return dict.fromkeys(_AMPLITUDES, math.nan) | {"from": ""}
    sources = _listed(second.template.sources)
    if group not in second.template.name:
        return dict.fromkeys(_AMPLITUDES, 0.0) | {"from": sources}
    index = second.template.name.index(group)
    numbers = second.amplitude[index], second.error[index], second.spaxel[index].std()
    return dict(zip(_AMPLITUDES, map(float, numbers), strict=True)) | {"from": sources}


_AMPLITUDES = ("amplitude", "amplitude_error", "amplitude_scatter")


def _left(one: PassOfIfu, group: str) -> dict[str, float]:
    """Return what is left of a group after the second pass."""
    groups = () if one.after is None else one.after.groups
    return {
        name: number
        for each in groups
        if each.group == group
        for name, number in (("per_spaxel_after", each.per_spaxel), ("mean_after", each.mean))
    }


def _keywords(one: PassOfIfu) -> Iterator[tuple[str, float | str]]:
    """Yield what is told of one IFU in the header."""
    start = "SECOND" if one.cube.ifu is None else f"SECOND IFU{one.cube.ifu}"
    numbers = [("BEFORE", one.before.residual_over_noise)]
    if one.second is not None and one.after is not None:
        yield f"{start} FROM", _listed(one.second.template.sources)
        numbers.append(("AFTER", one.after.residual_over_noise))
        named = zip(one.second.template.name, one.second.amplitude, strict=True)
        numbers += [(f"{name.upper()} AMPL", float(value)) for name, value in named if value]
    for name, number in numbers:
        if math.isfinite(number):
            yield f"{start} {name}", float(f"{number:.4g}")


def _measured(whole: PassOfFile) -> dict[str, Any]:
    """Return what --json tells of one file."""
    ifus = {one.name: {"target": one.cube.name, **_told(one)} for one in whole.passes}
    return {"exposure": whole.exposure.label, "emptier": list(whole.emptier), "reason": whole.reason, "ifus": ifus}


def _told(one: PassOfIfu) -> dict[str, Any]:
    """Return what --json tells of one IFU."""
    told: dict[str, Any] = {"empty_share": one.before.empty_share, "before": one.before.residual_over_noise}
    if one.second is None or one.after is None:
        return told
    named = zip(one.second.template.name, one.second.amplitude, one.second.error, strict=True)
    return told | {
        "after": one.after.residual_over_noise,
        "from": list(one.second.template.sources),
        "same_detector": one.second.template.same_detector,
        "amplitudes": {
            name: {"amplitude": float(value), "error": float(error)} for name, value, error in named if value
        },
    }


def _listed(numbers: Sequence[int]) -> str:
    return ",".join(map(str, numbers))
