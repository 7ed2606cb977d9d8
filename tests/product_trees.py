"""Folder trees as two groups of users have them, filled with small exposures."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import factories

from napari_kmos.io import write_exposure

MINUTE = 1 / 1440


def put(
    path: Path,
    *,
    mjd: float,
    ob: str = "GC_OB1",
    ifus: Sequence[int] = (3, 5, 22),
    category: str = "SCI_RECONSTRUCTED",
    kind: str = "O",
    band: str = "K",
    shape: tuple[int, int, int] = (8, 3, 4),
) -> Path:
    """Write a small exposure."""
    exposure = factories.make_exposure(ifus=ifus, band=band, mjd=mjd, seed=int(mjd * 1e5) % 9973, shape=shape)
    exposure.header["HIERARCH ESO OBS NAME"] = ob
    exposure.header["HIERARCH ESO PRO CATG"] = category
    for ifu in ifus:
        exposure.header[f"HIERARCH ESO OCS ARM{ifu} TYPE"] = kind
    path.parent.mkdir(parents=True, exist_ok=True)
    return write_exposure(dataclasses.replace(exposure, ob_name=ob), path)


def reflex_tree(base: Path) -> Path:
    """Products of Reflex, named by OB and time, in one folder: two visits, a sky OB amid each, arms all of type O."""
    for period, start in (("p105", 59000.0), ("p107", 59400.0)):
        for number, half in ((0, 1), (1, 1), (3, 2), (4, 2)):
            ob = f"comoving_group_mosaic_K_Half{half}"
            put(
                base / period / f"{ob}_SINGLE_CUBES_KMOS.{period}_{number}.fits",
                mjd=start + number * MINUTE * 10,
                ob=ob,
            )
        sky = "comoving_group_mosaic_K_Sky"
        put(base / period / f"{sky}_SINGLE_CUBES_KMOS.{period}_2.fits", mjd=start + 20 * MINUTE, ob=sky)
    return base


def concatenation_tree(base: Path) -> Path:
    """One folder a concatenation, with the sky in a folder of its own and nothing else to tell it by."""
    for number, folder in enumerate(("OB1", "Sky", "OB2")):
        name = f"KMOS.2026-05-0{number + 1}T03:00:00.000"
        path = base / "con1" / folder / "2026-05-01" / f"{name}_tpl" / f"P0_SINGLE_CUBES_{name}.fits"
        put(path, mjd=61000 + number * MINUTE * 30, ob=f"P0_{number}")
    put(base / "con1/OB1/sky_tweak/SKY_TWEAK.fits", mjd=61000, ob="P0_0")
    return base
