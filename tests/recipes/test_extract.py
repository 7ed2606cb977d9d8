"""From files to files: spectra of known stars, their tables, and what is refused."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from astropy.table import Table
from dithered_files import star_sky, true_rows, write_visits
from factories import make_cube, make_exposure, make_wcs

from napari_kmos.aperture import Aperture
from napari_kmos.cli.main import main
from napari_kmos.errors import AlignmentError, ExtractionError, KmosError, KmosWarning, NotKmosError, WriteError
from napari_kmos.extract import ExtractParameters
from napari_kmos.io import (
    read_apertures,
    read_cube,
    read_images,
    read_spectrum,
    read_table,
    write_apertures,
    write_cube,
    write_exposure,
    write_offsets,
)
from napari_kmos.progress import Cancelled
from napari_kmos.recipes.extract import extract
from napari_kmos.spatial.wcs import pixel_to_sky, shift_wcs

if TYPE_CHECKING:
    from napari_kmos.cube import Cube

RADIUS = 0.5
STARS = ((4.0, 10.5, 5000.0), (8.5, 3.6, 3000.0))


def apertures_of(cube: Cube, *, prefix: str = "", radius: float = RADIUS) -> list[Aperture]:
    """Return an aperture on each star, and two sky areas."""
    places = [(f"{prefix}{number}", "star", y, x) for number, (y, x, _) in enumerate(STARS, start=1)]
    places += [(f"{prefix}sky1", "sky", 1.5, 1.5), (f"{prefix}sky2", "sky", 10.5, 12.5)]
    return [
        Aperture(id=name, kind=kind, **dict(zip(("ra", "dec"), pixel_to_sky(cube.wcs, y, x), strict=True)),
                 radius_arcsec=radius if kind == "star" else 0.3)
        for name, kind, y, x in places
    ]  # fmt: skip


def star_cube(**facts: object) -> Cube:
    return make_cube(shape=(60, 13, 15), stars=STARS, background=40.0, **facts)


@pytest.fixture
def combined(tmp_path: Path) -> tuple[Path, Path]:
    """A combined cube, and its apertures with a column of the user's."""
    cube = star_cube(name="GC/7", ifu=7)
    rows = [dataclasses.replace(row, extra={"mag": 12.0 + n}) for n, row in enumerate(apertures_of(cube))]
    return (
        write_cube(cube, tmp_path / "COMBINE_GC_7.fits"),
        write_apertures(rows, tmp_path / "stars.ecsv"),
    )


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_combined_cube_gives_a_file_a_star_a_sky_a_table_and_a_record(tmp_path: Path, combined: tuple[Path, Path]):
    outcome = extract([combined[0]], combined[1], tmp_path / "out")

    assert [path.name for path in outcome.products] == [
        "spec_GC_7_ifu7_1.fits", "spec_GC_7_ifu7_2.fits", "sky_GC_7_ifu7.fits", "spectra_GC_7_ifu7.ecsv",
    ]  # fmt: skip
    assert [path.name for path in outcome.extras] == ["spectra_GC_7_ifu7.reg", "spectra_GC_7_ifu7.json"]
    assert names(tmp_path / "out") == sorted(path.name for path in (*outcome.products, *outcome.extras))
    table = read_table(outcome.products[-1])
    assert list(table["file"]) == ["spec_GC_7_ifu7_1.fits", "spec_GC_7_ifu7_2.fits"]
    assert list(table["mag"]) == [12.0, 13.0]
    assert list(table["ifu"]) == [7, 7]
    record = json.loads(outcome.extras[1].read_text())
    assert record["step"] == "extract"
    assert [Path(entry["file"]).name for entry in record["inputs"]] == ["COMBINE_GC_7.fits", "stars.ecsv"]
    assert record["parameters"]["sky"] == "annulus"
    assert len(record["products"]) == 5


def test_fluxes_sky_and_header_are_those_of_the_stars(tmp_path: Path, combined: tuple[Path, Path]):
    parameters = ExtractParameters(sky="areas")
    outcome = extract([combined[0]], combined[1], tmp_path / "out", parameters=parameters)

    first, second, sky = map(read_spectrum, outcome.products[:3])
    # Share of a Gaussian of FWHM 3 spaxels, smeared by the spaxels at the rim (variance 1/12), within 2.5: to 1 %.
    # Starlight in the sky areas is below 0.3 a spaxel.
    share = 1 - math.exp(-(2.5**2) / (2 * ((3 / 2.3548) ** 2 + 1 / 12)))
    assert np.median(first.flux) == pytest.approx(5000 * share, rel=0.02)
    assert np.median(second.flux) == pytest.approx(3000 * share, rel=0.02)
    assert np.median(sky.flux) == pytest.approx(40, rel=0.02)
    assert (sky.aperture.kind, sky.n_sky) == ("sky", 2)
    assert (first.target, first.ifu, first.aperture.id) == ("GC/7", 7, "1")
    assert dict(first.parameters) == {
        "sky": "areas", "inner": 2.0, "outer": 3.0, "side": "all", "side_deg": 180.0, "avoid_arcsec": 0.0,
        "ring_statistic": "median", "areas_statistic": "mean", "sky_clip": 3.0, "min_coverage": 0.8,
    }  # fmt: skip
    assert first.source == "COMBINE_GC_7.fits[GC/7.DATA]"
    assert outcome.measured["spectra"][0]["snr_noise"] == pytest.approx(first.snr_noise)


def test_all_ifus_of_an_exposure_at_once(tmp_path: Path):
    exposure = make_exposure(ifus=(3, 5, 22), shape=(60, 13, 15), stars=STARS)
    arms = tuple(
        dataclasses.replace(arm, cube=dataclasses.replace(arm.cube, wcs=make_wcs(ra=266.0 + 0.01 * arm.number)))
        if arm.cube
        else arm
        for arm in exposure.arms
    )
    exposure = dataclasses.replace(exposure, arms=arms)
    path = write_exposure(exposure, tmp_path / "KMOS.fits")
    rows = [row for ifu in (3, 22) for row in apertures_of(exposure.cube(ifu), prefix=f"{ifu}-")]

    outcome = extract([path], rows, tmp_path / "out", parameters=ExtractParameters(sky="areas"))

    spectra = [p.name for p in outcome.products if p.name.startswith("spec_")]
    assert spectra == [f"spec_star{ifu}_ifu{ifu}_{ifu}-{n}.fits" for ifu in (3, 22) for n in (1, 2)]
    assert [p.name for p in outcome.products if p.suffix == ".ecsv"] == [
        "spectra_star3_ifu3.ecsv", "spectra_star22_ifu22.ecsv",
    ]  # fmt: skip
    only = extract([path], rows, tmp_path / "only", ifu=22)
    assert {row["ifu"] for row in only.measured["spectra"]} == {22}
    assert only.measured["outside"] == []  # those of IFU 3 were not asked for, and are not lost
    with pytest.raises(ExtractionError, match="none of the 4 star apertures lies in any cube"):
        extract([path], rows, tmp_path / "none", ifu=5)
    with pytest.raises(KmosError, match="no data for IFU 4; IFUs with data: 3, 5, 22"):
        extract([path], rows, tmp_path / "none", ifu=4)


def test_mosaic_says_mosaic_where_there_is_no_ifu(tmp_path: Path):
    cube = star_cube(name="mosaic", ifu=None)
    path = write_cube(cube, tmp_path / "COMBINE_mosaic.fits")

    outcome = extract([path], apertures_of(cube)[:1], tmp_path / "out")

    assert [p.name for p in outcome.products] == ["spec_mosaic_mosaic_1.fits", "spectra_mosaic_mosaic.ecsv"]


def test_stars_outside_every_cube_are_warned_of_and_stand_in_the_nearest_table(tmp_path: Path):
    near, far = star_cube(name="A", ifu=1), star_cube(name="B", ifu=2, wcs=make_wcs(ra=266.5))
    files = [write_cube(near, tmp_path / "a.fits"), write_cube(far, tmp_path / "b.fits")]
    rows = [*apertures_of(near), *apertures_of(far, prefix="b"), Aperture(id="lost", ra=266.49, dec=-28.93,
                                                                         radius_arcsec=0.5)]  # fmt: skip

    with pytest.warns(KmosWarning, match="outside every cube: lost"):
        outcome = extract(files, rows, tmp_path / "out")

    assert outcome.measured["outside"] == ["lost"]
    first, second = (read_table(tmp_path / "out" / f"spectra_{name}.ecsv") for name in ("A_ifu1", "B_ifu2"))
    assert list(first["id"]) == ["1", "2"]
    assert list(second["id"]) == ["b1", "b2", "lost"]
    assert second["note"][2] == "outside every cube"


def test_same_target_in_two_files_goes_into_folders(tmp_path: Path):
    cube = star_cube()
    files = [write_cube(cube, tmp_path / f"epoch{n}.fits") for n in (1, 2)]

    extract(files, apertures_of(cube)[:1], tmp_path / "out")

    assert [name for name in names(tmp_path / "out") if "spec_" in name] == [
        "epoch1/spec_target_ifu5_1.fits", "epoch2/spec_target_ifu5_1.fits",
    ]  # fmt: skip


def test_files_of_one_name_go_into_folders_named_after_theirs(tmp_path: Path):
    """As the cubes of one target in the folders of two epochs are called."""
    cube = star_cube()
    files = []
    for epoch in ("2014", "2018"):
        (tmp_path / epoch).mkdir()
        files.append(write_cube(cube, tmp_path / epoch / "COMBINED.fits"))

    extract(files, apertures_of(cube)[:1], tmp_path / "out")
    extract(files[1:], apertures_of(cube)[:1], tmp_path / "one", apart=True)

    assert [name for name in names(tmp_path / "out") if "spec_" in name] == [
        "2014_COMBINED/spec_target_ifu5_1.fits", "2018_COMBINED/spec_target_ifu5_1.fits",
    ]  # fmt: skip
    assert [name for name in names(tmp_path / "one") if "spec_" in name] == ["COMBINED/spec_target_ifu5_1.fits"]


def test_of_a_crowd_the_first_are_named(tmp_path: Path):
    cube = star_cube()
    path = write_cube(cube, tmp_path / "c.fits")
    star = apertures_of(cube)[0]
    crowd = [dataclasses.replace(star, id=str(number), dec=star.dec + number * 1e-5) for number in range(1, 9)]
    away = [dataclasses.replace(one, id=f"far{one.id}", ra=star.ra + 1) for one in crowd]

    with pytest.warns(KmosWarning) as told:
        extract([path], [*crowd, *away], tmp_path / "out")

    texts = " ".join(str(one.message) for one in told)
    assert "the apertures of 1, 2, 3, 4, 5 and 3 more overlap, and light of one counts in the other" in texts
    assert "outside every cube: far1, far2, far3, far4, far5 and 3 more" in texts


def test_star_without_data_has_a_row_and_no_file(tmp_path: Path):
    cube = star_cube()
    cube.flux[:, :, 8:13] = np.nan
    path = write_cube(cube, tmp_path / "c.fits")

    with pytest.warns(KmosWarning, match="star 1: no data: at most .* is covered; left out"):
        outcome = extract([path], apertures_of(cube)[:2], tmp_path / "out", parameters=ExtractParameters(sky="none"))

    assert outcome.measured["n_spectra"] == 1
    table = read_table(tmp_path / "out" / "spectra_target_ifu5.ecsv")
    assert table["file"].mask[0]
    assert table["note"][0].startswith("no data")
    assert table["file"][1] == "spec_target_ifu5_2.fits"


def test_cube_without_sky_areas_is_left_out_where_others_have_some(tmp_path: Path):
    first, second = star_cube(name="A", ifu=1), star_cube(name="B", ifu=2, wcs=make_wcs(ra=266.5))
    files = [write_cube(first, tmp_path / "a.fits"), write_cube(second, tmp_path / "b.fits")]
    rows = [*apertures_of(first), *apertures_of(second, prefix="b")[:2]]

    with pytest.warns(KmosWarning, match="IFU 2 B: no sky aperture in this cube; its stars are left out"):
        outcome = extract(files, rows, tmp_path / "out", parameters=ExtractParameters(sky="areas"))

    assert [row["note"] for row in outcome.measured["spectra"]][2:] == ["no sky aperture in this cube"] * 2
    assert outcome.measured["n_spectra"] == 2


def test_what_cannot_be_extracted_is_said_before_anything_is_written(tmp_path: Path):
    cube = star_cube()
    path, out = write_cube(cube, tmp_path / "c.fits"), tmp_path / "out"
    star, _, sky, _ = apertures_of(cube)
    away = dataclasses.replace(star, ra=10.0)
    blank = write_cube(dataclasses.replace(cube, flux=np.full_like(cube.flux, np.nan)), tmp_path / "blank.fits")

    with pytest.raises(ExtractionError, match=r"none of the 1 star apertures lies in any cube \(the first of 1 cubes"):
        extract([path], [away], out)
    with pytest.raises(ExtractionError, match="all apertures are of kind sky"):
        extract([path], [sky], out)
    with pytest.raises(ExtractionError, match="no aperture of kind sky lies in a cube with stars"):
        extract([path], [star], out, parameters=ExtractParameters(sky="areas"))
    with pytest.raises(ExtractionError, match="no aperture; expected at least one"):
        extract([path], [], out)
    with pytest.raises(ExtractionError, match=r"the stars 'a/b' and 'a b' would both become spec_target_ifu5_a_b.fits"):
        extract([path], [dataclasses.replace(star, id=name) for name in ("a/b", "a b")], out)
    with pytest.raises(NotKmosError, match="no such file"):
        extract([tmp_path / "missing.fits"], [star], out)
    assert not out.exists()
    with (
        pytest.raises(ExtractionError, match="no star has a spectrum: no data"),
        pytest.warns(KmosWarning, match="left out"),
    ):
        extract([blank], [star], out)


def test_files_that_exist_are_kept_unless_told(tmp_path: Path, combined: tuple[Path, Path]):
    out = tmp_path / "out"
    extract([combined[0]], combined[1], out)
    (out / "spec_GC_7_ifu7_1.fits").unlink()

    with pytest.raises(WriteError, match=r"spec_GC_7_ifu7_2.fits: exists already"):
        extract([combined[0]], combined[1], out)
    assert not (out / "spec_GC_7_ifu7_1.fits").exists()
    assert len(extract([combined[0]], combined[1], out, overwrite=True).products) == 4


def test_cancelling_leaves_no_half_written_file(tmp_path: Path, combined: tuple[Path, Path]):
    def cancel(done: int, total: int, text: str) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        extract([combined[0]], combined[1], tmp_path / "out", progress=cancel)
    assert names(tmp_path / "out") == []


def test_regions_in_pixels_serve_a_single_cube(tmp_path: Path):
    cube = star_cube()
    path = write_cube(cube, tmp_path / "c.fits")
    regions = tmp_path / "stars.reg"
    regions.write_text("image\ncircle(11.5,5.0,2.5) # text={a}\npoint(4.6,9.5) # point=cross text={b}\n")

    outcome = extract([path], regions, tmp_path / "out", radius_arcsec=0.5)

    expected = extract([path], apertures_of(cube)[:2], tmp_path / "other")
    for one, other in zip(outcome.products[:2], expected.products[:2], strict=True):
        np.testing.assert_allclose(read_spectrum(one).flux, read_spectrum(other).flux, rtol=1e-6)


def test_command_extracts_and_tells(tmp_path: Path, combined: tuple[Path, Path], capsys: pytest.CaptureFixture[str]):
    words = ["extract", str(combined[0]), "--apertures", str(combined[1]), "-o", str(tmp_path / "out"), "--json"]

    assert main([*words, "--sky", "areas", "--inner", "1.5"]) == 0

    told = json.loads(capsys.readouterr().out)
    assert Path(told["products"][0]).name == "spec_GC_7_ifu7_1.fits"
    assert told["warnings"] == []
    assert read_spectrum(told["products"][0]).parameters["inner"] == 1.5
    assert main(words) == 2
    assert capsys.readouterr().err.splitlines()[-1].startswith("error: ")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--sky", "moon"], "invalid choice: 'moon'"),
        (["--method", "magic"], "invalid choice: 'magic'"),
        (["--inner", "4"], "the sky ring goes from 4.0 to 3.0 radii"),
        (["--ifu", "8"], "no data for IFU 8"),
    ],
)
def test_command_refuses_in_a_line(
    tmp_path: Path, combined: tuple[Path, Path], capsys: pytest.CaptureFixture[str], words: list[str], message: str
):
    start = ["extract", str(combined[0]), "--apertures", str(combined[1]), "-o", str(tmp_path / "out")]

    assert main([*start, *words]) == 2

    assert message in capsys.readouterr().err.splitlines()[-1]
    assert not (tmp_path / "out").exists()


def test_stars_stay_where_they_are_and_offsets_move_the_cubes(tmp_path: Path):
    """Three exposures with wrong headers: the apertures lie on the star's true place, once offsets are used."""
    files = write_visits(tmp_path)
    table = write_offsets(true_rows(), tmp_path / "offsets.ecsv")
    ra, dec = star_sky("gc1")
    star = Aperture(id="1", ra=ra, dec=dec, radius_arcsec=0.4)

    def fluxes(name: str, **how: object) -> list[float]:
        outcome = extract(files, [star], tmp_path / name, **how)
        spectra = [read_spectrum(path) for path in outcome.products if path.name.startswith("spec_")]
        assert {(one.aperture.ra, one.aperture.dec) for one in spectra} == {(ra, dec)}
        return [float(np.nanmedian(one.flux)) for one in spectra]

    share = 1 - math.exp(-(2.0**2) / (2 * ((3 / 2.3548) ** 2 + 1 / 12)))
    right = fluxes("right", offsets=[table])
    with pytest.raises(KmosError, match=r"offsets\.ecsv: it is given twice"):
        fluxes("twice", offsets=[table, table])
    # apertures of two spaxels radius, cut into spaxels, on a star anywhere within a spaxel
    assert right == pytest.approx([900 * share] * 3, rel=0.02)
    # the headers are wrong by 0.09, 0.29 and 0.25 arcsec
    lost = 1 - np.divide(fluxes("header"), right)
    assert (lost > (0, 0.1, 0.1)).all()
    record = json.loads(next((tmp_path / "right").rglob("spectra_*.json")).read_text())
    assert "offsets.ecsv" in [Path(entry["file"]).name for entry in record["inputs"]]


def test_cubes_without_an_offset_are_refused_trusted_or_skipped(tmp_path: Path):
    files = write_visits(tmp_path)
    rows = [dataclasses.replace(row, accepted=row.exposure != 1, note="cloud") for row in true_rows()]
    table = write_offsets(rows, tmp_path / "offsets.ecsv")
    ra, dec = star_sky("gc1")
    star = Aperture(id="1", ra=ra, dec=dec, radius_arcsec=0.4)
    with pytest.raises(AlignmentError, match=r"exp1\.fits.*its offset is not accepted \(cloud\); accept or add it"):
        extract(files, [star], tmp_path / "a", offsets=[table])
    for how, n_spectra in (("skip", 2), ("header", 3)):
        with pytest.warns(
            KmosWarning, match=r"exp1\.fits.*its offset is not accepted \(cloud\); (left out|placed by its)"
        ):
            outcome = extract(files, [star], tmp_path / how, offsets=[table], unaccepted=how)
        assert outcome.measured["n_spectra"] == n_spectra
    with pytest.raises(KmosError, match="unaccepted is 'perhaps', expected one of error, header, skip"):
        extract(files, [star], tmp_path / "b", offsets=[table], unaccepted="perhaps")
    other = write_offsets([dataclasses.replace(row, file="x.fits") for row in rows[:1]], tmp_path / "other.ecsv")
    with pytest.raises(AlignmentError, match=r"the offsets are for other files \(x\.fits, \.\.\.\)"):
        extract(files, [star], tmp_path / "c", offsets=[other])
    words = ["extract", *map(str, files), "--apertures", str(write_apertures([star], tmp_path / "s.ecsv")), "-q"]
    assert main([*words, "-o", str(tmp_path / "d"), "--offsets", str(table), "--unaccepted", "skip"]) == 0
    assert main([*words, "-o", str(tmp_path / "e"), "--offsets", str(table)]) == 2


@pytest.mark.realdata
def test_real_cube_gives_a_spectrum_that_specutils_opens(tmp_path: Path, real_data: Path):
    from specutils import Spectrum

    from napari_kmos.io import read_cube

    path = real_data / "kmos_combined_yj_ifu22.fits"
    ra, dec = pixel_to_sky(read_cube(path).wcs, 6.0, 7.0)
    rows = [Aperture(id="1", ra=ra, dec=dec, radius_arcsec=0.5)]
    table = write_apertures(rows, tmp_path / "a.ecsv")
    assert read_apertures(table)[0].id == "1"

    outcome = extract([path], table, tmp_path / "out")

    spectrum = Spectrum.read(outcome.products[0])
    assert spectrum.flux.shape == (2048,)
    assert np.isfinite(spectrum.flux.value).sum() > 1500
    assert outcome.measured["spectra"][0]["snr"] > 1


def test_all_stars_fitted_together_and_what_that_leaves(tmp_path: Path, combined: tuple[Path, Path]):
    cube = star_cube()
    outside = Aperture(
        id="outside", **dict(zip(("ra", "dec"), pixel_to_sky(cube.wcs, -2.0, 6.0), strict=True)), radius_arcsec=RADIUS
    )
    stars = [*read_apertures(combined[1]), outside]
    words = ["extract", str(combined[0]), "--apertures", str(write_apertures(stars, tmp_path / "all.ecsv"))]

    with pytest.warns(KmosWarning, match="outside every cube: outside"):
        outcome = extract(
            [combined[0]], tmp_path / "all.ecsv", tmp_path / "out", method="psf", residual=True,
            parameters=ExtractParameters(beta=10.0),
        )  # fmt: skip

    first = read_spectrum(outcome.products[0])
    assert (first.method, first.parameters["background"]) == ("psf", "constant")
    # A Gaussian star fitted with a Moffat profile, which adds some per cent in wings that are not there.
    assert np.median(first.flux) == pytest.approx(5000, rel=0.05)
    assert first.psf is not None
    assert first.psf.fwhm_arcsec == pytest.approx(0.6, rel=0.1)
    assert [path.name for path in outcome.extras] == [
        "residual_GC_7_ifu7.fits", "residual_GC_7_ifu7_IMAGE.fits", "spectra_GC_7_ifu7.reg", "spectra_GC_7_ifu7.json",
    ]  # fmt: skip
    left = read_cube(outcome.extras[0])
    assert left.shape == cube.shape
    assert np.nanstd(left.flux) < 0.05 * np.nanstd(cube.flux)
    assert read_images(outcome.extras[1])[0].data.shape == cube.shape[1:]
    with pytest.raises(WriteError, match="exists"):
        extract([combined[0]], combined[1], tmp_path / "out", method="psf", residual=True)
    assert main([*words, "-o", str(tmp_path / "new"), "--method", "psf", "--residual", "--background", "plane"]) == 0
    assert len(names(tmp_path / "new")) == 8


def test_an_aperture_leaves_no_residual(tmp_path: Path, combined: tuple[Path, Path]):
    with pytest.raises(ExtractionError, match="the method aperture leaves no residual; choose psf"):
        extract([combined[0]], combined[1], tmp_path / "out", residual=True)


def test_text_and_regions_beside_the_spectra(tmp_path: Path, combined: tuple[Path, Path]):
    rows = [
        dataclasses.replace(row, extra={"class": name})
        for row, name in zip(read_apertures(combined[1]), ("late", "early", "", ""), strict=True)
    ]
    outcome = extract([combined[0]], rows, tmp_path / "out", text=True)

    texts = [path for path in outcome.extras if path.suffix == ".txt"]
    assert [path.name for path in texts] == ["spec_GC_7_ifu7_1.txt", "spec_GC_7_ifu7_2.txt"]
    spectrum = read_spectrum(outcome.products[0])
    wave, flux, noise = np.loadtxt(texts[0], unpack=True)
    np.testing.assert_allclose(wave, spectrum.wavelength_um, atol=1e-8)
    np.testing.assert_allclose(flux, spectrum.flux, rtol=1e-8)
    np.testing.assert_allclose(noise, spectrum.noise, rtol=1e-5)
    (regions,) = [path for path in outcome.extras if path.suffix == ".reg"]
    lines = regions.read_text().splitlines()[3:]
    assert f"text={{1,SN = {spectrum.snr:.1f}}} tag={{star}} color=red tag={{class late}}" in lines[0]
    assert "color=cyan" in lines[1]
    again = read_apertures(regions)
    assert [(row.id, row.radius_arcsec) for row in again] == [("1", RADIUS), ("2", RADIUS)]


def test_the_same_list_once_more_tells_what_became_of_the_snr(
    tmp_path: Path, combined: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
):
    cube = make_cube(shape=(600, 13, 15), stars=STARS, background=40.0, name="GC/7", ifu=7)
    write_cube(cube, combined[0], overwrite=True)
    rows = read_apertures(combined[1])
    first = extract([combined[0]], rows, tmp_path / "out", parameters=ExtractParameters(outer=2.2))
    table = next(path for path in first.products if path.suffix == ".ecsv")
    words = ["extract", str(combined[0]), "--apertures", str(table), "-o", str(tmp_path / "more"), "-q"]

    assert main([*words, "--versus", str(tmp_path / "out"), "--side", "up", "--ring-statistic", "clipped"]) == 0

    before, after = read_table(table), read_table(tmp_path / "more" / table.name)
    np.testing.assert_allclose(after["snr_before"], before["snr"], atol=0.006)
    np.testing.assert_allclose(after["snr_noise_before"], before["snr_noise"], atol=0.006)
    np.testing.assert_allclose(after["snr_ratio"], after["snr"] / before["snr"], rtol=0.003)
    assert "snr_given" not in after.colnames
    assert list(after["mag"]) == [12.0, 13.0]
    told = capsys.readouterr().out.splitlines()[-3:]
    assert told[0].startswith(f"1  IFU 7     SNR {before['snr'][0]:.1f} before, {after['snr'][0]:.1f} now, ")
    assert told[2].startswith("median ratio ")
    assert told[2].endswith(" of 2 stars")
    # Once more against both: no longer clear which is meant where both hold the star, and none is known of a third.
    third = extract([combined[0]], table, tmp_path / "third", versus=[table, tmp_path / "more"])
    assert math.isnan(third.measured["spectra"][0]["snr_before"])
    (empty := tmp_path / "empty").mkdir()
    with pytest.raises(KmosError, match="no table of spectra in it"):
        extract([combined[0]], table, tmp_path / "fourth", versus=[empty])


def test_what_is_wrong_with_some_stars_is_told_and_the_rest_goes_on(tmp_path: Path):
    exposure = make_exposure(ifus=(3, 5), shape=(60, 13, 15), stars=STARS)
    path = write_exposure(exposure, tmp_path / "exp.fits")
    first, second = exposure.cubes
    moved = shift_wcs(second.wcs, 20.0, 0.0)
    flux = np.array(second.flux)
    flux[:, :3, :3] = np.nan
    flux[:, 9:12, 11:14] = np.nan
    bad = dataclasses.replace(exposure, arms=[
        dataclasses.replace(arm, cube=dataclasses.replace(second, flux=flux, wcs=moved)) if arm.cube is second else arm
        for arm in exposure.arms
    ])  # fmt: skip
    write_exposure(bad, path, overwrite=True)
    near = apertures_of(first)[0]
    close = Aperture(id="close", ra=near.ra, dec=near.dec + 0.5 / 3600, radius_arcsec=RADIUS)
    rows = [*apertures_of(first), close, *apertures_of(dataclasses.replace(second, wcs=moved), prefix="b")]
    table = write_apertures(rows, tmp_path / "stars.ecsv")
    lines = table.read_text().replace("\nclose ", "\n2 ")
    table.write_text(lines)

    with pytest.warns(KmosWarning) as caught:
        outcome = extract([path], table, tmp_path / "out", parameters=ExtractParameters(sky="areas"))

    told = "\n".join(str(warning.message) for warning in caught)
    assert "the id '2' is used by more than one star aperture, and this one becomes '2-2'" in told
    assert "the apertures of 1, 2-2 overlap, and light of one counts in the other" in told
    assert "none of the 2 sky apertures has data; move them onto the field; its stars are left out" in told
    good, other = (read_table(path) for path in outcome.products if path.suffix == ".ecsv")
    assert [str(note) for note in good["note"]] == [
        "overlaps the aperture of 2-2", "--", "overlaps the aperture of 1; given as 2, the id of another",
    ]  # fmt: skip
    assert all("none of the 2 sky apertures has data" in note for note in other["note"])
    assert len([path for path in outcome.products if path.name.startswith("spec_")]) == 3


def test_apertures_wider_than_the_cube_have_a_row_and_the_others_a_spectrum(
    tmp_path: Path, combined: tuple[Path, Path]
):
    file, table = combined
    rows = [row for row in read_apertures(table) if row.kind == "star"]
    wide = dataclasses.replace(rows[0], id="wide", radius_arcsec=99.0)
    with pytest.warns(KmosWarning, match=r"star aperture 'wide': radius 99 arcsec is larger than .*; it is left out"):
        done = extract([file], [*rows, wide], tmp_path / "some")
    assert done.measured["n_spectra"] == len(rows)
    assert done.measured["spectra"][-1]["note"].startswith("radius 99 arcsec is larger than")
    everything = [dataclasses.replace(row, radius_arcsec=99.0) for row in rows]
    with pytest.warns(KmosWarning), pytest.raises(ExtractionError, match="no star has a spectrum: radius 99 arcsec"):
        extract([file], everything, tmp_path / "none")


def test_an_aperture_that_needs_too_much_memory_has_a_row_and_the_others_a_spectrum(
    tmp_path: Path, combined: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
):
    file, table = combined
    rows = [row for row in read_apertures(table) if row.kind == "star"]
    wide = dataclasses.replace(rows[0], id="wide", radius_arcsec=2.0)  # its ring reaches over the cube
    monkeypatch.setattr("napari_kmos.extract.reading._WHOLE_BYTES", 0)
    monkeypatch.setattr("napari_kmos.extract.reading._BATCH_BYTES", 8 * math.prod(star_cube().shape) - 1)
    with pytest.warns(
        KmosWarning, match="star aperture 'wide': a piece of .* GiB of memory; choose a .*; it is left out"
    ):
        done = extract([file], [*rows, wide], tmp_path / "some")
    assert done.measured["n_spectra"] == len(rows)
    assert done.measured["spectra"][-1]["note"].startswith("a piece of")


@pytest.mark.parametrize("suffix", [".csv", ".fits"])
def test_stars_come_from_a_catalogue(tmp_path: Path, combined: tuple[Path, Path], suffix: str):
    file, table = combined
    stars = [row for row in read_apertures(table) if row.kind == "star"]
    rows = [(f"c{n}", row.ra, row.dec, 12.0 + n) for n, row in enumerate(stars)]
    catalogue = tmp_path / f"stars{suffix}"
    Table(rows=rows, names=["Name", "RAJ2000", "DEJ2000", "Kmag"]).write(catalogue)
    with pytest.raises(ExtractionError, match=r"the 2 sources of a catalogue have no radius; give one for all"):
        extract([file], catalogue, tmp_path / "none")
    done = extract([file], catalogue, tmp_path / "some", radius_arcsec=RADIUS)
    assert [row["id"] for row in done.measured["spectra"]] == ["c0", "c1"]
    given = extract([file], stars, tmp_path / "given")
    for one, other in zip(done.products[:2], given.products[:2], strict=True):
        np.testing.assert_allclose(read_spectrum(one).flux, read_spectrum(other).flux, rtol=1e-6)
    assert list(read_table(done.products[-1])["Kmag"]) == [12.0, 13.0]


def test_a_ring_keeps_away_from_stars_of_the_neighbouring_field(tmp_path: Path, combined: tuple[Path, Path]):
    cube = star_cube(name="GC/7", ifu=7)
    ra, dec = pixel_to_sky(cube.wcs, -1.2, 10.5)
    rows = [*read_apertures(combined[1]), Aperture(id="out", ra=ra, dec=dec, radius_arcsec=0.3)]

    numbers = []
    for avoid in (0.0, 0.8):
        with pytest.warns(KmosWarning, match="outside every cube: out"):
            outcome = extract(
                [combined[0]], rows, tmp_path / f"{avoid}", parameters=ExtractParameters(avoid_arcsec=avoid, inner=1.2)
            )
        numbers.append(read_spectrum(outcome.products[0]).n_sky)
    assert numbers[1] < numbers[0]
