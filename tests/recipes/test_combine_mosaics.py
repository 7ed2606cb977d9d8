"""Two epochs of a mosaic combined with an offset for each IFU and half: from exposures, or the mosaics themselves."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from factories import star_image
from mosaic_files import AVERAGE, ERRORS, FLUX, NIGHTS, SIDE, TILES, star_skies, write_mosaics, write_tiles

from napari_kmos.cli.main import main
from napari_kmos.combine import CombineParameters
from napari_kmos.errors import AlignmentError, KmosError, KmosWarning
from napari_kmos.io import CutRow, read_cube, read_images, write_cuts, write_offsets
from napari_kmos.offset import Offset
from napari_kmos.recipes.combine import combine
from napari_kmos.spatial.wcs import sky_to_pixel

USER = CombineParameters(method="user", cmethod="average")


def row(file, ifu, east=0.0, north=0.0, **facts):
    shift = {"dra_arcsec": east, "ddec_arcsec": north, "err_arcsec": 0.01}
    return Offset(exposure=0, file=file, ifu=ifu, method="truth", **shift, **facts)


def second_epoch(name="M1.fits"):
    return [row(name, ifu, *error) for ifu, error in ERRORS.items()]


def check_stars(path, *, percent=98):
    """Every spaxel has the light that its place on the sky has; a mosaic has no gaps."""
    cube = read_cube(path)
    image = np.asarray(cube.flux)[1]
    stars = [(*map(float, sky_to_pixel(cube.wcs, *sky)), FLUX) for sky in star_skies()]
    expected = star_image(image.shape, stars)
    # sampled Gaussians of 3 spaxels FWHM: a cubic spline brings them elsewhere to some thousandths of their peak, and
    # to 3 % where it ends, at the edge of a tile
    off = np.abs(image - expected)
    assert np.nanmax(off) < 0.03 * expected.max()
    assert np.nanpercentile(off, percent) < 0.005 * expected.max()
    assert np.isfinite(image[2:-2, 2:-2]).all()


@pytest.fixture(scope="module")
def mosaics(tmp_path_factory):
    return write_mosaics(tmp_path_factory.mktemp("mosaics"))


@pytest.mark.parametrize("named", ["mosaic", "cuts"])
def test_mosaics_of_two_epochs_with_an_offset_for_each_ifu(mosaics, named, tmp_path):
    """Rows name the mosaic, or what `cut` made of it; the first epoch is right as a whole."""
    rows = second_epoch()
    if named == "cuts":
        rows = [dataclasses.replace(one, file=f"cuts/M1_IFU{one.ifu}.fits") for one in rows]
    outcome = combine(mosaics, tmp_path, parameters=USER, offsets=[row("M0.fits", None), *rows], mosaic=True)
    check_stars(outcome.products[0])
    (counts,) = read_images(tmp_path / "EXP_MASK_mosaic.fits")
    assert counts.data.max() <= 3  # two epochs; tiles that moved towards each other meet in a spaxel
    assert np.median(counts.data[2:-2, 2:-2]) == 2
    told = outcome.measured["COMBINE_mosaic.fits"]["exposures"]
    assert [one["ifu"] for one in told] == [None, *ERRORS]
    assert told[1]["correction_arcsec"] == list(ERRORS[3])


def test_without_offsets_the_stars_of_mosaics_are_smeared(mosaics, tmp_path):
    outcome = combine(mosaics, tmp_path, parameters=AVERAGE, mosaic=True)
    with pytest.raises(AssertionError):
        check_stars(outcome.products[0])


def test_tiles_of_a_mosaic_count_once_where_they_overlap(mosaics, tmp_path):
    """Rows of zero leave the mosaic as it was: spaxels that two tiles have in common are one of its values."""
    rows = [row("M0.fits", ifu) for ifu in TILES]
    places = [CutRow(ifu=ifu, x=x, y=y, n_x=SIDE + 2, n_y=SIDE + 2) for ifu, (y, x) in TILES.items()]
    cuts = [write_cuts(places, tmp_path / "M0_cuts.ecsv")]
    outcome = combine(mosaics[:1], tmp_path, parameters=USER, offsets=rows, mosaic=True, cuts=cuts)
    np.testing.assert_array_equal(read_cube(outcome.products[0]).flux, read_cube(mosaics[0]).flux)
    (counts,) = read_images(tmp_path / "EXP_MASK_mosaic.fits")
    assert counts.data.max() == 1
    assert len(outcome.measured["COMBINE_mosaic.fits"]["exposures"]) == 1  # moved alike, read in one piece


def test_nothing_is_taken_of_a_tile_that_lies_elsewhere(mosaics, tmp_path):
    """Between tiles that move apart, spaxels without data are left: what is across the seam is another place."""
    outcome = combine(mosaics[1:], tmp_path, parameters=USER, offsets=second_epoch(), mosaic=True)
    with pytest.raises(AssertionError):
        check_stars(outcome.products[0])
    cube = read_cube(outcome.products[0])
    image = np.asarray(cube.flux)[1]
    stars = [(*map(float, sky_to_pixel(cube.wcs, *sky)), FLUX) for sky in star_skies()]
    assert np.nanmax(np.abs(image - star_image(image.shape, stars))) < 0.02 * np.nanmax(image)
    assert 0.85 < np.isfinite(image[2:-2, 2:-2]).mean() < 1


def test_mean_of_the_epochs_of_each_ifu_has_its_own_place(mosaics, tmp_path):
    rows = [row("M0.fits", None), *second_epoch()]
    with pytest.raises(AlignmentError, match="offsets are for other files"):
        combine(mosaics, tmp_path, parameters=USER, offsets=second_epoch(), each="ifu")
    outcome = combine(mosaics, tmp_path, parameters=USER, offsets=rows, each="ifu")
    assert [path.name for path in outcome.products] == [f"COMBINE_IFU{ifu}.fits" for ifu in TILES]
    cube = read_cube(outcome.products[0])
    assert cube.ifu == 3
    assert max(cube.shape[1:]) <= SIDE + 2
    check_stars(outcome.products[0], percent=80)  # more edge than middle


def test_exposures_of_two_epochs_with_offsets_that_add_up(tmp_path):
    """Dithers by file, epochs by IFU, halves: one resampling of the sum."""
    dithers = {"a.fits": (0.0, 0.0), "b.fits": (0.09, -0.05), "c.fits": (0.0, 0.0), "d.fits": (-0.07, 0.11)}
    half = (0.04, 0.03)
    files = []
    for number, (name, dither) in enumerate(dithers.items()):
        epoch, second = divmod(number, 2)
        errors = {
            ifu: (
                dither[0] + epoch * ERRORS[ifu][0] + epoch * second * half[0],
                dither[1] + epoch * ERRORS[ifu][1] + epoch * second * half[1],
            )
            for ifu in TILES
        }
        files.append(write_tiles(tmp_path / name, epoch=epoch, errors=errors, minutes=40 * second))
    by_file = [
        row(name, ifu, *dithers[name], epoch=NIGHTS[number // 2], half=1 + number % 2)
        for number, name in enumerate(dithers)
        for ifu in TILES
    ]
    by_epoch = [row("", ifu, *error, epoch=NIGHTS[1]) for ifu, error in ERRORS.items()]
    by_half = [row("", None, *half, epoch=NIGHTS[1], half=2)]
    tables = [
        write_offsets(rows, tmp_path / f"{n}.ecsv")
        for n, rows in enumerate((by_file, [*by_epoch, *by_half, row("", None)]))
    ]
    outcome = combine(files, tmp_path / "out", parameters=USER, offsets=tables, mosaic=True)
    check_stars(outcome.products[0])
    one = combine(files, tmp_path / "one", parameters=USER, offsets=[*by_file, *by_epoch, *by_half], mosaic=True)
    np.testing.assert_array_equal(read_cube(one.products[0]).flux, read_cube(outcome.products[0]).flux)
    told = one.measured["COMBINE_mosaic.fits"]["exposures"][-1]
    assert told["half"] == 2
    expected = [-0.07 + ERRORS[20][0] + 0.04, 0.11 + ERRORS[20][1] + 0.03]
    assert told["correction_arcsec"] == pytest.approx(expected)


def test_parts_that_are_against_different_things_are_told_unless_something_is_added_to_them(tmp_path):
    files = [write_tiles(tmp_path / f"{n}.fits", epoch=0) for n in (0, 1)]
    rows = [dataclasses.replace(row(path.name, None), against=path.name) for path in files]
    with pytest.warns(KmosWarning, match=r"^mosaic: its offsets are against 0\.fits and 1\.fits, .*only headers tell"):
        combine(files, tmp_path / "out", parameters=USER, offsets=rows, mosaic=True)
    combine(files, tmp_path / "tied", parameters=USER, offsets=[*rows, row("", None)], mosaic=True)


def test_halves_of_exposures_are_told_by_their_times(tmp_path):
    files = [write_tiles(tmp_path / f"{n}.fits", epoch=0, minutes=minutes) for n, minutes in enumerate((0, 2, 30, 32))]
    outcome = combine(files, tmp_path / "out", each="half", parameters=AVERAGE)
    assert {path.name for path in outcome.products} == {
        f"COMBINE_IFU{ifu}_half{half}.fits" for ifu in TILES for half in (1, 2)
    }
    told = outcome.measured["COMBINE_IFU12_half2.fits"]["exposures"]
    assert [one["file"] for one in told] == ["2.fits", "3.fits"]
    with pytest.raises(KmosError, match=r"0\.fits.*: nothing tells its half"):
        combine(files[:1], tmp_path / "out", each="half")


def test_offsets_without_a_file_must_fit_an_epoch_once(tmp_path):
    files = [write_tiles(tmp_path / f"{n}.fits", epoch=n) for n in (0, 1)]
    rows = [row("", None, epoch=NIGHTS[1])]
    with pytest.raises(AlignmentError, match=r"their epochs \(2022-06-11\) are not that of the exposure \(2021-05-0"):
        combine(files, tmp_path / "out", parameters=USER, offsets=rows)
    with pytest.raises(AlignmentError, match="two offsets rows without a file are for the same epoch, half and IFU"):
        combine(files, tmp_path / "out", parameters=USER, offsets=[row("", None), row("", None)])


def test_a_table_given_twice_would_move_twice_as_far(tmp_path):
    files = [write_tiles(tmp_path / f"{n}.fits", epoch=n) for n in (0, 1)]
    table = write_offsets([row("", None)], tmp_path / "offsets.ecsv")
    with pytest.raises(KmosError, match=r"offsets\.ecsv: it is given twice; give it once"):
        combine(files, tmp_path / "out", parameters=USER, offsets=[table, table])


def test_a_mosaic_needs_to_know_where_its_ifus_are(tmp_path):
    mosaics = write_mosaics(tmp_path, cuts=False)
    rows = [row("M0.fits", None), *second_epoch()]
    options = {"parameters": USER, "offsets": rows, "mosaic": True}
    with pytest.raises(AlignmentError, match=r"M1_cuts\.ecsv is neither given nor beside it.*napari-kmos cut"):
        combine(mosaics, tmp_path / "out", **options)
    both = [CutRow(ifu=3, half=half, x=1, y=1 + half, n_x=SIDE, n_y=SIDE) for half in (1, 2)]
    table = write_cuts(both, tmp_path / "halves.ecsv")
    with pytest.raises(KmosError, match="IFU 3 half 1 and IFU 3 half 2 lie on each other in the mosaic"):
        combine(mosaics, tmp_path / "out", cuts=[table], **options)


def test_ifus_of_a_mosaic_without_an_offset_are_skipped_or_stay(mosaics, tmp_path):
    rows = [row("M0.fits", None), *second_epoch()[1:]]
    options = {"parameters": USER, "offsets": rows, "mosaic": True}
    with pytest.warns(KmosWarning, match="no row in the offsets; left out"):
        skipped = combine(mosaics, tmp_path / "skip", unaccepted="skip", **options)
    assert len(skipped.measured["COMBINE_mosaic.fits"]["exposures"]) == 1 + len(TILES) - 1
    (counts,) = read_images(tmp_path / "skip/EXP_MASK_mosaic.fits")
    assert np.median(counts.data[2:10, 2:10]) == 1


def test_command_with_halves_of_a_mosaic(mosaics, tmp_path, capsys):
    """The upper half of an IFU moved on its own, by tables on disk."""
    cuts = [CutRow(ifu=3, half=half, x=1, y=1 + 7 * (half - 1), n_x=SIDE, n_y=7) for half in (1, 2)]
    cuts += [CutRow(ifu=ifu, half=1, x=x + 1, y=y + 1, n_x=SIDE, n_y=SIDE) for ifu, (y, x) in TILES.items() if ifu != 3]
    table = write_cuts(cuts, tmp_path / "where.ecsv")
    rows = [row("M0.fits", cut.ifu, 0.2 * (cut.half - 1), 0.0, half=cut.half) for cut in cuts]
    offsets = write_offsets(rows, tmp_path / "offsets.ecsv")
    words = ["combine", str(mosaics[0]), "-o", str(tmp_path / "out"), "--mosaic", "--method", "user"]
    assert main([*words, "--offsets", str(offsets), "--cuts", str(table), "--cmethod", "average"]) == 0
    before, after = (np.asarray(read_cube(path).flux)[1] for path in (mosaics[0], tmp_path / "out/COMBINE_mosaic.fits"))
    extra = after.shape[1] - before.shape[1]  # what moved a spaxel east has left room for it
    np.testing.assert_array_equal(after[:7, extra : extra + 13], before[:7, :13])
    np.testing.assert_array_equal(after[8:12, extra - 1 : extra + 11], before[8:12, :12])
