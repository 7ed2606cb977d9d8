"""Offsets as shift files and corrected headers: the signs are those of stars."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from astropy.io import fits
from dithered_files import VISITS, Visit, make_visit, star_sky, true_rows, write_visits
from scipy.ndimage import shift as move

from napari_kmos.cli.main import main
from napari_kmos.errors import AlignmentError, KmosError, KmosWarning, WriteError
from napari_kmos.io import read_cube, read_exposure, write_exposure, write_offsets
from napari_kmos.recipes.combine import combine
from napari_kmos.recipes.offset_rows import night_of
from napari_kmos.recipes.offsets import offsets
from napari_kmos.spatial.centroid import fit_centroid
from napari_kmos.spatial.wcs import offset_between, sky_to_pixel


@pytest.fixture
def night(tmp_path):
    files = write_visits(tmp_path)
    return files, write_offsets(true_rows(), tmp_path / "offsets.ecsv")


def widths(image):
    """Second moments of a star along both axes, about its centre, within 3.5 spaxels."""
    star = fit_centroid(image)
    y, x = np.indices(image.shape)
    weight = np.where(np.hypot(y - star.y, x - star.x) < 3.5, image - star.background, 0)
    return [np.sum(weight * (axis - at) ** 2) / weight.sum() for axis, at in ((y, star.y), (x, star.x))]


@pytest.mark.parametrize("target", ["gc1", "gc2"])
def test_shift_file_has_the_signs_of_the_pipeline(night, tmp_path, target):
    files, table = night
    offsets(table, tmp_path / "out", shifts=True)
    shifts = np.loadtxt(tmp_path / f"out/shifts_{target}.txt")
    cubes = [next(cube for cube in read_exposure(path).cubes if cube.name == target) for path in files]
    stars = [fit_centroid(np.asarray(cube.flux).mean(axis=0)) for cube in cubes]
    # the star itself says where it is: dx = x_i - x_0, dy = y_0 - y_i
    expected = [(star.x - stars[0].x, stars[0].y - star.y) for star in stars[1:]]
    np.testing.assert_allclose(shifts, expected, atol=0.01)
    # the second visit went east and south by 2 and 1.4 spaxels: its star is further right and up
    assert shifts[0] == pytest.approx((2.0, -1.4), abs=0.01)


def test_frames_moved_by_the_shift_file_make_one_round_star(night, tmp_path):
    files, table = night
    offsets(table, tmp_path / "out", shifts=True)
    shifts = [(0.0, 0.0), *np.loadtxt(tmp_path / "out/shifts_gc1.txt")]
    frames = [
        np.asarray(next(cube for cube in read_exposure(path).cubes if cube.name == "gc1").flux).mean(axis=0)
        for path in files
    ]
    alone = widths(frames[0])
    # as the pipeline does it: dx > 0 moves the frame left, dy > 0 up
    moved = np.mean(
        [move(f, (dy, -dx), order=3, mode="nearest") for f, (dx, dy) in zip(frames, shifts, strict=True)], 0
    )
    np.testing.assert_allclose(widths(moved), alone, rtol=0.02)
    assert max(widths(np.mean(frames, axis=0))) > 1.5 * max(alone)
    natively = combine(files, tmp_path / "native", parameters=_user(), offsets=table, name="gc1").products[0]
    np.testing.assert_allclose(widths(np.asarray(read_cube(natively).flux).mean(axis=0)), alone, rtol=0.02)


def _user():
    from napari_kmos.combine import CombineParameters

    return CombineParameters(method="user", cmethod="average")


def test_sof_and_text_go_with_the_shift_file(night, tmp_path):
    files, table = night
    outcome = offsets(table, tmp_path / "out", shifts=True)
    assert [path.name for path in outcome.products] == [
        "shifts_gc1.txt",
        "shifts_gc1.sof",
        "shifts_gc2.txt",
        "shifts_gc2.sof",
    ]
    lines = (tmp_path / "out/shifts_gc1.sof").read_text().splitlines()
    assert lines == [f"{path} SCI_RECONSTRUCTED" for path in files]
    assert len((tmp_path / "out/shifts_gc1.txt").read_text().splitlines()) == len(files) - 1
    text = outcome.extras[0].read_text()
    assert "dx = x_i - x_0        dy = y_0 - y_i" in text
    assert 'esorex kmos_combine --method=user --filename=shifts_gc1.txt --name="gc1" shifts_gc1.sof' in text
    assert outcome.measured["shifts"]["gc1"][0] == pytest.approx((2.0, -1.4), abs=0.01)


def test_unaccepted_exposures_are_left_out_of_both(night, tmp_path):
    _, table = night
    rows = [dataclasses.replace(row, accepted=row.exposure != 1, note="cloud") for row in true_rows()]
    write_offsets(rows, table, overwrite=True)
    with pytest.warns(KmosWarning, match=r"exp1\.fits.*offset not accepted \(cloud\); left out"):
        offsets(table, tmp_path / "out", shifts=True)
    assert "exp1" not in (tmp_path / "out/shifts_gc1.sof").read_text()
    assert len(np.loadtxt(tmp_path / "out/shifts_gc1.txt", ndmin=2)) == 1


def test_rotated_exposures_have_no_shift_file(tmp_path):
    visits = [Visit(), Visit(rotation=20)]
    write_visits(tmp_path, visits)
    table = write_offsets(true_rows(visits), tmp_path / "offsets.ecsv")
    with pytest.raises(AlignmentError, match=r"gc1: exposures of position angles 0\.00 and 20\.00 deg.*\(--drop\)"):
        offsets(table, tmp_path / "out", shifts=True)
    assert not (tmp_path / "out").exists()


def test_nothing_is_written_where_a_product_is_in_the_way(night, tmp_path):
    _, table = night
    (tmp_path / "out").mkdir()
    (tmp_path / "out/exp2_OFFSET.fits").touch()
    with pytest.raises(WriteError, match=r"exp2_OFFSET\.fits: exists"):
        offsets(table, tmp_path / "out", shifts=True, crval=True)
    assert len(list((tmp_path / "out").iterdir())) == 1


def test_corrected_headers_put_the_star_where_it_is(night, tmp_path):
    files, table = night
    outcome = offsets(table, tmp_path / "out", crval=True)
    assert [path.name for path in outcome.products] == [f"exp{n}_OFFSET.fits" for n in range(3)]
    for before, after in zip(files, outcome.products, strict=True):
        old, new = read_exposure(before), read_exposure(after)
        assert any("offsets" in line for line in new.header["HISTORY"])
        for cube, corrected in zip(old.cubes, new.cubes, strict=True):
            np.testing.assert_array_equal(cube.flux.compute(), corrected.flux.compute())
            star = fit_centroid(np.asarray(corrected.flux).mean(axis=0))
            y, x = sky_to_pixel(corrected.wcs, *star_sky(corrected.name))
            assert (star.y, star.x) == (pytest.approx(y, abs=0.01), pytest.approx(x, abs=0.01))


def test_copies_have_corrected_data_and_noise_and_the_same_pixels(night, tmp_path):
    files, table = night
    for before, after in zip(files, offsets(table, tmp_path / "out", crval=True).products, strict=True):
        with fits.open(before) as old, fits.open(after) as new:
            assert [hdu.name for hdu in new] == [hdu.name for hdu in old]
            noise = [(one, other) for one, other in zip(old, new, strict=True) if other.header.get("NAXIS") == 3]
            assert {other.name[-5:] for _, other in noise} == {".DATA", "NOISE"}
            for one, other in noise:
                assert one.data.tobytes() == other.data.tobytes()
                assert other.header["CRVAL2"] - one.header["CRVAL2"] == pytest.approx(
                    next(row for row in true_rows() if row.file == before.name).ddec_arcsec / 3600, abs=1e-12
                )


def test_rows_of_an_epoch_count_too(night, tmp_path):
    """As in `combine`: what is for all of an epoch is added to what is for a file."""
    files, table = night
    night_name = night_of(read_exposure(files[0]))
    epoch = dataclasses.replace(true_rows()[0], file="", ifu=None, epoch=night_name, dra_arcsec=1.0, ddec_arcsec=-2.0)
    write_offsets([*true_rows(), epoch], table, overwrite=True)
    copies = offsets(table, tmp_path / "out", crval=True).products
    for number, extra in enumerate(((1.0, -2.0), (0.0, 0.0))):
        wcs = read_exposure(files[number]).cube(3).wcs
        east, north = offset_between(wcs, read_exposure(copies[number]).cube(3).wcs)
        error = VISITS[number].error
        assert (east, north) == pytest.approx((error[0] + extra[0], error[1] + extra[1]), abs=1e-5)
    write_offsets([epoch], table, overwrite=True)
    with pytest.raises(AlignmentError, match="its rows name no files; expected exposures that can be corrected"):
        offsets(table, tmp_path / "out", crval=True, overwrite=True)


def test_header_without_accepted_offset_stays(night, tmp_path):
    files, table = night
    rows = [dataclasses.replace(row, accepted=(row.exposure, row.ifu) != (1, 3)) for row in true_rows()]
    write_offsets(rows, table, overwrite=True)
    with pytest.warns(KmosWarning, match=r"1 of 6 IFUs, exp1\.fits.*no accepted offset; its header stays"):
        outcome = offsets(table, tmp_path / "out", crval=True)
    before, after = read_exposure(files[1]).cube(3), read_exposure(outcome.products[1]).cube(3)
    np.testing.assert_allclose(after.wcs.wcs.crval, before.wcs.wcs.crval)


def test_copies_in_which_nothing_is_corrected_are_not_written(night, tmp_path):
    _, table = night
    accepted = {(0, 12), (2, 3)}
    rows = [dataclasses.replace(row, accepted=(row.exposure, row.ifu) in accepted, note="cloud") for row in true_rows()]
    write_offsets(rows, table, overwrite=True)
    said = r"^2 of 4 IFUs, exp0\..*, exp2\..*: no accepted offset; .*; exp1\.fits: no accepted offset, and no copy$"
    with pytest.warns(KmosWarning, match=said) as told:
        outcome = offsets(table, tmp_path / "out", crval=True)
    assert len(told) == 1
    assert [path.name for path in outcome.products] == ["exp0_OFFSET.fits", "exp2_OFFSET.fits"]
    assert not (tmp_path / "out/exp1_OFFSET.fits").exists()
    with pytest.raises(AlignmentError, match="none of the exposures has an accepted offset: no copy"):
        offsets(table, tmp_path / "none", crval=True, drop=["exp0.fits", "exp2.fits"])
    visible = [dataclasses.replace(row, accepted=row.exposure != 1, note=f"cloud {row.ifu}") for row in true_rows()]
    write_offsets(visible, table, overwrite=True)
    with pytest.warns(
        KmosWarning, match=r"^2 of 6 IFUs, exp1\..*offset not accepted \(cloud 3, \.\.\.\); left out"
    ) as told:
        offsets(table, tmp_path / "shifts", shifts=True)
    assert len(told) == 1


def test_one_sof_never_has_two_bands(tmp_path):
    first, second = (make_visit(visit, n, crowded=False, sigma=0.1) for n, visit in enumerate(VISITS[:2]))
    second.header["HIERARCH ESO INS FILT1 ID"] = second.header["HIERARCH ESO INS GRAT1 ID"] = "H"
    other = dataclasses.replace(second, band="H")
    for number, exposure in enumerate((first, other)):
        write_exposure(exposure, tmp_path / f"exp{number}.fits")
    table = write_offsets(true_rows(VISITS[:2]), tmp_path / "offsets.ecsv")
    said = r"gc1: frames of several bands, K \(exp0\.fits\), H \(exp1\.fits\); kmos_combine cannot .*\(--drop\)"
    with pytest.raises(AlignmentError, match=said):
        offsets(table, tmp_path / "out", shifts=True)
    assert len(offsets(table, tmp_path / "copies", crval=True).products) == 2  # each by itself


def test_inputs_are_never_replaced(night, tmp_path):
    files, _ = night
    renamed = files[0].rename(tmp_path / "exp0_OFFSET.fits")
    write_visits(tmp_path, VISITS[:1])
    rows = [*true_rows()[:2], *(dataclasses.replace(row, file=renamed.name, exposure=1) for row in true_rows()[:2])]
    table = write_offsets(rows, tmp_path / "both.ecsv")
    with pytest.raises(WriteError, match=r"exp0_OFFSET\.fits: would replace an input"):
        offsets(table, tmp_path, crval=True, overwrite=True)


def test_bad_requests(night, tmp_path):
    files, table = night
    with pytest.raises(KmosError, match="nothing to do: ask for a shift file"):
        offsets(table, tmp_path / "out")
    write_offsets([dataclasses.replace(r, accepted=False) for r in true_rows()], table, overwrite=True)
    with pytest.raises(AlignmentError, match="none of its 6 offsets is accepted"):
        offsets(table, tmp_path / "out", shifts=True)
    write_offsets(true_rows(), table, overwrite=True)
    files[1].unlink()
    with pytest.raises(AlignmentError, match=r"file exp1\.fits is not where the table says"):
        offsets(table, tmp_path / "out", shifts=True)


def test_command(night, tmp_path, capsys):
    _, table = night
    assert main(["offsets", str(table), "-o", str(tmp_path / "out"), "--shifts", "--crval", "-q"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 7
    assert main(["offsets", str(table), "-o", str(tmp_path / "out"), "--shifts", "-q"]) == 2
    assert "--overwrite" in capsys.readouterr().err
