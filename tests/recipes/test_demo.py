"""The demo does the whole job, and what it measures agrees with the truth."""

from __future__ import annotations

import json

import pytest

from napari_kmos.cli.main import main
from napari_kmos.errors import WriteError
from napari_kmos.io import read_apertures, read_table
from napari_kmos.recipes.demo import demo, numbers, text_of_numbers
from napari_kmos.recipes.demo_clicks import click_list
from napari_kmos.simulate import SimulationParameters
from napari_kmos.simulate.scene import make_scene

pytestmark = pytest.mark.filterwarnings("ignore::napari_kmos.errors.KmosWarning")


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """The demo of the command, all 2048 planes: about 15 s."""
    out = tmp_path_factory.mktemp("demo") / "out"
    return out, demo(out)


def test_measured_truth(done):
    """What a user may rely on, with the margins of five other seeds."""
    measured = done[1].measured
    # 1 is the noise of the object alone. The Davies method leaves 1.4 to 1.7 in simulations of this kind, and 3.4 to
    # 5.3 of an aperture's noise, where plain subtraction leaves 2.4 and 12.
    assert measured["sky"]["before"] > 10
    assert measured["sky"]["after"] < 1.1
    assert measured["sky"]["mean_after"] < 2
    assert measured["offsets"]["median_spaxels"] < 0.1
    assert measured["offsets"]["accepted"] == measured["offsets"]["total"] == 12
    # What a pointing error of 0.25 arcsec along each axis costs; a star that is seen double has no width.
    assert measured["sharpness"]["stars"] == 3
    assert measured["sharpness"]["peak_ratio"] > 1.1
    assert measured["sharpness"]["fwhm_by_offsets"] < measured["sharpness"]["fwhm_by_headers"] - 0.05
    # The neighbours of an isolated star are left with up to 5 % of its light in the aperture, and sky areas take
    # about as much away.
    assert measured["flux"]["stars"] == 3
    assert max(map(abs, measured["flux"]["errors"].values())) < 0.05
    # The stated noise is that of white noise; rejection and interpolation leave a few percent.
    assert measured["noise"]["over_scatter"] == pytest.approx(1, abs=0.1)


def test_page_and_its_pictures(done):
    """The page is written with all it links to, and the same numbers as JSON."""
    assert set(done[1].measured) == {"sky", "offsets", "sharpness", "flux", "noise", "seconds"}
    out, outcome = done
    assert outcome.products[0] == out / "summary.html"
    page = (out / "summary.html").read_text()
    for picture in ("sky", "white_light", "spectra"):
        assert f'src="summary_{picture}.png"' in page
        assert (out / f"summary_{picture}.png").stat().st_size > 10_000
    assert (out / "summary.png").stat().st_size > 50_000
    for name, value, _ in numbers(outcome.measured):
        assert name in page
        assert value in page
        assert value in text_of_numbers(outcome.measured)
    links = [part.split('"')[0] for part in page.split('<a href="')[1:]]
    assert len(links) >= 7
    assert all((out / link).exists() for link in links)
    assert json.loads((out / "summary.json").read_text())["flux"]["stars"] == 3


def test_one_region_file_has_all_stars(done):
    """Every star that was clicked on and has a spectrum."""
    out, outcome = done
    (regions,) = [path for path in outcome.products if path.suffix == ".reg"]
    stars = [aperture.id for aperture in read_apertures(out / "stars.ecsv") if aperture.kind == "star"]
    assert all(f"text={{{star}," in regions.read_text() for star in stars)


def test_earlier_demo_is_kept_or_replaced(done):
    """Without leave nothing is touched; with it, another night replaces the first one whole."""
    out, _ = done
    with pytest.raises(WriteError, match="exists"):
        demo(out)
    small = SimulationParameters(seed=5, ifus=1, exposures=1, epochs=2, nz=320)
    again = demo(out, parameters=small, overwrite=True)
    assert again.measured["offsets"]["total"] == 2
    assert len([path for path in (out / "night").rglob("*.fits") if "SCI" in path.name]) == 4


def test_clicks_are_apart_and_inside():
    """Up to five stars and five sky areas an IFU, no star twice; the brightest isolated one among them."""
    scene = make_scene(SimulationParameters(seed=4))
    clicks = click_list(scene)
    for target in scene.targets:
        number = f"{target.ifu:02d}"
        stars = [click for click in clicks if click.id.startswith(f"star{number}")]
        assert 1 <= len({star.id for star in stars}) == len(stars) <= 5
        assert f"star{number}_001" in {star.id for star in stars}
        assert sum(click.id.startswith(f"sky{number}") for click in clicks) == 5


def test_command_tells_the_numbers(monkeypatch, capsys, tmp_path):
    """Products and numbers on standard output; without a screen nothing is opened, and that is said."""
    seen = {}

    def quick(out, *, seed, overwrite, progress):
        seen.update(seed=seed, overwrite=overwrite)
        return demo(
            out,
            parameters=SimulationParameters(seed=seed, ifus=1, exposures=1, epochs=2, nz=320),
            overwrite=overwrite,
            progress=progress,
        )

    monkeypatch.setattr("napari_kmos.cli.demo.demo", quick)
    monkeypatch.setattr("napari_kmos.cli.demo.window_problem", lambda: "there is no screen")
    assert main(["demo", "-o", str(tmp_path / "out"), "--seed", "6"]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines()[0] == str(tmp_path / "out" / "summary.html")
    assert "offset error" in out
    assert "no window opened: there is no screen" in err
    assert seen == {"seed": 6, "overwrite": False}
    assert len(read_table(tmp_path / "out" / "stars.ecsv")) > 5
