"""Apertures in tables and region files: what is written is read, and what cannot be used is said."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import Table
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from regions import CircleSkyRegion, Regions

from napari_kmos.aperture import Aperture
from napari_kmos.errors import ExtractionError, KmosWarning, NotKmosError, WriteError
from napari_kmos.io import plain_text, read_apertures, write_apertures, write_star_regions
from napari_kmos.io.regions import CLASS_COLOURS, StarMark, write_regions
from napari_kmos.spatial.wcs import make_wcs, pixel_to_sky

APERTURES = (
    Aperture(id="1", ra=266.41702, dec=-29.00781, radius_arcsec=0.5, extra={"mag": 12.5, "name": "IRS 7"}),
    Aperture(id="b 2", ra=0.0001, dec=89.5, radius_arcsec=0.25, extra={"mag": 14.0}),
    Aperture(id="sky1", kind="sky", ra=266.418, dec=-29.008, radius_arcsec=0.6),
)


def region_file(folder: Path, body: str) -> Path:
    path = folder / "stars.reg"
    path.write_text(f"# Region file format: DS9 version 4.1\nglobal color=green\n{body}\n", encoding="utf-8")
    return path


def table_file(folder: Path, **columns: object) -> Path:
    path = folder / "stars.ecsv"
    Table(columns).write(path, format="ascii.ecsv", overwrite=True)
    return path


def test_table_survives_the_round_trip_with_all_columns(tmp_path: Path):
    first, second, third = read_apertures(write_apertures(APERTURES, tmp_path / "a.ecsv"))

    assert (first.id, first.kind, first.ra, first.dec, first.radius_arcsec) == ("1", "star", 266.41702, -29.00781, 0.5)
    assert dict(first.extra) == {"mag": 12.5, "name": "IRS 7"}
    assert dict(second.extra) == {"mag": 14.0, "name": None}
    assert (third.id, third.kind) == ("sky1", "sky")


def test_regions_survive_the_round_trip(tmp_path: Path):
    read = read_apertures(write_apertures(APERTURES, tmp_path / "a.reg"))

    assert [(row.id, row.kind) for row in read] == [(row.id, row.kind) for row in APERTURES]
    # Eight decimals of a degree are 0.04 mas, five of an arcsecond 0.01 mas.
    assert_allclose([(row.ra, row.dec) for row in read], [(row.ra, row.dec) for row in APERTURES], atol=1e-8)
    assert_allclose([row.radius_arcsec for row in read], [row.radius_arcsec for row in APERTURES], atol=1e-5)


def test_the_regions_package_reads_what_we_write(tmp_path: Path):
    circles = Regions.read(write_apertures(APERTURES, tmp_path / "a.reg"), format="ds9")

    assert [str(circle.meta["text"]) for circle in circles] == ["1", "b 2", "sky1"]
    assert [circle.center.frame.name for circle in circles] == ["fk5"] * 3
    assert_allclose([circle.radius.to_value(u.arcsec) for circle in circles], [0.5, 0.25, 0.6])


def test_we_read_what_the_regions_package_writes(tmp_path: Path):
    circle = CircleSkyRegion(SkyCoord(266.4, -28.9, unit="deg", frame="icrs"), 0.4 * u.arcsec, meta={"text": "x"})
    path = tmp_path / "a.reg"
    Regions([circle]).write(path, format="ds9")

    (aperture,) = read_apertures(path)

    assert aperture.id == "x"
    assert_allclose((aperture.ra, aperture.dec, aperture.radius_arcsec), (266.4, -28.9, 0.4), rtol=2e-5)  # it rounds


def test_columns_may_be_in_other_units_names_in_other_case_ids_and_kinds_missing(tmp_path: Path):
    path = table_file(
        tmp_path, RA=[17.76] * u.hourangle, Dec=[-29.0] * u.deg, radius_arcsec=[0.01] * u.arcmin, Kmag=[11] * u.mag
    )

    (aperture,) = read_apertures(path)

    assert (aperture.id, aperture.kind) == ("1", "star")
    assert_allclose((aperture.ra, aperture.dec, aperture.radius_arcsec), (266.4, -29.0, 0.6))
    assert dict(aperture.extra) == {"Kmag": 11 * u.mag}


def test_numbers_serve_as_ids_and_one_radius_for_all(tmp_path: Path):
    path = table_file(tmp_path, id=[3.0, 4.0], ra=[266.4, 266.5], dec=[-29.0, -29.0])

    read = read_apertures(path, radius_arcsec=0.4)

    assert [(row.id, row.radius_arcsec) for row in read] == [("3", 0.4), ("4", 0.4)]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"file": ["a"], "ifu": [1]}, "column ra, dec, radius_arcsec missing"),
        ({"id": ["a"], "ra": [1.0]}, "column dec, radius_arcsec missing"),
        ({"id": ["a"], "ra": [1.0], "dec": [2.0]}, r"radius_arcsec missing.*--radius"),
        ({"ra": [1.0], "dec": [2.0], "radius_arcsec": [0.0]}, r"row 1: aperture '1': radius is 0.0 arcsec"),
        ({"ra": [1.0, np.nan], "dec": [2.0, 2], "radius_arcsec": [1.0, 1]}, r"row 2: .*position is \(nan"),
        ({"ra": [1.0], "dec": [-91.0], "radius_arcsec": [1.0]}, r"row 1: .*expected RA and Dec in degrees"),
        ({"ra": ["x"], "dec": [2.0], "radius_arcsec": [1.0]}, "row 1: it cannot be understood"),
        ({"ra": [1.0], "dec": [2.0], "radius_arcsec": [1.0], "kind": ["moon"]}, "kind is 'moon'; expected star or sky"),
        (
            {"ra": [1.0], "dec": [2.0], "radius_arcsec": [1.0], "sky_side": ["north"]},
            "sky_side is 'north'; expected all",
        ),
        (
            {"ra": [1.0], "dec": [2.0], "radius_arcsec": [1.0], "excluded_spaxels": ["1 2; 3"]},
            "row 1: it cannot be understood: excluded_spaxels holds '3'; expected RA and Dec",
        ),
        ({"ra": [1.0] * u.s, "dec": [2.0], "radius_arcsec": [1.0]}, "row 1: it cannot be understood"),
    ],
    ids=lambda value: value[:20] if isinstance(value, str) else "",
)
def test_rows_that_cannot_be_used_are_named(tmp_path: Path, columns: dict[str, object], message: str):
    with pytest.raises(ExtractionError, match=message):
        read_apertures(table_file(tmp_path, **columns))


def test_an_id_used_twice_is_told_and_the_rest_goes_on(tmp_path: Path):
    path = table_file(
        tmp_path,
        id=["a", "a", "a-2", "a", "b"],
        ra=[1.0, 2.0, 3.0, 1.0, 5.0],
        dec=[2.0] * 5,
        radius_arcsec=[1.0] * 5,
    )

    with pytest.warns(KmosWarning, match="more than one star .*becomes 'a-3'; star 'a' stands there twice"):
        read = read_apertures(path)

    assert [(row.id, row.ra) for row in read] == [("a", 1.0), ("a-3", 2.0), ("a-2", 3.0), ("b", 5.0)]
    assert read[1].extra["id_given"] == "a"


SIDED = (
    Aperture(id="IRS {7}", ra=266.41, dec=-28.93, radius_arcsec=0.5, sky_side="left"),
    Aperture(
        id="2", ra=266.42, dec=-28.93, radius_arcsec=0.5,
        excluded_spaxels=((266.42001, -28.93002), (266.41998, -28.92997)),
    ),
    Aperture(id="sky1", kind="sky", ra=266.43, dec=-28.93, radius_arcsec=0.5, excluded_spaxels=((266.43, -28.93),)),
)  # fmt: skip


@pytest.mark.parametrize(("ending", "frame"), [("ecsv", None), ("reg", "fk5"), ("reg", "icrs")])
def test_sides_and_excluded_spaxels_survive(tmp_path: Path, ending: str, frame: str | None):
    path = tmp_path / f"a.{ending}"
    if frame is None:
        write_apertures(SIDED, path)
    else:
        write_regions(SIDED, path, frame=frame)
        assert frame in path.read_text(encoding="utf-8").splitlines()

    read = read_apertures(path)

    assert [row.kind for row in read] == ["star", "star", "sky"]
    assert [row.sky_side for row in read] == ["left", "", ""]
    for one, other in zip(read, SIDED, strict=True):
        assert_allclose(one.excluded_spaxels, other.excluded_spaxels, atol=1e-8)


def test_plain_apertures_have_no_rare_columns(tmp_path: Path):
    table = Table.read(write_apertures(APERTURES, tmp_path / "a.ecsv"), format="ascii.ecsv")
    assert table.colnames == ["id", "kind", "ra", "dec", "radius_arcsec", "mag", "name"]


def test_empty_table_is_an_error(tmp_path: Path):
    path = tmp_path / "empty.ecsv"
    Table(names=("id", "ra", "dec", "radius_arcsec"), dtype=(str, float, float, float)).write(path, format="ascii.ecsv")
    with pytest.raises(ExtractionError, match="no aperture; expected at least one row"):
        read_apertures(path)
    with pytest.raises(ExtractionError, match="no aperture; expected at least one row"):
        read_apertures(region_file(tmp_path, "fk5"))


def test_files_that_are_something_else_are_refused(tmp_path: Path):
    binary = tmp_path / "a.ecsv"
    binary.write_bytes(b"\x00\xff\x93")
    picture = tmp_path / "a.reg"
    picture.write_bytes(b"\x89PNG\xff\x00")

    with pytest.raises(NotKmosError, match="cannot be read as an ECSV table"):
        read_apertures(binary)
    with pytest.raises(NotKmosError, match="cannot be read as a region file"):
        read_apertures(picture)
    with pytest.raises(NotKmosError, match="cannot be read"):
        read_apertures(tmp_path / "missing.reg")
    with pytest.raises(ExtractionError, match=r"ECSV table \(.ecsv\) or a ds9 region file"):
        read_apertures(tmp_path / "stars.txt")
    with pytest.raises(ExtractionError, match=r"ECSV table \(.ecsv\) or a ds9 region file"):
        write_apertures(APERTURES, tmp_path / "stars.txt")


def test_regions_in_sexagesimal_and_other_frames(tmp_path: Path):
    galactic = SkyCoord(0.1, 0.02, unit="deg", frame="galactic").icrs
    path = region_file(
        tmp_path, "fk5\ncircle(17:45:38.4,-28:55:48.0,0.5\") # text={a}\ngalactic\ncircle(0.1,0.02,0.01')\n"
    )

    first, second = read_apertures(path)

    assert_allclose((first.ra, first.dec), (266.41, -28.93))
    assert_allclose((second.ra, second.dec, second.radius_arcsec), (galactic.ra.deg, galactic.dec.deg, 0.6))
    assert (first.id, second.id) == ("a", "2")


def test_points_and_star_texts_take_the_radius_for_all(tmp_path: Path):
    path = region_file(
        tmp_path, "fk5\npoint(266.41,-28.93) # point=circle text={p}\n# text(266.42,-28.93) text={12,SN = 3.4}"
    )

    read = read_apertures(path, radius_arcsec=0.3)

    assert [(row.id, row.radius_arcsec) for row in read] == [("p", 0.3), ("12", 0.3)]
    with pytest.raises(ExtractionError, match=r"region 1: p has no radius; give a radius for all \(--radius\)"):
        read_apertures(path)


def test_ids_that_look_like_numbers_stay_texts(tmp_path: Path):
    ids = ["007", "1.50", "1e3"]
    rows = [Aperture(id=name, ra=1.0, dec=2.0, radius_arcsec=0.5) for name in ids]
    for name in ("a.reg", "a.ecsv"):
        assert [row.id for row in read_apertures(write_apertures(rows, tmp_path / name))] == ids


def test_kind_comes_from_the_tag_or_the_text(tmp_path: Path):
    path = region_file(
        tmp_path,
        'fk5\ncircle(266.41,-28.93,0.5") # text={Sky 3}\ncircle(266.41,-28.93,0.5") # text={s} tag={sky}\n'
        'circle(266.41,-28.93,0.5") # text={skylark} tag={star}\n'
        'circle(266.41,-28.93,0.5") # text={a} background\n'
        'circle(266.41,-28.93,0.5") # text={background b}',
    )
    assert [row.kind for row in read_apertures(path)] == ["sky", "sky", "star", "sky", "star"]


def test_image_regions_need_the_image(tmp_path: Path):
    path = region_file(tmp_path, "image\ncircle(8,6.5,2)")
    wcs = make_wcs(266.4, -29.0, crpix=(7.5, 6.5), rotation_deg=20)

    with pytest.raises(ExtractionError, match=r"region 1: it is in image pixels.*save the regions in fk5 or icrs"):
        read_apertures(path)
    (aperture,) = read_apertures(path, wcs=wcs)

    # FITS pixel (8, 6.5) is (y, x) = (5.5, 7), 0-based.
    assert_allclose((aperture.ra, aperture.dec), pixel_to_sky(wcs, 5.5, 7.0), atol=1e-9)
    assert_allclose(aperture.radius_arcsec, 0.4, rtol=1e-9)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('box(266.41,-28.93,1",2",30)', "region 2 is RectangleSky and left out"),
        ('annulus(266.41,-28.93,1",2")', "region 2 is CircleAnnulusSky and left out"),
        ('-circle(266.41,-28.93,0.5")', "region 2 is an excluded region and left out"),
        ("wobble(266.41,-28.93)", "wobble.* skipping"),
    ],
)
def test_other_regions_are_left_out_with_a_warning(tmp_path: Path, line: str, message: str):
    path = region_file(tmp_path, f'fk5\ncircle(266.41,-28.93,0.5") # text={{a}}\n{line}')
    with pytest.warns(KmosWarning, match=message):
        read = read_apertures(path)
    assert [row.id for row in read] == ["a"]


@pytest.mark.parametrize("line", ["circle(1,2)", "circle(a,b,c)", 'circle(266,-29,0")', 'circle(266,-129,1")'])
def test_broken_regions_are_an_error(tmp_path: Path, line: str):
    with pytest.raises(ExtractionError, match="a region cannot be understood"):
        read_apertures(region_file(tmp_path, f"fk5\n{line}"))


def test_a_region_that_cannot_be_used_is_told_and_the_rest_goes_on(tmp_path: Path):
    body = 'fk5\ncircle(266.41,-28.93,0.5") # text={a}\nimage\ncircle(8,6.5,2)\nfk5\npoint(266.42,-28.93)'
    with pytest.warns(KmosWarning) as caught:
        read = read_apertures(region_file(tmp_path, body))
    assert [row.id for row in read] == ["a"]
    texts = [str(warning.message) for warning in caught]
    assert "region 2: it is in image pixels, and it is not clear of which image" in texts[0]
    assert "region 3: a point has no radius" in texts[1]
    assert all(text.endswith("it is left out") for text in texts)


def test_an_excluded_point_of_a_star_that_is_not_there_is_told(tmp_path: Path):
    body = 'fk5\ncircle(266.41,-28.93,0.5") # text={a}\n-point(266.41,-28.93) # tag={excluded from b}'
    with pytest.warns(KmosWarning, match="spaxels are excluded from b, which is not in the file"):
        (row,) = read_apertures(region_file(tmp_path, body))
    assert row.excluded_spaxels == ()


@pytest.mark.parametrize("frame", ["ecliptic", "b1950", "fk4", "physical", "wcsa"])
def test_regions_of_another_frame_are_used_or_told(tmp_path: Path, frame: str):
    body = f'{frame}\ncircle(266.4,-28.9,0.5") # text={{b}}\nfk5\ncircle(266.41,-28.93,0.5") # text={{a}}'
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        read = read_apertures(region_file(tmp_path, body))
    assert "a" in [row.id for row in read]
    assert ("b" in [row.id for row in read]) != any(issubclass(one.category, KmosWarning) for one in caught)


def test_star_regions_have_a_class_a_colour_and_a_circle(tmp_path: Path):
    stars = [
        StarMark("1", 266.41, -28.93, 12.345, 0.5, "late"),
        StarMark("2", 266.42, -28.93, 3.0, 0.4, "early"),
        StarMark("3", 266.43, -28.93, 3.0, 0.4, "my own"),
        StarMark("4", 266.44, -28.93, 3.0, category="late"),
        StarMark("5", 266.45, -28.93, 3.0, 0.4),
    ]
    path = write_star_regions(stars, tmp_path / "s.reg", colours={**CLASS_COLOURS, "late": "orange"}, frame="icrs")

    lines = path.read_text(encoding="utf-8").splitlines()[2:]
    assert lines[0] == "icrs"
    late = 'circle(266.41000000,-28.93000000,0.50000") # text={1,SN = 12.3} tag={star} color=orange tag={class late}'
    assert lines[1] == late
    regions = Regions.read(path, format="ds9")
    assert [region.visual.get("edgecolor", region.visual.get("color")) for region in regions] == [
        "orange", "cyan", "magenta", "orange", "green",
    ]  # fmt: skip
    assert [row.id for row in read_apertures(path, radius_arcsec=0.3)] == ["1", "2", "3", "4", "5"]


def test_star_regions_are_the_text_form_of_ds9(tmp_path: Path):
    path = write_star_regions([("1", 266.41, -28.93, 12.345), ("{b}\nx", 0.5, 1.0, float("nan"))], tmp_path / "s.reg")

    lines = path.read_text(encoding="utf-8").splitlines()
    assert lines[0] == "# Region file format: DS9 version 4.1"
    assert lines[1].startswith("global color=green")
    assert lines[2] == "fk5"
    assert lines[3] == "# text(266.41000000,-28.93000000) text={1,SN = 12.3}"
    assert lines[4] == "# text(0.50000000,1.00000000) text={(b) x,SN = nan}"
    texts = Regions.read(path, format="ds9")
    assert [text.text for text in texts] == ["1,SN = 12.3", "(b) x,SN = nan"]


def test_existing_file_is_kept(tmp_path: Path):
    for name in ("a.reg", "a.ecsv"):
        write_apertures(APERTURES, tmp_path / name)
        with pytest.raises(WriteError, match="exists already"):
            write_apertures(APERTURES[:1], tmp_path / name)
        assert len(read_apertures(tmp_path / name)) == 3


@given(st.text(min_size=1).filter(plain_text))
@example("#1")
def test_any_id_survives_a_table_as_one_line(tmp_path_factory: pytest.TempPathFactory, name: str):
    path = tmp_path_factory.mktemp("ids") / "a.ecsv"
    write_apertures([Aperture(id=name, ra=1.0, dec=2.0, radius_arcsec=0.5)], path)

    assert read_apertures(path)[0].id == plain_text(name)
