"""Offsets that others wrote down come back as the offsets they were: signs and order are those of the stars."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from dithered_files import VISITS, Visit, true_rows, write_visits
from factories import make_cube, make_wcs

from napari_kmos.cli.main import main
from napari_kmos.combine import CombineParameters
from napari_kmos.errors import AlignmentError, KmosError, KmosWarning, NotKmosError, WriteError
from napari_kmos.io import CutRow, read_cube, read_exposure, read_offsets, write_cube, write_cuts, write_offsets
from napari_kmos.recipes.combine import combine
from napari_kmos.recipes.import_offsets import import_offsets
from napari_kmos.recipes.offsets import offsets
from napari_kmos.spatial.centroid import fit_centroid
from napari_kmos.spatial.footprints import Footprint, cut_out
from napari_kmos.spatial.wcs import pixel_to_pixel, pixel_to_sky, shift_wcs

#: A shift file has four decimals of a pixel of 0.2 arcsec, and its point of the sky is the middle of a field.
ROUNDING = 2e-5


@pytest.fixture
def night(tmp_path):
    files = write_visits(tmp_path)
    return files, write_offsets(true_rows(), tmp_path / "offsets.ecsv")


@pytest.fixture
def shifts(night, tmp_path):
    """Shift files of both targets, and their folder."""
    return offsets(night[1], tmp_path / "out", shifts=True).products


def by_ifu(rows):
    return {(row.exposure, row.ifu): (row.dra_arcsec, row.ddec_arcsec) for row in rows if row.accepted}


def assert_same(table, expected, atol=ROUNDING):
    found, wanted = by_ifu(read_offsets(table)), by_ifu(expected)
    assert found.keys() == wanted.keys()
    for key, offset in wanted.items():
        assert found[key] == pytest.approx(offset, abs=atol), key


def test_all_forms_give_back_the_same_offsets(night, shifts, tmp_path):
    files, table = night
    copies = offsets(table, tmp_path / "out", crval=True).products
    assert_same(table, true_rows())
    assert_same(import_offsets(shifts, tmp_path / "a.ecsv").products[0], true_rows())
    assert_same(import_offsets(copies, tmp_path / "b.ecsv", exposures=files).products[0], true_rows(), atol=1e-6)
    assert_same(import_offsets([table], tmp_path / "c.ecsv", exposures=files).products[0], true_rows(), atol=1e-12)


def test_errors_of_what_was_written_come_back(night, shifts, tmp_path):
    """A shift file has them in its record, a copy in its header; where they were not known, they are not."""
    files, table = night
    rows = [dataclasses.replace(row, err_arcsec=math.nan if row.ifu == 12 else 0.01 * (1 + row.exposure))
            for row in true_rows()]  # fmt: skip
    write_offsets(rows, table, overwrite=True)
    made = offsets(table, tmp_path / "out", shifts=True, crval=True, overwrite=True).products
    for number, endings in enumerate(((".txt", ".sof"), (".fits",))):
        sources = [path for path in made if path.suffix in endings]
        again = import_offsets(sources, tmp_path / f"{number}.ecsv", exposures=files).products[0]
        np.testing.assert_allclose([row.err_arcsec for row in read_offsets(again)], [row.err_arcsec for row in rows])


def test_a_shift_file_that_is_not_what_its_record_says_is_told(night, shifts, tmp_path):
    lines = shifts[0].read_text().splitlines(keepends=True)
    shifts[0].write_text("0.5 0.5\n" + lines[1])
    said = r"shifts_gc1\.txt: is not what was written, by its record shifts_gc1\.json.*remove the record"
    with pytest.warns(KmosWarning, match=said):
        rows = read_offsets(import_offsets(shifts[:2], tmp_path / "a.ecsv").products[0])
    assert all(math.isnan(row.err_arcsec) for row in rows)
    shifts[0].write_text("".join(lines))
    import_offsets(shifts[:2], tmp_path / "b.ecsv")  # and no warning


def test_one_exposure_cannot_tell_its_half(night, tmp_path):
    files, _ = night
    by_eye = tmp_path / "ifu3_half1_xy_plus.txt"
    by_eye.write_text("# xp, yp\n5 0\n")
    said = r"ifu3_half1_xy_plus\.txt: is for half 1 of IFU 3, and exp0\.fits alone cannot tell .*give all exposures"
    with pytest.raises(AlignmentError, match=said):
        import_offsets([by_eye], tmp_path / "a.ecsv", exposures=files[:1])


def test_what_is_imported_combines_as_what_was_written(night, shifts, tmp_path):
    files, table = night
    again = import_offsets(shifts, tmp_path / "again.ecsv").products[0]
    how = {"parameters": CombineParameters(method="user", cmethod="average"), "name": "gc2"}
    cubes = [combine(files, tmp_path / one.stem, offsets=one, **how).products[0] for one in (table, again)]
    first, second = (np.asarray(read_cube(cube).flux) for cube in cubes)
    # 1e-4 pixel at the flank of a star of 900 over a sigma of 1.3 pixels
    np.testing.assert_allclose(first, second, atol=0.02)


def test_turned_fields_come_back_too(tmp_path):
    visits = [dataclasses.replace(visit, rotation=65.0) for visit in VISITS]
    files = write_visits(tmp_path, visits)
    table = write_offsets(true_rows(visits), tmp_path / "offsets.ecsv")
    made = offsets(table, tmp_path / "out", shifts=True, crval=True).products
    for number, ending in enumerate((".txt", ".fits")):
        sources = [path for path in made if path.suffix == ending]
        assert_same(
            import_offsets(sources, tmp_path / f"{number}.ecsv", exposures=files).products[0], true_rows(visits)
        )


def test_a_shift_file_of_somebody_else_is_against_its_first_frame(night, shifts, tmp_path):
    """Without the record nothing tells how the first header was corrected: it is taken to be right."""
    shifts[0].with_suffix(".json").unlink()
    outcome = import_offsets(shifts[:2], tmp_path / "a.ecsv")
    rows = {row.exposure: row for row in read_offsets(outcome.products[0])}
    east, north = VISITS[0].error
    for number, visit in enumerate(VISITS):
        relative = (visit.error[0] - east, visit.error[1] - north)
        assert (rows[number].dra_arcsec, rows[number].ddec_arcsec) == pytest.approx(relative, abs=ROUNDING)
    assert (rows[0].note, rows[1].note) == ("reference", "")
    assert math.isnan(rows[1].err_arcsec)


def test_the_stars_say_the_same_as_a_shift_file_by_hand(night, tmp_path):
    """Measured in the images and typed as the pipeline wants it: the corrected headers put the star at one place."""
    files, _ = night
    stars = [fit_centroid(np.asarray(cube.flux).mean(axis=0)) for cube in _cubes(files, "gc1")]
    lines = [f"{star.x - stars[0].x:.3f} {stars[0].y - star.y:.3f}\n" for star in stars[1:]]
    (tmp_path / "mine.txt").write_text("".join(lines))
    table = import_offsets([tmp_path / "mine.txt"], tmp_path / "a.ecsv", exposures=files, name="gc1").products[0]
    where = []
    for cube, star, row in zip(_cubes(files, "gc1"), stars, read_offsets(table), strict=True):
        where.append(pixel_to_sky(shift_wcs(cube.wcs, row.dra_arcsec, row.ddec_arcsec), star.y, star.x))
    np.testing.assert_allclose(np.ptp(where, axis=0) * 3600, 0, atol=3e-4)  # lines have three decimals


def _cubes(files, target):
    return [next(cube for cube in read_exposure(path).cubes if cube.name == target) for path in files]


def test_dropping_an_exposure_makes_shift_file_and_sof_anew(night, shifts, tmp_path):
    files, table = night
    for dropped in (0, 1):
        left = [number for number in range(3) if number != dropped]
        made = offsets(table, tmp_path / "out", shifts=True, drop=[f"exp{dropped}.fits"], overwrite=True).products
        assert set(made) == set(shifts)
        assert shifts[1].read_text().split()[::2] == [str(files[number]) for number in left]
        assert len(np.loadtxt(shifts[0], ndmin=2)) == 1
        expected = [row for row in true_rows() if row.exposure != dropped]
        with pytest.warns(KmosWarning, match=rf"no offset is told for exp{dropped}\.fits"):
            again = import_offsets(shifts, tmp_path / f"{dropped}.ecsv", exposures=files)
        assert_same(again.products[0], expected)
    with pytest.raises(KmosError, match=r"exp7\.fits is to be dropped, but is none of the files: exp0\.fits"):
        offsets(table, tmp_path / "out", shifts=True, drop=["exp7.fits"], overwrite=True)


def test_what_is_dropped_may_be_gone(night, shifts, tmp_path):
    files, table = night
    files[2].unlink()
    with pytest.raises(AlignmentError, match=r"file exp2\.fits is not where the table says"):
        offsets(table, tmp_path / "out", shifts=True, overwrite=True)
    offsets(table, tmp_path / "out", shifts=True, drop=["exp2.fits"], overwrite=True)
    assert "exp2" not in shifts[1].read_text()
    assert len(shifts[0].read_text().splitlines()) == 1


def test_turned_frames_have_no_common_shift(tmp_path):
    files = write_visits(tmp_path, [Visit(), Visit(rotation=20.0)])
    (tmp_path / "mine.txt").write_text("1 2\n")
    said = r"shift file, exp1\.fits .*: exposures of position angles 0\.00 and 20\.00 deg"
    with pytest.raises(AlignmentError, match=said):
        import_offsets([tmp_path / "mine.txt"], tmp_path / "a.ecsv", exposures=files, name="gc1")


def test_a_shift_file_that_is_no_longer_made_is_told(tmp_path):
    visits = [VISITS[0], VISITS[1], dataclasses.replace(VISITS[2], arms=((3, "gc1"),))]
    write_visits(tmp_path, visits)
    table = write_offsets(true_rows(visits), tmp_path / "offsets.ecsv")
    offsets(table, tmp_path / "out", shifts=True)
    with pytest.warns(KmosWarning, match=r"shifts_gc2\.txt: not made again, since gc2 is left in less than two"):
        offsets(table, tmp_path / "out", shifts=True, drop=["exp1.fits"], overwrite=True)


def test_frames_that_do_not_fit_their_shifts(night, shifts, tmp_path):
    files, _ = night
    text, out = shifts[0].read_text(), tmp_path / "a.ecsv"
    shifts[0].write_text(text.splitlines()[0] + "\n")
    with pytest.raises(
        AlignmentError, match=r"shifts_gc1\.txt: 1 lines, and 3 exposures in .*shifts_gc1\.sof; expected"
    ):
        import_offsets(shifts, out)
    shifts[0].write_text(text)
    frames = shifts[1].read_text().splitlines(keepends=True)
    shifts[1].write_text("".join([frames[0], frames[2], frames[1]]))
    with pytest.raises(
        AlignmentError, match=r"gc1\.sof: its frames are not those, or not in the order, .*shifts_gc1\.json"
    ):
        import_offsets(shifts[:2], out)
    shifts[1].write_text("".join(frames[1:]))
    shifts[0].write_text(text.splitlines()[1] + "\n")
    with pytest.raises(AlignmentError, match=r"gc1\.sof: its frames are not those, .* write both again"):
        import_offsets(shifts[:2], out)
    shifts[0].write_text(text)
    shifts[1].write_text("".join(frames))
    with pytest.raises(
        AlignmentError, match=r"gc1\.sof: is for other files: exp2\.fits is not among the exposures \(exp0"
    ):
        import_offsets(shifts[:2], out, exposures=files[:2])
    for path in (shifts[1], shifts[0].with_suffix(".json")):
        path.unlink()
    with pytest.raises(KmosError, match=r"nothing tells what the offsets are for: give the exposures \(--for\)"):
        import_offsets(shifts[:1], out)
    with pytest.raises(AlignmentError, match=r"2 lines, and 2 exposures in what was given"):
        import_offsets(shifts[:1], out, exposures=files[:2])
    with pytest.warns(
        KmosWarning, match=r"corrections of more than 0\.5 arcsec \(exp\d\.fits IFU \d+: .*in its order\?"
    ):
        import_offsets(shifts[:1], out, exposures=[files[1], files[2], files[0]], doubtful_arcsec=0.5)


def test_the_target_of_a_shift_file_must_be_known(night, shifts, tmp_path):
    files, _ = night
    mine = tmp_path / "mine.txt"
    mine.write_text(shifts[0].read_text())
    with pytest.raises(
        AlignmentError, match=r"mine\.txt: nothing tells its target; there are gc1, gc2: say which \(--name"
    ):
        import_offsets([mine], tmp_path / "a.ecsv", exposures=files)
    with pytest.raises(
        AlignmentError, match=r"exp0\.fits: target 'gc9' is in 0 of its IFUs, expected one; its targets are gc1"
    ):
        import_offsets([mine], tmp_path / "a.ecsv", exposures=files, name="gc9")


def test_copies_say_which_ifus_they_correct(night, tmp_path):
    files, table = night
    rows = [dataclasses.replace(row, accepted=(row.exposure, row.ifu) != (1, 3)) for row in true_rows()]
    write_offsets(rows, table, overwrite=True)
    with pytest.warns(KmosWarning, match="no accepted offset; its header stays"):
        copies = offsets(table, tmp_path / "out", crval=True).products
    found = read_offsets(import_offsets(copies, tmp_path / "a.ecsv", exposures=files).products[0])
    assert [(row.exposure, row.ifu) for row in found if not row.accepted] == [(1, 3)]
    assert_same(tmp_path / "a.ecsv", rows, atol=1e-6)


def test_copies_by_other_hands_and_of_other_files(night, tmp_path):
    files, _ = night
    copy = tmp_path / "exp1_astrocorr.fits"
    with fits.open(files[1]) as hdus:
        for hdu in hdus[1:]:
            if "CRVAL1" in hdu.header:
                hdu.header["CRVAL2"] += 0.25 / 3600
        hdus.writeto(copy)
    with pytest.warns(KmosWarning, match=r"no offset is told for exp0\.fits, exp2\.fits"):
        table = import_offsets([copy], tmp_path / "a.ecsv", exposures=files).products[0]
    assert [(row.exposure, row.ifu) for row in read_offsets(table)] == [(1, 3), (1, 12)]
    np.testing.assert_allclose([by_ifu(read_offsets(table))[1, ifu] for ifu in (3, 12)], [[0, 0.25]] * 2, atol=1e-6)
    with pytest.raises(AlignmentError, match=r"exp1_astrocorr\.fits: is no copy of any of the exposures \(exp0"):
        import_offsets([copy], tmp_path / "b.ecsv", exposures=files[:1])
    with fits.open(copy, mode="update") as hdus:
        for hdu in hdus[1:]:
            if "CD1_1" in hdu.header:
                hdu.header["CD1_1"] *= 1.1
    with pytest.raises(AlignmentError, match="size, rotation or scale are not those of its exposure"):
        import_offsets([copy], tmp_path / "b.ecsv", exposures=files)


def _log(files, pairs, *, one_reference):
    """Shifts as `kmos_combine` logs them: of each target against its first frame, or of all against one IFU."""
    cubes = [(path, cube, shift_wcs(cube.wcs, *errors[number])) for number, path in enumerate(files)
             for cube in read_exposure(path).cubes for errors in (pairs,)]  # fmt: skip
    lines = ["[ INFO  ] kmos_combine: starts"]
    for path, cube, right in cubes:
        first = next(one for _, same, one in cubes if one_reference or same.name == cube.name)
        middle = ((cube.shape[1] - 1) / 2, (cube.shape[2] - 1) / 2)
        y, x = pixel_to_pixel(first, right, *middle)
        place = f"in x: {x - middle[1]:7.3f} pix, in y: {middle[0] - y:7.3f} pix"
        lines.append(f"[{path.name}, IFU {cube.ifu}] Shifts {place}")
    return "\n".join(lines)


@pytest.mark.parametrize("one_reference", [True, False], ids=["mosaic", "targets"])
def test_logs_of_mosaics_and_of_targets(night, tmp_path, one_reference):
    files, _ = night
    errors = [visit.error for visit in VISITS]
    (tmp_path / "esorex.log").write_text(_log(files, errors, one_reference=one_reference))
    table = import_offsets([tmp_path], tmp_path / "a.ecsv", exposures=files).products[0]
    relative = [
        dataclasses.replace(row, dra_arcsec=row.dra_arcsec - errors[0][0], ddec_arcsec=row.ddec_arcsec - errors[0][1])
        for row in true_rows()
    ]
    assert_same(table, relative, atol=1.5e-4)  # three decimals of a pixel of 0.2 arcsec
    assert {row.note for row in read_offsets(table) if row.exposure == 0} == (
        {"reference", ""} if one_reference else {"reference"}
    )


def test_a_log_that_does_not_tell_its_reference(night, tmp_path):
    """The frame that is not in it is the first; where all are and none has shift zero, it is the smallest shift."""
    files, _ = night
    text = _log(files, [visit.error for visit in VISITS], one_reference=False)
    log = tmp_path / "run.log"
    log.write_text("\n".join(line for line in text.splitlines() if "exp0" not in line))
    table = import_offsets([log], tmp_path / "a.ecsv", exposures=files).products[0]
    expected = np.subtract(VISITS[1].error, VISITS[0].error)
    assert by_ifu(read_offsets(table))[1, 12] == pytest.approx(tuple(expected), abs=1.5e-4)
    alone = import_offsets([log], tmp_path / "b.ecsv", exposures=files[1:]).products[0]
    first, second = (by_ifu(read_offsets(alone))[key] for key in ((0, 12), (1, 3)))
    assert np.subtract(second, first) == pytest.approx(np.subtract(VISITS[2].error, VISITS[1].error), abs=3e-4)


def test_logs_of_other_files(night, tmp_path):
    files, _ = night
    log = tmp_path / "run.log"
    text = _log(files, [visit.error for visit in VISITS], one_reference=False)
    log.write_text(text.replace("exp", "other"))
    with pytest.raises(
        AlignmentError, match=r"run\.log: is for other files \(other0\.fits, other1\.fits, other2\.fits\)"
    ):
        import_offsets([log], tmp_path / "a.ecsv", exposures=files)
    log.write_text(text)
    with pytest.warns(KmosWarning, match=r"run\.log: rows for exp2\.fits left out: not among the exposures"):
        import_offsets([log], tmp_path / "a.ecsv", exposures=files[:2])


@pytest.fixture
def mosaics(tmp_path):
    """A turned mosaic with a star, and that of another epoch, in which all stands 2 rows up and 3 columns left."""
    first = make_cube(shape=(6, 40, 55), wcs=make_wcs(rotation_deg=105, scale_arcsec=0.1), ifu=None, name="mosaic")
    cubes = [
        dataclasses.replace(first, flux=make_cube(shape=(6, 40, 55), stars=[(20.3 + y, 30.2 + x, 900.0)]).flux)
        for y, x in ((0, 0), (2, -3))
    ]
    return [write_cube(cube, tmp_path / f"M{name}.fits") for cube, name in zip(cubes, ("105", "107"), strict=True)]


def test_whole_pixels_by_eye_bring_the_stars_back(mosaics, tmp_path):
    """What stands 2 rows up and 3 columns left is cut out from there: xp is -3, yp is 2."""
    for half in (1, 2):
        np.savetxt(tmp_path / f"ifu3_half{half}_xy_plus.txt", [[-3, 2]], fmt="%.0f", header="xp, yp")
    sources = sorted(tmp_path.glob("ifu*_xy_plus.txt"))
    outcome = import_offsets(sources, tmp_path / "a.ecsv", exposures=[mosaics[1]], reference=[mosaics[0]])
    rows = read_offsets(outcome.products[0])
    assert [(Path(row.file).name, row.ifu, row.half) for row in rows] == [
        ("M107.fits", 3, 1),
        ("M107.fits", 3, 2),
        ("M105.fits", None, None),
    ]
    assert (rows[2].dra_arcsec, rows[2].ddec_arcsec, rows[2].method) == (0, 0, "header")
    seen = []
    for file, row in zip(mosaics, (rows[2], rows[0]), strict=True):
        cube = read_cube(file)
        star = fit_centroid(np.asarray(cube.flux).mean(axis=0))
        seen.append(pixel_to_sky(shift_wcs(cube.wcs, row.dra_arcsec, row.ddec_arcsec), star.y, star.x))
    # the noise of the images moves the star by some thousandths of a pixel
    np.testing.assert_allclose(np.subtract(*seen) * 3600, 0, atol=1e-3)
    assert rows[0].err_arcsec == pytest.approx(0.1 / math.sqrt(12), rel=1e-3)


def test_an_epoch_moved_by_eye_is_combined_with_the_other(mosaics, tmp_path):
    """The star of both is one star, as narrow as in one of them; by the headers it is not."""
    by_eye = tmp_path / "ifu3_xy_plus.txt"
    by_eye.write_text("# xp, yp\n-3 2\n")
    for epoch in (105, 107):
        write_cuts([CutRow(ifu=3, x=1, y=1, n_x=55, n_y=40)], tmp_path / f"M{epoch}_cuts.ecsv")
    table = import_offsets([by_eye], tmp_path / "a.ecsv", exposures=mosaics[1:], reference=mosaics[:1]).products[0]
    how = {"each": "ifu", "parameters": CombineParameters(method="user", cmethod="average"), "offsets": table}
    (product,) = combine(mosaics, tmp_path / "both", **how).products
    alone, both = (fit_centroid(np.asarray(read_cube(path).flux).mean(axis=0)) for path in (mosaics[0], product))
    assert product.name == "COMBINE_IFU3.fits"
    # moved by whole pixels, hardly anything is interpolated
    assert both.fwhm_pix == pytest.approx(alone.fwhm_pix, rel=0.01)
    assert both.peak == pytest.approx(alone.peak, rel=0.02)


def test_windows_found_without_the_headers_are_told_by_tables_of_cuts(mosaics, tmp_path):
    """The second mosaic has a header of its own, wrong by arcsec, and begins elsewhere: windows went by the logs."""
    second = read_cube(mosaics[1])
    moved = dataclasses.replace(second, wcs=shift_wcs(second.wcs, 0.9, -1.3))
    part = cut_out(moved, Footprint(4, 6, 30, 40))
    other = write_cube(part, tmp_path / "M108.fits")
    by_eye = tmp_path / "ifu3_half1_xy_plus.txt"
    by_eye.write_text("# xp, yp\n-3 2\n")
    write_cuts([CutRow(ifu=3, half=1, x=21, y=11), CutRow(ifu=5, x=1, y=1)], tmp_path / "M105_cuts.ecsv")
    write_cuts([CutRow(ifu=3, half=1, x=15, y=7)], tmp_path / "M108_cuts.ecsv")
    outcome = import_offsets([by_eye], tmp_path / "a.ecsv", exposures=[other], reference=[mosaics[0]])
    row = read_offsets(outcome.products[0])[0]
    seen = []
    for cube, correction in ((read_cube(mosaics[0]), (0, 0)), (part, (row.dra_arcsec, row.ddec_arcsec))):
        star = fit_centroid(np.asarray(cube.flux).mean(axis=0))
        seen.append(pixel_to_sky(shift_wcs(cube.wcs, *correction), star.y, star.x))
    np.testing.assert_allclose(np.subtract(*seen) * 3600, 0, atol=1e-3)


def test_whole_pixels_of_cuts_and_exposures(tmp_path):
    """Halves are known by the names of cuts, and by the times of exposures."""
    files = write_visits(tmp_path, [Visit()] * 4)
    for file, minutes in zip(files, (0, 3, 30, 33), strict=True):
        with fits.open(file, mode="update") as hdus:
            hdus[0].header["MJD-OBS"] = 59000.2 + minutes / 1440
    by_eye = tmp_path / "ifu3_half2_xy_plus.txt"
    by_eye.write_text("# xp, yp\n5 0\n")
    with pytest.warns(KmosWarning, match=r"no offset is told for exp0\.fits, exp1\.fits"):
        rows = read_offsets(import_offsets([by_eye], tmp_path / "a.ecsv", exposures=files).products[0])
    assert [(row.exposure, row.ifu, row.half) for row in rows] == [(2, 3, 2), (3, 3, 2)]
    assert rows[0].dra_arcsec == pytest.approx(1.0, abs=1e-4)  # from columns further right, which is west
    cut = write_cube(read_cube(files[0], 3), tmp_path / "M107_IFU3_half2.fits")
    (row,) = read_offsets(import_offsets([by_eye], tmp_path / "b.ecsv", exposures=[cut]).products[0])
    assert (row.file, row.ifu, row.half) == (cut.name, 3, 2)
    other = by_eye.rename(tmp_path / "ifu7_xy_plus.txt")
    with pytest.raises(
        AlignmentError, match=r"ifu7_xy_plus\.txt: none of the files \(exp0\.fits, .*\) has IFU 7; expected"
    ):
        import_offsets([other], tmp_path / "c.ecsv", exposures=files)


def test_tables_of_other_files_and_two_that_say_the_same(night, shifts, tmp_path):
    files, table = night
    rows = [dataclasses.replace(row, file=row.file.replace("exp", "other")) for row in true_rows()]
    other = write_offsets(rows, tmp_path / "other.ecsv")
    with pytest.raises(AlignmentError, match=r"other\.ecsv: is for other files \(other0\.fits.*\), none of them among"):
        import_offsets([other], tmp_path / "a.ecsv", exposures=files)
    with pytest.raises(AlignmentError, match=r"offsets\.ecsv and .*shifts_gc1\.txt both tell of exp0\.fits IFU 3"):
        import_offsets([table, shifts[0]], tmp_path / "a.ecsv", exposures=files)


def test_bad_requests(night, shifts, tmp_path):
    files, table = night
    out = tmp_path / "a.ecsv"
    with pytest.raises(WriteError, match=r"offsets\.ecsv.*exists"):
        import_offsets(shifts, table)
    with pytest.raises(KmosError, match=r"no file given that tells offsets; give shift files"):
        import_offsets([tmp_path / "out/shifts_gc1_README.txt"], out, exposures=files)
    with pytest.raises(KmosError, match=r"shifts_gc1\.sof: the shift file of this name is missing"):
        import_offsets([shifts[1]], out)
    with pytest.raises(KmosError, match=r"exp0\.fits: it is given twice"):
        import_offsets(shifts, out, exposures=[files[0], *files])
    for given in ([], files):
        with pytest.raises(NotKmosError, match=r"nothing\.txt: no such file"):
            import_offsets([tmp_path / "nothing.txt"], out, exposures=given)
    (tmp_path / "offsets.csv").write_text("file,dx,dy\n")
    with pytest.raises(KmosError, match=r"offsets\.csv, line 1: .*; expected a shift file"):
        import_offsets([tmp_path / "offsets.csv"], out, exposures=files)
    assert not out.exists()


def test_command(night, shifts, tmp_path, capsys):
    _, table = night
    out = tmp_path / "a.ecsv"
    assert main(["offsets", "--import", *map(str, shifts), "-o", str(out), "-q"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == str(out)
    assert sum("+-" in line for line in lines) == 6
    assert_same(out, true_rows())
    for words, message in (
        ([], "give a table of offsets"),
        ([str(table), "--import", str(shifts[0])], "give a table of offsets"),
        (["--import", str(shifts[0]), "--shifts"], "--shifts does nothing with --import: write the table first"),
        ([str(table), "--shifts", "--name", "gc1"], "--name does nothing without --import"),
    ):
        assert main(["offsets", *words, "-o", str(tmp_path / "b"), "-q"]) == 2
        assert message in capsys.readouterr().err
    dropped = [
        "offsets",
        str(table),
        "-o",
        str(tmp_path / "out"),
        "--shifts",
        "--drop",
        "exp0.fits",
        "--overwrite",
        "-q",
    ]
    assert main(dropped) == 0
    assert len(shifts[0].read_text().splitlines()) == 1
