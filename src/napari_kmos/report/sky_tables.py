"""Tables of sky subtractions: the bands and the upper levels of each IFU."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from astropy.table import Table
    from astropy.units import UnitBase

    from napari_kmos.cube import Cube
    from napari_kmos.sky.result import SkyResult

_BAND_NUMBERS = (
    "start_um", "end_um", "factor", "error", "residual_over_noise", "rms_before", "rms_after", "misfit_pix",
    "misfit_error_pix", "misfit_share",
)  # fmt: skip
_LEVEL_NUMBERS = ("factor", "error", "light")
#: Columns in the unit of the flux.
_IN_FLUX = ("rms_before", "rms_after", "light")


def band_table(results: Iterable[SkyResult]) -> Table:
    """Return a row for each IFU and band: range, factor, line pixels, residuals; IFU -1 is not known."""
    rows = [(result, band) for result in results for band in result.bands]
    table = _begun([result.cube for result, _ in rows])
    table["method"] = np.array([result.method for result, _ in rows], dtype=str)
    bands = [band for _, band in rows]
    table["band"] = np.array([band.name for band in bands], dtype=str)
    _add_numbers(table, bands, _BAND_NUMBERS, _flux_unit(rows))
    table["n_line_pixels"] = np.array([band.n_line_pixels for band in bands], dtype=int)
    table["fitted"] = np.array([band.fitted for band in bands], dtype=bool)
    return table


def level_table(results: Iterable[SkyResult]) -> Table:
    """Return a row for each IFU and upper level, as `LevelFactor` has them; IFU -1 is not known."""
    rows = [(result, level) for result in results for level in result.levels]
    table = _begun([result.cube for result, _ in rows])
    levels = [level for _, level in rows]
    for name in ("v", "n", "f"):
        table[name] = np.array([getattr(level, name) for level in levels], dtype=int)
    _add_numbers(table, levels, _LEVEL_NUMBERS, _flux_unit(rows))
    return table


def _begun(cubes: list[Cube]) -> Table:
    """Return a table of IFUs and targets."""
    from astropy.table import Table

    table = Table()
    table["ifu"] = np.array([-1 if cube.ifu is None else cube.ifu for cube in cubes], dtype=int)
    table["target"] = np.array([cube.name for cube in cubes], dtype=str)
    return table


def _flux_unit(rows: Sequence[tuple[SkyResult, Any]]) -> UnitBase | None:
    """Return the unit of the flux; None if it is not known."""
    return rows[0][0].cube.unit if rows else None


def _add_numbers(table: Table, rows: list[Any], names: Iterable[str], flux_unit: UnitBase | None) -> None:
    """Add a column for each field of the rows, in the unit of the flux or the one its name ends with."""
    for name in names:
        table[name] = np.array([getattr(row, name) for row in rows], dtype=float)
        units = {"um": "um", "pix": "pixel"}
        table[name].unit = flux_unit if name in _IN_FLUX else units.get(name.rpartition("_")[2])
        table[name].info.format = ".6g"
