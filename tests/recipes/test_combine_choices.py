"""What goes into a product, and what does not fit together: subsets, dropped files, few exposures, bad input."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from astropy import units as u
from astropy.io import fits
from dithered_files import VISITS, make_visit, write_visits

from napari_kmos.cli.main import main
from napari_kmos.combine import CombineParameters
from napari_kmos.errors import AlignmentError, GeometryError, KmosError, KmosWarning
from napari_kmos.io import read_cube, write_exposure, write_offsets
from napari_kmos.offset import Offset
from napari_kmos.recipes.combine import combine

AVERAGE = CombineParameters(cmethod="average")


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return write_visits(tmp_path_factory.mktemp("night"))


def with_cubes(number, path, **facts):
    """Write an exposure whose cubes are changed; a fact may be a function of the cube."""
    made = make_visit(VISITS[number], number, crowded=False, sigma=0.1)
    arms = []
    for arm in made.arms:
        if arm.cube is not None:
            told = {name: value(arm.cube) if callable(value) else value for name, value in facts.items()}
            arm = dataclasses.replace(arm, cube=dataclasses.replace(arm.cube, **told))
        arms.append(arm)
    return write_exposure(dataclasses.replace(made, arms=tuple(arms)), path)


def test_a_product_for_each_ifu_whatever_its_target(files, tmp_path):
    outcome = combine(files, tmp_path, each="ifu", parameters=AVERAGE)
    assert [path.name for path in outcome.products] == ["COMBINE_IFU3.fits", "COMBINE_IFU12.fits"]
    assert [fits.getheader(path, 1)["ESO PRO IFUNR"] for path in outcome.products] == [3, 12]
    assert [one["ifu"] for one in outcome.measured["COMBINE_IFU3.fits"]["exposures"]] == [3, 3, 3]


def test_choices_exclude_each_other(files, tmp_path):
    for choice in ({"name": "gc1"}, {"ifus": 3}, {"mosaic": True}):
        with pytest.raises(KmosError, match="name, ifus, mosaic and each exclude each other"):
            combine(files, tmp_path, each="ifu", **choice)
    with pytest.raises(KmosError, match="each is 'night', expected one of target, ifu, half"):
        combine(files, tmp_path, each="night")


def test_dropped_files_are_left_out_and_told(files, tmp_path):
    outcome = combine(files, tmp_path / "a", drop=["exp1.fits"], name="gc1", parameters=AVERAGE)
    without = combine([files[0], files[2]], tmp_path / "b", name="gc1", parameters=AVERAGE)
    np.testing.assert_array_equal(read_cube(outcome.products[0]).flux, read_cube(without.products[0]).flux)
    record = json.loads((tmp_path / "a/COMBINE_gc1.json").read_text())
    assert record["parameters"]["drop"] == "exp1.fits"
    assert [entry["file"].rsplit("/", 1)[-1] for entry in record["inputs"]] == ["exp0.fits", "exp2.fits"]
    words = ["combine", *map(str, files), "-o", str(tmp_path / "c"), "--name", "gc1", "--cmethod", "average"]
    assert main([*words, "--drop", str(files[1])]) == 0
    np.testing.assert_array_equal(read_cube(tmp_path / "c/COMBINE_gc1.fits").flux, read_cube(without.products[0]).flux)
    with pytest.raises(KmosError, match=r"exp9\.fits is to be dropped, but is none of the files: exp0\.fits, exp1"):
        combine(files, tmp_path, drop=["exp9.fits"])
    with pytest.raises(KmosError, match="all files are to be dropped"):
        combine(files[:1], tmp_path, drop=[files[0]])


@pytest.mark.parametrize(
    ("n", "citer", "told"), [(1, 3, False), (2, 3, True), (3, 3, True), (3, 0, False), (4, 3, False)]
)
def test_too_few_exposures_to_clip_are_told_once_a_product(files, n, citer, told, tmp_path, recwarn):
    fourth = write_visits(tmp_path, [VISITS[0]])[0].rename(tmp_path / "exp3.fits")
    outcome = combine([*files, fourth][:n], tmp_path / "out", parameters=CombineParameters(citer=citer))
    texts = [str(one.message) for one in recwarn if issubclass(one.category, KmosWarning)]
    assert len(texts) == (len(outcome.products) if told else 0)
    assert all("too few for ksigma to reject anything" in text for text in texts)
    assert not told or {text.split(":")[0] for text in texts} == {"gc1", "gc2"}


def test_exposures_of_another_band(files, tmp_path):
    other = with_cubes(1, tmp_path / "h.fits", wavelength=lambda cube: cube.wavelength * 0.75)
    with pytest.raises(GeometryError, match=r"wavelength grids differ: 6 planes 1\.925.*exp0.*, but .*1\.44.*h\.fits"):
        combine([files[0], other], tmp_path / "out")
    assert not list(tmp_path.glob("out/*"))


def test_exposures_of_another_sampling(files, tmp_path):
    fewer = with_cubes(
        1,
        tmp_path / "fewer.fits",
        wavelength=lambda cube: cube.wavelength[:4],
        flux=lambda cube: cube.flux[:4],
        noise=lambda cube: cube.noise[:4],
    )
    with pytest.raises(GeometryError, match=r"wavelength grids differ: 6 planes.*but 4 planes.*give cubes of one band"):
        combine([files[0], fewer], tmp_path / "out")


def test_exposures_of_another_unit(files, tmp_path):
    other = with_cubes(1, tmp_path / "flux.fits", unit=u.Unit("erg s-1 cm-2 AA-1"))
    with pytest.raises(GeometryError, match=r"units differ: adu / s in .*exp0.*flux\.fits.*; calibrate all"):
        combine([files[0], other], tmp_path / "out")
    unknown = with_cubes(1, tmp_path / "none.fits", unit=None)
    with pytest.warns(KmosWarning, match="the unit of 1 of 2 cubes is unknown: taken to be adu / s"):
        combine([files[0], unknown], tmp_path / "out", name="gc1", parameters=AVERAGE)


def test_an_exposure_of_nothing_but_nan(files, tmp_path):
    empty = with_cubes(1, tmp_path / "empty.fits", flux=lambda cube: np.full(cube.shape, np.nan, dtype=np.float32))
    with pytest.warns(KmosWarning, match=r"no data in empty\.fits\[IFU\.12\.DATA\]"):
        outcome = combine([files[0], empty, files[2]], tmp_path / "out", name="gc1", parameters=AVERAGE)
    assert outcome.measured["COMBINE_gc1.fits"]["overlapping"] == 2


def test_offsets_that_do_not_cover_the_files(files, tmp_path):
    rows = [
        Offset(exposure=0, file="exp0.fits", ifu=ifu, dra_arcsec=0, ddec_arcsec=0, err_arcsec=0, method="hand")
        for ifu in (3, 12)
    ]
    table = write_offsets(rows, tmp_path / "offsets.ecsv")
    with pytest.raises(AlignmentError, match=r"exp1\.fits.*: the offsets are for other files \(exp0\.fits, \.\.\.\)"):
        combine(files, tmp_path / "out", offsets=table, parameters=CombineParameters(method="user"))
    # the second table must cover them as well
    every = [dataclasses.replace(row, file=path.name) for row in rows for path in files]
    both = [write_offsets(every, tmp_path / "every.ecsv"), table]
    with pytest.raises(AlignmentError, match="the offsets are for other files"):
        combine(files, tmp_path / "out", offsets=both, parameters=CombineParameters(method="user"))


def test_weights_and_kernel_reach_the_product(files, tmp_path):
    words = ["combine", *map(str, files), "-o", str(tmp_path), "--name", "gc1", "--cmethod", "average"]
    assert main([*words, "--weight", "exptime", "--kernel", "linear"]) == 0
    parameters = json.loads((tmp_path / "COMBINE_gc1.json").read_text())["parameters"]
    assert (parameters["weight"], parameters["kernel"]) == ("exptime", "linear")


@pytest.mark.parametrize("method", ["none", "center"])
def test_ifus_are_not_put_on_each_other(files, tmp_path, method):
    parameters = CombineParameters(method=method)
    with pytest.raises(AlignmentError, match=f"method {method} would put its 2 IFUs on each other; expected header"):
        combine(files, tmp_path, mosaic=True, parameters=parameters)
    assert not any(tmp_path.iterdir())


def test_cuts_that_are_not_there_are_told_before_anything_is_made(files, tmp_path):
    with pytest.raises(KmosError, match=r"gone\.ecsv: no such file; give tables of cuts"):
        combine(files, tmp_path, name="gc1", cuts=[tmp_path / "gone.ecsv"])
    assert not any(tmp_path.iterdir())


def test_a_spaxel_without_end_is_refused():
    with pytest.raises(KmosError, match="pix_scale is inf, expected a positive number of arcsec"):
        CombineParameters(pix_scale=float("inf"))


def test_an_offset_that_is_no_number_is_not_used(files, tmp_path):
    offsets = [
        Offset(exposure=n, file=file.name, ifu=ifu, dra_arcsec=np.nan if n == 1 else 0.0, ddec_arcsec=0.0,
               err_arcsec=0.0, method="user")
        for n, file in enumerate(files) for ifu in (3, 12)
    ]  # fmt: skip
    user = CombineParameters(method="user")
    with pytest.raises(AlignmentError, match=r"its offset is no number \(NaN\); accept or add it"):
        combine(files, tmp_path, name="gc1", offsets=offsets, parameters=user)
