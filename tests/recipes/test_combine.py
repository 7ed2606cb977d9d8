"""Combining files: what goes into which product, how it is named, and what is refused."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from astropy.io import fits
from dithered_files import VISITS, Visit, make_visit, star_sky, write_visits

from napari_kmos.cli.main import main
from napari_kmos.combine import CombineParameters
from napari_kmos.errors import AlignmentError, GeometryError, KmosError, KmosWarning, WriteError
from napari_kmos.io import exposure_facts, read_cube, read_exposure, read_images, write_exposure, write_offsets
from napari_kmos.offset import Offset
from napari_kmos.progress import Cancelled
from napari_kmos.recipes.combine import combine
from napari_kmos.spatial.centroid import fit_centroid
from napari_kmos.spatial.wcs import sky_to_pixel

USER = CombineParameters(method="user", cmethod="average")
#: Three exposures are too few to clip, which would be warned of.
AVERAGE = CombineParameters(cmethod="average")


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return write_visits(tmp_path_factory.mktemp("night"))


def rows(accepted=lambda number: True):
    return [
        Offset(
            exposure=number,
            file=f"elsewhere/exp{number}.fits",
            ifu=ifu,
            dra_arcsec=visit.error[0],
            ddec_arcsec=visit.error[1],
            err_arcsec=0.01,
            method="truth",
            accepted=accepted(number),
            note="" if accepted(number) else "cloud",
        )
        for number, visit in enumerate(VISITS)
        for ifu, _ in visit.arms
    ]


def star_error(path, target):
    """Distance of the star of a product from where its WCS says that it is, in spaxels, and its FWHM."""
    cube = read_cube(path)
    star = fit_centroid(np.asarray(cube.flux)[2])
    y, x = sky_to_pixel(cube.wcs, *star_sky(target))
    return np.hypot(star.y - y, star.x - x), star.fwhm_pix


def test_a_product_a_target_wherever_its_arm_was(files, tmp_path):
    outcome = combine(files, tmp_path / "new/out", parameters=USER, offsets=rows())
    assert [path.name for path in outcome.products] == ["COMBINE_gc1.fits", "COMBINE_gc2.fits"]
    for path, target in zip(outcome.products, ("gc1", "gc2"), strict=True):
        distance, fwhm = star_error(path, target)
        assert distance < 0.02
        assert fwhm == pytest.approx(3, rel=0.02)
    assert outcome.measured["COMBINE_gc1.fits"]["exposures"][1] == {
        "file": "exp1.fits",
        "ifu": 12,
        "correction_arcsec": [-0.17, 0.23],
    }


def test_headers_alone_leave_the_star_smeared(files, tmp_path):
    outcome = combine(files, tmp_path, parameters=AVERAGE, name="gc1")
    assert [path.name for path in outcome.products] == ["COMBINE_gc1.fits"]
    assert star_error(outcome.products[0], "gc1")[1] > 3.2


def test_layout_of_the_product(files, tmp_path):
    combine(files, tmp_path, parameters=USER, offsets=rows(), name="gc1")
    with fits.open(tmp_path / "COMBINE_gc1.fits") as hdus:
        assert [hdu.name for hdu in hdus] == ["PRIMARY", "gc1.DATA", "gc1.NOISE", "gc1.CORRELATION"]
        assert hdus[1].header["BITPIX"] == -32
        assert hdus[1].header["ESO PRO DATANCOM"] == 3
        primary = hdus[0].header
        assert primary["ESO PRO CATG"] == "COMBINED_CUBE"
        assert primary["ESO QC COMBINE NEXP"] == 3
        assert (primary["ESO QC COMBINE DRA2"], primary["ESO QC COMBINE DDEC2"]) == (-0.17, 0.23)
    (image,) = read_images(tmp_path / "COMBINE_gc1_IMAGE.fits")
    cube = read_cube(tmp_path / "COMBINE_gc1.fits")
    np.testing.assert_allclose(image.data, np.median(np.asarray(cube.flux), axis=0), rtol=1e-6)
    assert np.nanmedian(image.noise) == pytest.approx(0.1 * np.sqrt(np.pi / 2 / 6 / 3), rel=0.2)
    (mask,) = read_images(tmp_path / "EXP_MASK_gc1.fits")
    assert (mask.data.min(), mask.data.max()) == (0, 3)
    record = json.loads((tmp_path / "COMBINE_gc1.json").read_text())
    assert [product["file"] for product in record["products"]] == [
        "COMBINE_gc1.fits",
        "COMBINE_gc1_IMAGE.fits",
        "EXP_MASK_gc1.fits",
    ]


def test_header_tells_when_each_exposure_was_taken(tmp_path):
    files = write_visits(tmp_path, exptime=120.0)
    (tmp_path / "two").mkdir()
    (tmp_path / "all").mkdir()
    half = 60 / 86400  # of an exposure, in days
    begun = [59000.2 + number for number in range(3)]

    pair = combine(files[:0:-1], tmp_path / "two", parameters=AVERAGE, name="gc1").products[0]
    every = combine([pair, files[0]], tmp_path / "all", parameters=AVERAGE, name="gc1").products[0]

    header = fits.getheader(pair)
    assert header["MJD-OBS"] == begun[2]  # of the first that was given, as ESO has it
    assert header["MJD-END"] == pytest.approx(begun[2] + 2 * half, abs=1e-7)
    assert header["ESO QC COMBINE MJDMEAN"] == pytest.approx(begun[1] + 0.5 + half, abs=1e-7)
    told = exposure_facts(fits.getheader(every), None)["exposures"]
    assert [one.middle_mjd for one in told] == pytest.approx([day + half for day in begun], abs=1e-7)
    assert [one.seconds for one in told] == [120.0] * 3


def test_one_exposure_alone_is_split_into_its_targets(files, tmp_path):
    outcome = combine(files[1:2], tmp_path)
    assert [path.name for path in outcome.products] == ["COMBINE_gc2.fits", "COMBINE_gc1.fits"]
    for path, ifu in zip(outcome.products, (3, 12), strict=True):
        cube, before = read_cube(path), read_exposure(files[1]).cube(ifu)
        np.testing.assert_allclose(cube.flux.compute(), before.flux.compute(), rtol=1e-5)
        assert cube.ifu == ifu


@pytest.mark.parametrize(
    ("ifus", "name", "used"),
    [
        ("3;12;3", "gc1", [3, 12, 3]),
        ("3", "IFU3", [3, 3, 3]),
        (12, "IFU12", [12] * 3),
        ([12, 3, 12], "gc2", [12, 3, 12]),
    ],
)
def test_ifus_are_one_a_file_or_one_for_all(files, tmp_path, ifus, name, used):
    # one number for all mixes two targets here, 40 arcsec apart: that is what the list is for
    outcome = combine(files, tmp_path, ifus=ifus, parameters=AVERAGE)
    assert outcome.products[0].name == f"COMBINE_{name}.fits"
    told = outcome.measured[outcome.products[0].name]["exposures"]
    assert [exposure["ifu"] for exposure in told] == used


def test_mosaic_holds_all_ifus(tmp_path):
    # neighbouring arms: the second target is pulled next to the first
    near = [Visit(arms=((3, "gc1"), (12, "gc1"))), Visit(dither=(2.4, 0.4), arms=((3, "gc1"), (12, "gc1")))]
    outcome = combine(write_visits(tmp_path, near), tmp_path, mosaic=True, parameters=AVERAGE)
    assert outcome.products[0].name == "COMBINE_mosaic.fits"
    cube = read_cube(outcome.products[0])
    assert cube.shape[1:] == (15, 26)
    (mask,) = read_images(tmp_path / "EXP_MASK_mosaic.fits")
    assert mask.data.max() == 4


@pytest.mark.parametrize("unaccepted", ["error", "header", "skip"])
@pytest.mark.parametrize("fault", ["not accepted", "no row", "other files"])
def test_missing_offsets(files, tmp_path, unaccepted, fault):
    given = {
        "not accepted": rows(lambda number: number != 1),
        "no row": [row for row in rows() if (row.exposure, row.ifu) != (1, 12)],
        "other files": [dataclasses.replace(row, file=f"tweaked_{row.exposure}.fits") for row in rows()],
    }[fault]
    options = {"parameters": USER, "offsets": given, "unaccepted": unaccepted, "name": "gc1"}
    said = {"not accepted": r"not accepted \(cloud\)", "no row": "no row in", "other files": "are for other files"}[
        fault
    ]
    if unaccepted == "error":
        with pytest.raises(AlignmentError, match=rf"\[IFU\.\d+\.DATA\]: .*{said}.*--unaccepted"):
            combine(files, tmp_path, **options)
        return
    if unaccepted == "skip" and fault == "other files":
        nothing = pytest.raises(AlignmentError, match="no exposure has an offset that may be used")
        with pytest.warns(KmosWarning, match=f"{said}|nothing was combined"), nothing:
            combine(files, tmp_path, **options)
        return
    with pytest.warns(KmosWarning, match=said):
        outcome = combine(files, tmp_path, **options)
    exposures = outcome.measured["COMBINE_gc1.fits"]["exposures"]
    assert len(exposures) == (3 if unaccepted == "header" else 2)
    if unaccepted == "header":
        assert exposures[1]["correction_arcsec"] == [0, 0]


def test_offsets_and_method_go_together(files, tmp_path):
    with pytest.raises(AlignmentError, match="method user needs an offset table"):
        combine(files, tmp_path, parameters=USER)
    with pytest.raises(AlignmentError, match="method header takes no offset table"):
        combine(files, tmp_path, offsets=rows())


def test_files_of_one_name_are_told_apart_by_their_folders(tmp_path):
    paths = [write_visits(tmp_path / f"ob{n}", [visit])[0] for n, visit in enumerate(VISITS)]
    given = [dataclasses.replace(row, file=f"ob{row.exposure}/exp0.fits") for row in rows()]
    outcome = combine(paths, tmp_path / "out", parameters=USER, offsets=given, name="gc1")
    assert star_error(outcome.products[0], "gc1")[0] < 0.02
    ambiguous = [dataclasses.replace(row, file="exp0.fits") for row in rows()]
    with pytest.raises(AlignmentError, match="3 offsets rows fit"):
        combine(paths, tmp_path / "no", parameters=USER, offsets=ambiguous, name="gc1")


def test_an_exposure_given_twice_is_refused(files, tmp_path):
    """Its noise would count as two independent ones; two IFUs of one file are two exposures."""
    with pytest.raises(KmosError, match=r"IFU \d+ .*is given twice"):
        combine([files[0], files[1], files[0]], tmp_path / "out")


def test_unknown_targets_and_ifus_name_what_there_is(files, tmp_path):
    with pytest.raises(KmosError, match="no target 'gc9' in the files; there are gc1, gc2"):
        combine(files, tmp_path, name="gc9")
    with pytest.raises(KmosError, match=r"exp0\.fits: no data for IFU 4; IFUs with data: 3, 12"):
        combine(files, tmp_path, ifus=4)
    with pytest.raises(KmosError, match="2 IFUs for 3 files"):
        combine(files, tmp_path, ifus="3;12")
    with pytest.raises(KmosError, match="ifus is 'all', expected IFU numbers"):
        combine(files, tmp_path, ifus="all")
    with pytest.raises(KmosError, match="exclude each other"):
        combine(files, tmp_path, name="gc1", mosaic=True)
    with pytest.raises(KmosError, match="unaccepted is 'maybe', expected one of error, header, skip"):
        combine(files, tmp_path, unaccepted="maybe")


def test_cubes_that_do_not_fit(files, tmp_path):
    other = make_visit(VISITS[0], 7, crowded=False, sigma=0.1)
    arms = tuple(
        arm
        if arm.cube is None
        else dataclasses.replace(arm, cube=dataclasses.replace(arm.cube, wavelength=arm.cube.wavelength * 0.7))
        for arm in other.arms
    )
    path = write_exposure(dataclasses.replace(other, arms=arms), tmp_path / "h_band.fits")
    with pytest.raises(GeometryError, match=r"wavelength grids differ: .*exp0\.fits.*h_band\.fits"):
        combine([files[0], path], tmp_path / "out")


def test_dead_target_is_left_out_with_a_warning(tmp_path):
    exposure = make_visit(VISITS[0], 0, crowded=False, sigma=0.1)
    exposure.cube(3).flux[:] = np.nan
    path = write_exposure(exposure, tmp_path / "exp0.fits")
    with pytest.warns(KmosWarning, match=r"gc1: no data in exp0\.fits\[IFU\.3\.DATA\]"):
        outcome = combine([path], tmp_path / "out")
    assert [product.name for product in outcome.products] == ["COMBINE_gc2.fits"]
    with pytest.warns(KmosWarning, match="gc1"), pytest.raises(KmosError, match="no target has data"):
        combine([path], tmp_path / "out", name="gc1")


@pytest.mark.parametrize("names", [("gc 1", "gc/1"), ("gc/1", "gc_1_IMAGE")], ids=["cubes", "an image and a cube"])
def test_names_that_are_written_alike(names, tmp_path):
    exposure = make_visit(VISITS[0], 0, crowded=False, sigma=0.1)
    for ifu, name in zip((3, 12), names, strict=True):
        exposure.header[f"HIERARCH ESO OCS ARM{ifu} NAME"] = name
    path = write_exposure(exposure, tmp_path / "exp0.fits")
    with pytest.raises(WriteError, match=f"targets {names[0]!r} and {names[1]!r} would both be written"):
        combine([path], tmp_path, overwrite=True)
    assert list(tmp_path.iterdir()) == [path]
    assert combine([path], tmp_path, name="gc/1").products[0].name == "COMBINE_gc_1.fits"


def test_existing_products_and_cancelling(files, tmp_path):
    combine(files, tmp_path, name="gc1", parameters=AVERAGE)
    with pytest.raises(WriteError, match=r"COMBINE_gc1\.fits: exists already"):
        combine(files, tmp_path)
    assert not (tmp_path / "COMBINE_gc2.fits").exists()

    def cancel(done, total, text):
        if "writing" in text:
            raise Cancelled

    with pytest.raises(Cancelled):
        combine(files, tmp_path / "cancelled", progress=cancel, parameters=AVERAGE)
    assert not (tmp_path / "cancelled").exists()


def test_progress_goes_from_start_to_end(files, tmp_path):
    told = []
    combine(files, tmp_path, parameters=AVERAGE, progress=lambda done, total, text: told.append(done / total))
    assert told == sorted(told)
    assert told[-1] == 1


def test_command(files, tmp_path, capsys):
    table = write_offsets(rows(), tmp_path / "offsets.ecsv")
    words = ["combine", *map(str, files), "-o", str(tmp_path / "out"), "--method", "user", "--offsets", str(table)]
    assert main([*words, "--cmethod", "min_max", "--cmax", "1", "--cmin=0", "--ifus", "3;12;3", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["products"] == [str(tmp_path / "out/COMBINE_gc1.fits")]
    assert len(told["extras"]) == 3
    header = fits.getheader(tmp_path / "out/COMBINE_gc1.fits")
    parameters = {
        header[key]: header[key.replace("NAME", "VALUE")] for key in header if "PARAM" in key and "NAME" in key
    }
    assert (parameters["cmethod"], parameters["cmin"], parameters["ifus"]) == ("min_max", "0", "3;12;3")
    assert main([*words, "--name", "gc7"]) == 2
    assert "there are gc1, gc2" in capsys.readouterr().err.splitlines()[-1]
