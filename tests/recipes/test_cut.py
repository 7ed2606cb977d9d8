"""IFUs and halves cut out of mosaics: what is cut is what was there, wherever the places come from."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import factories
import numpy as np
import pytest
from astropy import units as u
from astropy.io import fits
from dithered_files import Visit, write_visits

from napari_kmos.combine import CombineParameters
from napari_kmos.errors import GeometryError, KmosError, KmosWarning, NotKmosError, WriteError
from napari_kmos.io import read_cube, read_cuts, read_exposure, read_exposure_times, write_cube, write_offsets
from napari_kmos.offset import Offset
from napari_kmos.progress import Cancelled
from napari_kmos.recipes.combine import combine
from napari_kmos.recipes.cut import cut
from napari_kmos.recipes.cut_parameters import CutParameters, CutSource, parse_ifus
from napari_kmos.spatial.wcs import pixel_to_pixel, pixel_to_sky

#: Dithers of whole and broken spaxels; two exposures, an interruption, two exposures.
VISITS = tuple(Visit(dither=dither) for dither in ((0.0, 0.0), (0.6, -0.4), (0.25, 2.4), (-0.31, 2.87)))
MINUTES = (0, 3, 30, 33)
IFUS = (3, 12)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four exposures of two IFUs, their mosaic, and the log that `kmos_combine` would have written."""
    folder = tmp_path_factory.mktemp("cut")
    files = write_visits(folder, VISITS)
    for file, minutes in zip(files, MINUTES, strict=True):
        with fits.open(file, mode="update") as hdus:
            hdus[0].header["MJD-OBS"] = 59000.2 + minutes / 1440
    _combined(files, folder)
    (folder / "esorex.log").write_text(_log(files, folder))
    return folder


@pytest.fixture
def files(folder: Path) -> list[Path]:
    return [folder / f"exp{number}.fits" for number in range(4)]


@pytest.fixture
def mosaic(folder: Path) -> Path:
    return folder / "COMBINE_mosaic.fits"


def _combined(files: list[Path], out: Path, **kwargs: object) -> Path:
    parameters = kwargs.pop("parameters", CombineParameters(cmethod="average"))
    return combine(files, out, mosaic=True, parameters=parameters, **kwargs).products[0]


def _log(files: list[Path], folder: Path) -> str:
    """Shifts of one point of the sky, x_i - x_0 and y_0 - y_i."""
    mosaic = read_cube(folder / "COMBINE_mosaic.fits")
    cubes = [(file.name, cube) for file in files for cube in read_exposure(file).cubes]
    corners = [pixel_to_pixel(cube.wcs, mosaic.wcs, 0.0, 0.0) for _, cube in cubes]
    (y0, x0), lines = corners[0], ["EsoRex"]
    for (name, cube), (y, x) in zip(cubes, corners, strict=True):
        lines.append(f"[{name}, IFU {cube.ifu}] Shifts in x: {x0 - x:7.3f} pix, in y: {y - y0:7.3f} pix")
    return "\n".join(lines)


def _check(product: Path, told: dict, mosaic: Path) -> None:
    """The spaxels of the mosaic, and where they were."""
    whole, part = read_cube(mosaic), read_cube(product)
    key = (slice(None), slice(*told["rows"]), slice(*told["columns"]))
    for name in ("flux", "noise"):
        np.testing.assert_array_equal(np.asarray(getattr(part, name)), np.asarray(getattr(whole, name))[key])
    place = pixel_to_sky(whole.wcs, told["rows"][0], told["columns"][0])
    assert pixel_to_sky(part.wcs, 0, 0) == pytest.approx(place, abs=1e-10)
    np.testing.assert_allclose(part.wavelength_um, whole.wavelength_um, rtol=1e-12)
    assert (part.ifu, part.unit) == (told["ifu"], whole.unit)


def test_halves_are_cut_by_the_exposures(folder: Path, files: list[Path], mosaic: Path, tmp_path: Path):
    outcome = cut(mosaic, tmp_path / "new", source=CutSource(exposures=files))
    names = [f"COMBINE_mosaic_IFU{ifu}_half{half}.fits" for ifu in IFUS for half in (1, 2)]
    assert [path.name for path in outcome.products] == names
    for product in outcome.products:
        told = outcome.measured[product.name]
        _check(product, told, mosaic)
        members = files[:2] if told["half"] == 1 else files[2:]
        whole = read_cube(mosaic).wcs
        corners = []
        for file in members:
            cube = read_cube(file, told["ifu"])
            outer = np.array([[-0.5, cube.shape[1] - 0.5], [-0.5, cube.shape[2] - 0.5]])
            corners.append(pixel_to_pixel(cube.wcs, whole, *outer))
        low, high = np.min(corners, axis=(0, 2)), np.max(corners, axis=(0, 2))
        assert np.floor(low + 0.51).tolist() == [told["rows"][0], told["columns"][0]]
        assert np.ceil(high + 0.49).tolist() == [told["rows"][1], told["columns"][1]]


def test_a_half_tells_of_its_own_exposures(folder: Path, files: list[Path], mosaic: Path, tmp_path: Path):
    """By the exposures and by the dates in a log; of a half that only a table tells nothing is known."""

    def minutes_of(products) -> list[list[float]]:
        times = [read_exposure_times(fits.getheader(product)) for product in products]
        return [[round((one.middle_mjd - 59000.2) * 1440 - one.seconds / 120, 2) for one in part] for part in times]

    parameters = CutParameters(ifus="12")
    by_exposures = cut(mosaic, tmp_path / "a", source=CutSource(exposures=files), parameters=parameters)
    assert minutes_of(by_exposures.products) == [[0, 3], [30, 33]]
    header = fits.getheader(by_exposures.products[1])
    assert "ESO QC COMBINE MJD3" not in header
    assert header["ESO QC COMBINE MJDMEAN"] > 59000.2 + 30 / 1440
    log = (folder / "esorex.log").read_text()
    for number, minutes in enumerate(MINUTES):
        log = log.replace(f"exp{number}.fits", f"tpl/KMOS.2020-05-31T04:{minutes + 48:02d}:00.880.fits")
    (tmp_path / "dated.log").write_text(log.replace("04:78", "05:18").replace("04:81", "05:21"))
    by_log = cut(mosaic, tmp_path / "b", source=CutSource(log=tmp_path / "dated.log"), parameters=parameters)
    assert minutes_of(by_log.products) == [[0, 3], [30, 33]]
    (table,) = (one for one in by_exposures.extras if one.name.endswith("_cuts.ecsv"))
    by_table = cut(mosaic, tmp_path / "c", source=CutSource(table=table), parameters=parameters)
    assert minutes_of(by_table.products) == [[], []]
    whole = cut(mosaic, tmp_path / "d", source=CutSource(log=folder), parameters=CutParameters(ifus="12", halves=False))
    assert minutes_of(whole.products) == [[0, 3, 30, 33]]


def test_the_product_says_from_which_pixels_it_is(files: list[Path], mosaic: Path, tmp_path: Path):
    outcome = cut(mosaic, tmp_path, source=CutSource(exposures=files), parameters=CutParameters(ifus="12"))
    product = outcome.products[1]
    told = outcome.measured[product.name]
    header = fits.getheader(product)
    assert [header[f"ESO QC CUT {key}"] for key in ("IFU", "HALF")] == [12, 2]
    assert [header[f"ESO QC CUT {key}"] - 1 for key in "XY"] == [told["columns"][0], told["rows"][0]]
    assert [header[f"ESO QC CUT {key}"] for key in ("NY", "NX")] == told["shape"][1:]
    assert "cut: COMBINE_mosaic.fits, exp0.fits" in "".join(header["HISTORY"]).replace("\n", "")
    record = json.loads(product.with_suffix(".json").read_text())
    assert (record["step"], len(record["inputs"])) == ("cut", 5)
    rows = read_cuts(outcome.extras[-1])
    assert [(row.ifu, row.half) for row in rows] == [(12, 1), (12, 2)]


def test_what_is_cut_goes_back_into_its_mosaic(files: list[Path], mosaic: Path, tmp_path: Path):
    outcome = cut(mosaic, tmp_path, source=CutSource(exposures=files), parameters=CutParameters(halves=False))
    assert [path.name for path in outcome.products] == [f"COMBINE_mosaic_IFU{ifu}.fits" for ifu in IFUS]
    whole = read_cube(mosaic)
    for name in ("flux", "noise"):
        back = np.full(whole.shape, np.nan, dtype=np.float32)
        for product in outcome.products:
            told = outcome.measured[product.name]
            back[:, slice(*told["rows"]), slice(*told["columns"])] = getattr(read_cube(product), name)
        np.testing.assert_array_equal(back, np.asarray(getattr(whole, name)))


def test_the_log_of_kmos_combine_says_the_same(folder: Path, files: list[Path], mosaic: Path, tmp_path: Path):
    by_exposures = cut(mosaic, tmp_path / "a", source=CutSource(exposures=files))
    by_log = cut(mosaic, tmp_path / "b", source=CutSource(log=folder, exposures=files))
    # The log's shifts are rounded to 0.001 spaxel, less than what is passed over at an edge. To `kmos_combine` an IFU
    # is square; those here lack the first row.
    for name, told in by_exposures.measured.items():
        assert by_log.measured[name]["columns"] == told["columns"]
        assert by_log.measured[name]["rows"] == [told["rows"][0] - 1, told["rows"][1]]


def test_halves_of_a_log_by_the_dates_of_its_frames(folder: Path, mosaic: Path, tmp_path: Path):
    log = (folder / "esorex.log").read_text()
    with pytest.warns(KmosWarning, match="not all exposures tell when they were taken"):
        whole = cut(mosaic, tmp_path / "whole", source=CutSource(log=folder / "esorex.log"))
    assert [told["half"] for told in whole.measured.values()] == [None, None]
    for number, minutes in enumerate(MINUTES):
        log = log.replace(f"exp{number}.fits", f"tpl/KMOS.2021-06-03T04:{minutes + 10}:43.880.fits")
    (tmp_path / "dated.log").write_text(log)
    halves = cut(mosaic, tmp_path / "halves", source=CutSource(log=tmp_path / "dated.log"))
    assert [told["half"] for told in halves.measured.values()] == [1, 2, 1, 2]


def test_a_log_of_another_run_is_told_or_placed_by_hand(folder: Path, files: list[Path], mosaic: Path, tmp_path: Path):
    log = tmp_path / "esorex.log"
    log.write_text("[IFU 7] in x: 27 pix, in y: 0 pix\n[IFU 9] in x: 5 pix, in y: -2 pix\n")
    with pytest.raises(GeometryError, match=r"IFUs with its shifts cover 41 x 16 spaxels, the mosaic has"):
        cut(mosaic, tmp_path, source=CutSource(log=log))
    chosen = CutParameters(origin=(205, 5), halves=False)
    with pytest.warns(KmosWarning, match="the reference is not logged"):
        outcome = cut(mosaic, tmp_path, source=CutSource(log=log), parameters=chosen)
    told = outcome.measured["COMBINE_mosaic_IFU7.fits"]
    assert (told["columns"], told["rows"]) == ([177, 191], [4, 18])
    with pytest.raises(KmosError, match=r"its frame \(without a name\) is not among the exposures"):
        cut(mosaic, tmp_path, source=CutSource(log=log, exposures=files), parameters=chosen)


def test_the_reference_of_the_users_mosaics_begins_where_they_found_it(tmp_path: Path):
    """In their mosaics of 650 x 433 a shift of zero is an IFU that begins in column 217 and ends with row 433."""
    wcs = factories.make_wcs(rotation_deg=105, scale_arcsec=0.1)
    flux = np.ones((2, 433, 650), dtype=np.float32)
    cube = factories.make_cube(shape=(2, 4, 5))
    whole = dataclasses.replace(cube, flux=flux, noise=None, wcs=wcs, wavelength=[2.1, 2.2] * u.um, ifu=None)
    mosaic = write_cube(whole, tmp_path / "users.fits")
    corners = [(27 * (8 - column), 27 * (row - 15)) for column in (0, 23) for row in (0, 15)]
    lines = [f"[f, IFU {ifu}] in x: {dx} pix, in y: {dy} pix" for ifu, (dx, dy) in enumerate([(0, 0), *corners], 1)]
    (tmp_path / "esorex.log").write_text("\n".join(lines))
    source = CutSource(log=tmp_path / "esorex.log")
    outcome = cut(mosaic, tmp_path / "out", source=source, parameters=CutParameters(halves=False))
    told = outcome.measured["users_IFU1.fits"]
    assert (told["columns"], told["rows"]) == ([217, 245], [405, 433])
    assert outcome.measured["users_IFU4.fits"]["columns"] == [622, 650]


def test_a_table_says_it_and_is_left_alone(files: list[Path], mosaic: Path, tmp_path: Path):
    first = cut(mosaic, tmp_path, source=CutSource(exposures=files))
    table = first.extras[-1]
    before = table.read_bytes()
    chosen = CutParameters(ifus="3")
    again = cut(mosaic, tmp_path, source=CutSource(table=table), parameters=chosen, overwrite=True)
    assert table.read_bytes() == before
    assert again.measured == {name: told for name, told in first.measured.items() if told["ifu"] == 3}
    with pytest.raises(WriteError, match=r"IFU3_half1\.json: exists already"):
        cut(mosaic, tmp_path, source=CutSource(table=table))


def test_what_lies_over_the_edge_is_no_data_and_what_lies_outside_is_told(mosaic: Path, tmp_path: Path):
    table = tmp_path / "cuts.csv"
    table.write_text("ifu,x,y,n_x,n_y\n3,-4,1,14,11\n7,5000,1,14,14\n")
    with pytest.warns(KmosWarning, match="not cut out: IFU 7: outside the mosaic, at x 5000 to 5013, y 1 to 14"):
        outcome = cut(mosaic, tmp_path, source=CutSource(table=table))
    part = np.asarray(read_cube(outcome.products[0]).flux)
    assert part.shape[1:] == (11, 14)
    assert np.isnan(part[:, :, :5]).all()
    np.testing.assert_array_equal(part[:, :, 5:], np.asarray(read_cube(mosaic).flux)[:, :11, :9])
    table.write_text("ifu,x,y\n7,5000,1\n")
    with pytest.raises(GeometryError, match=r"no IFU to cut out of its \d+ x \d+ spaxels \(IFU 7: outside"):
        cut(mosaic, tmp_path, source=CutSource(table=table))
    with pytest.raises(GeometryError, match="IFU 9: nothing tells where"):
        cut(mosaic, tmp_path, source=CutSource(table=table), parameters=CutParameters(ifus="9"))


def test_offsets_move_the_places_as_they_moved_the_exposures(files: list[Path], mosaic: Path, tmp_path: Path):
    """All exposures moved by 5 columns west and 3 rows north, against a mosaic that stays."""
    rows = [
        Offset(exposure=n, file=f.name, ifu=i, dra_arcsec=-1.0, ddec_arcsec=0.6, err_arcsec=0.1, method="user")
        for n, f in enumerate(files)
        for i in IFUS
    ]
    table = write_offsets(rows, tmp_path / "offsets.ecsv")
    plain = cut(mosaic, tmp_path / "a", source=CutSource(exposures=files))
    moved = cut(mosaic, tmp_path / "b", source=CutSource(exposures=files, offsets=table))
    for name, told in plain.measured.items():
        assert [one + 3 for one in told["rows"]] == moved.measured[name]["rows"]
        assert [one + 5 for one in told["columns"]] == moved.measured[name]["columns"]
    with pytest.raises(KmosError, match="offsets correct the coordinates of exposures"):
        CutSource(table=table, offsets=table)


def test_a_mosaic_of_other_pixels_is_cut_where_the_sky_is(folder: Path, files: list[Path], tmp_path: Path):
    fine = _combined(files[:2], tmp_path, parameters=CombineParameters(cmethod="average", pix_scale=0.1))
    outcome = cut(fine, tmp_path / "out", source=CutSource(exposures=files[:2]))
    told = outcome.measured["COMBINE_mosaic_IFU3.fits"]
    # 14 x 13 spaxels of 0.2 arcsec, the second moved by 3 and 2 of them
    assert told["shape"][1:] == [2 * (13 + 2), 2 * (14 + 3)]
    _check(outcome.products[0], told, fine)


def test_a_wide_cut_keeps_its_ifu(mosaic: Path, tmp_path: Path):
    """An IFU of a mapping is as wide as a small mosaic."""
    (tmp_path / "cuts.csv").write_text("ifu,half,x,y,n_x,n_y\n12,2,1,1,54,50\n")
    outcome = cut(mosaic, tmp_path, source=CutSource(table=tmp_path / "cuts.csv"))
    read = read_exposure(outcome.products[0])
    assert (read.kind, read.cube().ifu) == ("combined", 12)
    assert read_exposure(mosaic).kind == "mosaic"


def test_an_ifu_that_looked_at_two_places_is_told(mosaic: Path, tmp_path: Path):
    swapped = write_visits(tmp_path, (VISITS[0], dataclasses.replace(VISITS[1], arms=((3, "gc2"), (12, "gc1")))))
    with pytest.warns(KmosWarning, match=r"IFU \d+: looked at places far apart \(gc\d, gc\d\); the cut of"):
        cut(mosaic, tmp_path, source=CutSource(exposures=swapped), parameters=CutParameters(halves=False))


def test_what_is_no_mosaic_is_told(files: list[Path], mosaic: Path, tmp_path: Path):
    with pytest.raises(KmosError, match="holds 2 cubes; expected a mosaic"):
        cut(files[0], tmp_path, source=CutSource(exposures=files))
    with pytest.raises(KmosError, match="does not tell which IFU it is"):
        cut(mosaic, tmp_path, source=CutSource(exposures=[mosaic]))
    bare = tmp_path / "bare.fits"
    fits.writeto(bare, np.ones((6, 20, 30), dtype=np.float32))
    with pytest.raises(NotKmosError, match="expected world coordinates"):
        cut(bare, tmp_path, source=CutSource(exposures=files))
    for wrong, match in (({}, "give one of them"), ({"table": bare, "log": bare}, "the table or the others")):
        with pytest.raises(KmosError, match=match):
            CutSource(**wrong)


def test_cancelled_it_leaves_nothing_half_written(files: list[Path], mosaic: Path, tmp_path: Path):
    def stop(done: int, total: int, text: str) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        cut(mosaic, tmp_path / "sub", source=CutSource(exposures=files), progress=stop)
    assert not list(tmp_path.rglob("*"))  # nor the folder


def test_lists_of_ifus():
    assert parse_ifus(" 1,3, 5-7;24") == {1, 3, 5, 6, 7, 24}
    assert parse_ifus("all") == frozenset()
    for text in ("25", "0", "7-5", "-3", "", ","):
        with pytest.raises(KmosError, match="expected numbers"):
            CutParameters(ifus=text)
    with pytest.raises(KmosError, match="expected numbers and ranges"):
        CutParameters(ifus="one")
    with pytest.raises(KmosError, match="gap_minutes is -1"):
        CutParameters(gap_minutes=-1)
