"""``napari-kmos info``: what files hold and how they were made."""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_kmos.cli.options import add_files
from napari_kmos.cli.tables import aligned, history_lines
from napari_kmos.recipes.info import info

if TYPE_CHECKING:
    from napari_kmos.progress import Progress
    from napari_kmos.recipes.outcome import Outcome

NAME = "info"
HELP = "Say what KMOS files hold - IFUs, targets, sizes, WCS, wavelengths, unit, noise - and how they were made."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    add_files(parser, "exposures, combined cubes, mosaics, images, exposure masks or spectra")


def run(args: argparse.Namespace, progress: Progress) -> Outcome:
    """Read the headers."""
    return info(args.files)


def describe(outcome: Outcome) -> str:
    """Return a table a file."""
    return "\n\n".join("\n".join(_lines(facts)) for facts in outcome.measured["files"])


def _lines(facts: Mapping[str, Any]) -> list[str]:
    """Return the lines of one file."""
    facts = {"cubes": [], "images": [], "unused_arms": {}, "recipes": [], "history": [], **facts}
    head = (facts["kind"], facts.get("category"), facts.get("band"), facts.get("date"))
    lines = [f"{Path(facts['file']).name}: {', '.join(str(part) for part in head if part)}", *_observation(facts)]
    lines += aligned([_row(item) for item in (*facts["cubes"], *facts["images"])])
    if "spectrum" in facts:
        lines += aligned([_spectrum_row(facts["spectrum"])])
    if facts["cubes"] and facts["unused_arms"]:
        lines.append(f"  arms without data: {_unused(facts['unused_arms'])}")
    for extension in facts.get("unused_extensions", ()):
        lines.append(f"  not used: {extension['name']} ({extension['reason']})")
    lines += history_lines(facts["recipes"])
    # A history line of ours says what its block said above, in full.
    others = [line for line in facts["history"] if not line.startswith("napari-kmos ")]
    return lines + [f"  history: {line}" for line in others]


def _unused(arms: Mapping[int, str]) -> str:
    """Return the arms without data by reason, neighbours as a range."""
    by_reason: dict[str, list[int]] = {}
    for arm, why in arms.items():
        by_reason.setdefault(why, []).append(int(arm))
    return "; ".join(f"{_ranges(numbers)} ({why})" for why, numbers in by_reason.items())


def _ranges(numbers: list[int]) -> str:
    """Write numbers as 1-3, 5, 7-9."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)


def _observation(facts: Mapping[str, Any]) -> list[str]:
    """Return the line that says what was observed, if the file tells."""
    parts = [f"{label} {facts[key]}" for key, label in (("object", "object"), ("ob", "OB")) if facts.get(key)]
    if facts.get("template"):
        parts.append(str(facts["template"]))
    if any(facts.get("dither_arcsec", ())):
        east, north = facts["dither_arcsec"]
        parts.append(f'dither {east:+.2f}" E {north:+.2f}" N')
    if facts.get("rotation_deg"):
        parts.append(f"rotator offset {facts['rotation_deg']:.2f} deg")
    return [f"  {', '.join(parts)}"] if parts else []


def _row(item: Mapping[str, Any]) -> dict[str, str]:
    """Return the cells of a cube or image."""
    n_y, n_x = item["size_yx"]
    ra, dec = item["centre_deg"]
    return {
        "IFU": "-" if item["ifu"] is None else str(item["ifu"]),
        "target": item["target"] or "-",
        "role": item.get("role", ""),
        "x,y": f"{n_x} x {n_y}",
        "planes": str(item.get("planes", "")),
        "wavelength": _range(item) if "planes" in item else "",
        "centre (deg)": f"{ra:.6f} {dec:+.6f}",
        "spaxel": f'{item["scale_arcsec"]:.3f}"',
        "PA": f"{item['position_angle_deg']:.1f}",
        "unit": item["unit"],
        "noise": item["noise"],
        "exptime": f"{item['exptime_s']:g} s" if item.get("exptime_s") is not None else "",
    }


def _spectrum_row(item: Mapping[str, Any]) -> dict[str, str]:
    """Return the cells of a spectrum."""
    return {
        "id": item["id"],
        "kind": item["kind"],
        "IFU": "-" if item["ifu"] is None else str(item["ifu"]),
        "target": item["target"] or "-",
        "position (deg)": f"{item['ra_deg']:.6f} {item['dec_deg']:+.6f}",
        "radius": f'{item["radius_arcsec"]:.2f}"',
        "planes": str(item["planes"]),
        "wavelength": _range(item),
        "unit": item["unit"],
        "SNR": f"{item['snr']:.1f}" if math.isfinite(item["snr"]) else "-",
        "note": item["note"],
    }


def _range(item: Mapping[str, Any]) -> str:
    """Write a wavelength range."""
    start, end = item["wavelength_um"]
    return f"{start:.4f}-{end:.4f} um {item.get('medium', '')}".strip()
