"""Verdicts on made headers, with the history keys of the pipeline: good, bad, hostile, and without history."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import factories
import pytest
from astropy import units as u
from astropy.io import fits

from napari_kmos.cli.main import main
from napari_kmos.io import write_cube, write_exposure
from napari_kmos.provenance import Step
from napari_kmos.recipes.check import check, check_file
from napari_kmos.recipes.evidence import BAD, DOUBT, GOOD, UNKNOWN, CheckLine

FLUX = u.Unit("erg s-1 cm-2 Angstrom-1")
MAPPING = "KMOS_spec_obs_mapping24"
#: What the users' guide has set, with the defaults of the recipe.
GUIDE = {
    "no_subtract": ("true", "false"),
    "sky_tweak": ("false", "false"),
    "b_samples": ("3072", "2048"),
    "pix_scale": ("0.1", "0.2"),
    "oscan": ("true", "true"),
}


def block(
    number: int,
    recipe: str,
    parameters: Mapping[str, tuple[str, str]] | None = None,
    calibrations: Mapping[str, str] | None = None,
) -> dict[str, object]:
    """Return the cards of a step; parameters do not begin at 1, since their numbers differ between versions.

    A long value leaves no room for the comment with its default, as in real headers.
    """
    cards: dict[str, object] = {"ID": recipe, "PIPE ID": "kmos/4.0.4", "RAW1 NAME": "KMOS.fits", "RAW1 CATG": "SCIENCE"}
    for index, (name, (value, default)) in enumerate((parameters or {}).items(), start=7):
        cards[f"PARAM{index} NAME"] = name
        cards[f"PARAM{index} VALUE"] = (value, f"Default: {default}") if len(value) < 20 else value
    for index, (category, name) in enumerate((calibrations or {}).items(), start=1):
        cards |= {f"CAL{index} NAME": name, f"CAL{index} CATG": category}
    return {f"ESO PRO REC{number} {key}": value for key, value in cards.items()}


def write(path: Path, cards: Mapping[str, object], *, planes: int = 3072, scale: float = 0.1, **facts: object) -> Path:
    """Write an exposure of one small IFU with these cards in its primary header."""
    cube = {"wcs": factories.make_wcs(scale_arcsec=scale), **facts}
    exposure = factories.make_exposure(ifus=(3,), shape=(planes, 3, 4), **cube)
    exposure.header["HIERARCH ESO TPL ID"] = MAPPING
    exposure.header["HIERARCH ESO OCS ROT OFFANGLE"] = 0.0
    for key, value in cards.items():
        exposure.header[f"HIERARCH {key}"] = value
    return write_exposure(exposure, path)


def lines(path: Path) -> dict[str, CheckLine]:
    return {line.topic: line for line in check_file(path).lines}


def verdicts(path: Path) -> dict[str, str]:
    return {topic: line.verdict for topic, line in lines(path).items()}


def test_good_cubes(tmp_path):
    """As the users' guide has it, corrected by molecfit and calibrated, a sky beside it: all is well but the halves."""
    used = {"TELLURIC_CORR": "TELLURIC_CORR_A.fits", "RESPONSE": "RESPONSE_KKK.fits"}
    windows = {"wave_range": ("1.975,1.987,1.993,2.01,2.041,2.06", "-1")}
    cards = {
        **block(1, "kmos_sci_red", GUIDE, {"XCAL": "XCAL_KKK.fits"}),
        **block(2, "kmos_molecfit_correct", windows, used),
    }
    write(tmp_path / "GC_sky.fits", block(1, "kmos_sci_red", GUIDE), planes=40)
    without = block(1, "kmos_sci_red", {"no_subtract": ("false", "false")})
    write(tmp_path / "GC_sky2.fits", without, planes=40)
    path = write(tmp_path / "a.fits", cards, unit=FLUX)
    found = lines(path)
    assert {line.verdict for topic, line in found.items() if topic != "halves"} == {GOOD}
    assert found["halves"].verdict == UNKNOWN
    assert "napari-kmos sky-tweak" in found["sky"].todo
    assert found["sky cubes"].found == lines(tmp_path / "GC_sky.fits")["sky cubes"].found == "GC_sky.fits"
    assert found["telluric"].found == "kmos_molecfit_correct with TELLURIC_CORR TELLURIC_CORR_A.fits"
    assert found["telluric windows"].found.startswith("window A: 1.975")
    assert "splice" in found["telluric windows"].todo
    assert found["flux calibration"].found.endswith("RESPONSE RESPONSE_KKK.fits")
    # 0.575 um / 3072 = 0.187 nm; 2.2125 um / 4200 = 0.527 nm.
    assert found["sampling"].found == "3072 planes, b_samples 3072, 0.187 nm"
    assert found["sampling"].reason.startswith("2.8 planes")
    assert "24 IFUs" in found["mapping"].reason


def test_bad_cubes(tmp_path):
    """The pipeline's own sky, no standard star, counts, few planes, a turned field."""
    told = {**GUIDE, "no_subtract": ("false", "false"), "sky_tweak": ("true", "false"), "b_samples": ("2048", "2048")}
    cards = {**block(1, "kmo_sci_red", told), "ESO OCS ROT OFFANGLE": 35.0}
    found = lines(write(tmp_path / "a.fits", cards, planes=2048, scale=0.4, unit=u.adu / u.s))
    judged = {topic: line.verdict for topic, line in found.items()}
    expected = {
        "sky": BAD,
        "sky cubes": DOUBT,
        "telluric": BAD,
        "telluric windows": BAD,
        "flux calibration": BAD,
        "sampling": DOUBT,
        "pixel scale": DOUBT,
        "rotator": DOUBT,
        "mapping": GOOD,
        "halves": UNKNOWN,
        "units": GOOD,
    }
    assert judged == expected
    assert all(line.todo for line in found.values() if line.verdict == BAD)
    assert "no_subtract TRUE" in found["sky"].todo
    assert "resampled" in found["pixel scale"].reason  # pix_scale says 0.1


def test_without_history_nothing_is_guessed(tmp_path):
    """What only the history tells is unknown; what the pixels and coordinates tell is not."""
    exposure = factories.make_exposure(ifus=(3,), shape=(2048, 3, 4), unit=None)
    found = verdicts(write_exposure(exposure, tmp_path / "a.fits"))
    known = {"sampling": DOUBT, "pixel scale": GOOD}
    assert found == {topic: known.get(topic, UNKNOWN) for topic in found}
    assert len(found) == 11


@pytest.mark.parametrize(
    ("kept", "tweaked", "expected"),
    [
        ("true", "true", BAD),
        ("true", "maybe", GOOD),
        ("maybe", "false", UNKNOWN),
        ("", "true", BAD),
        ("FALSE", "false", BAD),
    ],
)
def test_sky_parameters(tmp_path, kept, tweaked, expected):
    """The two parameters exclude each other, may be written in other ways, and may be nonsense."""
    told = {"no_subtract": (kept, "false"), "sky_tweak": (tweaked, "false")}
    assert verdicts(write(tmp_path / "a.fits", block(1, "kmos_sci_red", told), planes=40))["sky"] == expected


def test_transmission_of_the_standard_and_response(tmp_path):
    """The pipeline has divided by a standard; a RESPONSE without a unit, and flux without a RESPONSE, are in doubt."""
    used = {"TELLURIC_GEN": "TELLURIC_GEN_KKK.fits", "RESPONSE": "RESPONSE_KKK.fits"}
    cards = block(1, "kmos_sci_red", GUIDE, used)
    found = lines(write(tmp_path / "a.fits", cards, planes=40, unit=None))
    assert (found["telluric"].verdict, found["telluric"].found) == (DOUBT, "TELLURIC_GEN TELLURIC_GEN_KKK.fits")
    assert (found["telluric windows"].verdict, found["flux calibration"].verdict) == (UNKNOWN, DOUBT)
    assert found["sampling"].reason.startswith("the cube is not the one")
    bare = lines(write(tmp_path / "b.fits", block(1, "kmos_sci_red", GUIDE), planes=40, unit=FLUX))
    assert bare["flux calibration"].verdict == DOUBT
    assert "cannot be known" in bare["flux calibration"].reason


def test_our_own_steps_count(tmp_path):
    """Sky, absorption and flux by us; a combined cube with its sky is in doubt."""
    exposure = factories.make_exposure(ifus=(3,), shape=(40, 3, 4), unit=FLUX)
    kept = write_exposure(exposure, tmp_path / "a.fits", step=Step(name="sky-tweak", parameters={"method": "levels"}))
    for name, parameters in (("telluric", {"edges": "2.06"}), ("calibrate", {"response": "RESPONSE_KKK.fits"})):
        fitted = {"TELLURIC WIN1 UM": "1.92500-2.06000"} if name == "telluric" else {}
        exposure.header.update(fits.getheader(kept))
        step = Step(name=name, inputs=(kept, tmp_path / "star.fits"), parameters=parameters, measured=fitted)
        kept = write_exposure(exposure, tmp_path / f"{name}.fits", step=step)
    found = lines(kept)
    topics = ("sky", "sky cubes", "telluric", "telluric windows", "flux calibration")
    assert [found[topic].verdict for topic in topics] == [GOOD] * 5
    assert found["sky"].found == "subtracted by napari-kmos sky-tweak, engine native"
    assert found["telluric"].found.endswith("from star.fits")
    assert found["telluric windows"].found == "1.92500-2.06000 um"
    assert found["flux calibration"].found == "by RESPONSE_KKK.fits"


def test_sky_by_the_other_engine(tmp_path):
    """The step is ours, and the recipe that did it is named."""
    exposure = factories.make_exposure(ifus=(3,), shape=(40, 3, 4))
    did = Step(name="sky-tweak", parameters={"engine": "esorex", "recipe": "kmos_sky_tweak 4.0.4"})
    found = lines(write_exposure(exposure, tmp_path / "a.fits", step=did))["sky"]
    assert found.found == "subtracted by napari-kmos sky-tweak, engine esorex (kmos_sky_tweak 4.0.4)"


def test_combined_cube_with_its_sky(tmp_path):
    """The header of a combined cube is that of its first exposure."""
    header = factories.primary_header((5,), band="K", mjd=58000.25)
    for key, value in block(1, "kmos_sci_red", GUIDE).items():
        header[f"HIERARCH {key}"] = value
    header["HIERARCH ESO PRO CATG"] = "COMBINE_SCI_RECONSTRUCTED_star"
    path = write_cube(factories.make_cube(shape=(40, 6, 9)), tmp_path / "a.fits", primary=header)
    found = lines(path)
    assert (found["sky"].verdict, found["sky cubes"].verdict) == (DOUBT, UNKNOWN)


def test_command(tmp_path, capsys):
    """A table of the history, the verdicts below it, and the same as JSON."""
    path = write(tmp_path / "a.fits", block(1, "kmos_sci_red", GUIDE, {"XCAL": "XCAL_KKK.fits"}), planes=40)
    assert main(["check", str(path), "-q"]) == 0
    text = capsys.readouterr().out
    told = "no_subtract=true (default false), b_samples=3072 (default 2048), pix_scale=0.1 (default 0.2)"
    assert told in " ".join(text.split())
    assert "step 1 with XCAL XCAL_KKK.fits" in text
    assert "oscan" not in text
    assert "  good     sky " in text
    assert main(["check", str(path), "--json"]) == 0
    (told,) = json.loads(capsys.readouterr().out)["measured"]["files"]
    assert told == json.loads(json.dumps(check([path]).measured["files"][0]))
    assert set(told["lines"][0]) == {"topic", "verdict", "found", "reason", "todo"}


@pytest.mark.parametrize("command", ["check", "info"])
def test_a_long_history_is_a_table(tmp_path, capsys, command):
    """Several recipes on a file of 24 arms: a row each, long parameters in several lines below each other."""
    windows = {"wave_range": ("1.975,1.987,1.993,2.010,2.041,2.060", "-1"), "use_input_kernel": ("false", "true")}
    cards = {
        **block(1, "kmos_sci_red", GUIDE, {name: f"{name}_KKK.fits" for name in ("XCAL", "YCAL", "LCAL")}),
        **block(2, "kmos_molecfit_correct", windows, {"TELLURIC_CORR": "TELLURIC_CORR_A.fits"}),
        **block(10, "kmos_sky_tweak"),
    }
    exposure = factories.make_exposure(ifus=tuple(range(1, 25)), shape=(40, 3, 4))
    exposure.header.update({f"HIERARCH {key}": value for key, value in cards.items()})
    path = write_exposure(exposure, tmp_path / "a.fits")
    assert main([command, str(path), "-q"]) == 0
    lines = capsys.readouterr().out.splitlines()
    first = next(number for number, line in enumerate(lines) if line.split()[:2] == ["step", "recipe"])
    rows = lines[first : next(number for number, line in enumerate(lines) if line.startswith("  step 1 with"))]
    column = rows[0].index("parameters")
    assert all(len(row) <= 110 and row[column - 1] == " " for row in rows)
    assert [row[:column].split() for row in rows if row[:column].strip()][1:] == [
        ["1", "kmos_sci_red", "kmos/4.0.4", "1"],
        ["2", "kmos_molecfit_correct", "kmos/4.0.4", "1"],
        ["3", "kmos_sky_tweak", "kmos/4.0.4", "1"],
    ]
    told = " ".join(row[column:] for row in rows[1:])
    assert "b_samples=3072 (default 2048), pix_scale=0.1 (default 0.2)" in told
    assert "use_input_kernel=false (default true)" in told
    assert "1.975,1.987" in told
    if command == "info":
        assert [line.split()[0] for line in lines if " star" in line] == [str(ifu) for ifu in range(1, 25)]


def test_no_control_character_reaches_the_terminal(tmp_path, capsys):
    """Other programs write what FITS does not allow: it is shown as a question mark."""
    path = write(tmp_path / "a.fits", block(1, "kmos_sci_red", {"name": ("AAAA", "")}, {"XCAL": "BBBB"}), planes=40)
    stored = path.read_bytes()
    assert stored.count(b"AAAA") == stored.count(b"BBBB") == 1
    path.write_bytes(stored.replace(b"AAAA", b"\x1b[2J").replace(b"BBBB", b"\x9b\x07\r\xff"))
    for command in ("check", "info"):
        assert main([command, str(path), "-q"]) == 0
        out = capsys.readouterr().out
        assert "name=?[2J" in out
        assert "XCAL ????" in out
        assert not [letter for letter in out if not letter.isprintable() and letter != "\n"]


def test_illegal_bytes_of_extensions_break_nothing(tmp_path, capsys):
    """In names of targets, units and extensions; a name that tells no IFU any more is named as it is shown."""
    path = write(tmp_path / "a.fits", block(1, "kmos_sci_red", GUIDE), planes=40)
    with fits.open(path, mode="update") as hdus:
        hdus["IFU.3.DATA"].header["BUNIT"] = "AAAA"
        hdus["IFU.3.DATA"].header["HIERARCH ESO OCS ARM3 NAME"] = ("BBBB", "BBBB")
    stored = path.read_bytes().replace(b"AAAA", b"\x1b[2J").replace(b"BBBB", b"\x9b\x07\xe9\xff")
    path.write_bytes(stored)
    for command in ("check", "info"):
        assert main([command, str(path)]) == 0
        told = capsys.readouterr()
        assert "unit '?[2J' (BUNIT) is not understood" in told.err
        assert not [letter for letter in told.out + told.err if not letter.isprintable() and letter != "\n"]
    path.write_bytes(stored.replace(b"IFU.3.", b"\x1b]0.3."))
    assert main(["check", str(path)]) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.isprintable()
    assert "?]0.3.DATA" in error


@pytest.mark.realdata
def test_real_cube(real_data):
    """A combined cube of 2014, of whose history the header has the last step only."""
    checked = check_file(real_data / "kmos_combined_yj_ifu22.fits")
    found = {line.topic: line for line in checked.lines}
    assert [block.recipe for block in checked.blocks] == ["kmo_combine"]
    assert len(checked.blocks[0].calibrations) == 15
    known = {"sampling": DOUBT, "pixel scale": GOOD, "rotator": GOOD, "mapping": GOOD}
    assert {topic: line.verdict for topic, line in found.items()} == {
        topic: known.get(topic, UNKNOWN) for topic in found
    }
    assert "science_resid_skysub_IFU22" in found["sky"].reason
    assert found["mapping"].found == "none, KMOS_spec_obs_stare"
