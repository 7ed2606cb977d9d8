"""The summary page: what it shows is what it was given."""

from __future__ import annotations

import dataclasses
import io

import factories
import numpy as np
import pytest
from astropy import units as u

from napari_kmos.aperture import Aperture
from napari_kmos.cube import Image
from napari_kmos.report.summary import SkyPanel, Summary, summary_figures, summary_html
from napari_kmos.spatial.wcs import window_wcs
from napari_kmos.spectrum import StarSpectrum


@pytest.fixture
def summary():
    """A page with two fields, one rotated, one empty of data, and two spectra."""
    wave = np.linspace(2.0, 2.4, 50)
    panel = SkyPanel(
        title="IFU 3",
        wavelength_um=wave,
        before=np.full(50, 9.0),
        after=np.zeros(50),
        noise=np.ones(50),
        unit="adu / s",
    )
    star = Aperture(id="a<b>", ra=factories.RA, dec=factories.DEC, radius_arcsec=0.5)
    data = factories.star_image((13, 15))
    fields = (
        (Image(data=data, wcs=factories.make_wcs(rotation_deg=30), name="field", ifu=3), (star,)),
        (Image(data=np.full((5, 7), np.nan), wcs=factories.make_wcs(), name="empty"), ()),
    )
    flux = np.linspace(1, 2, 50)
    flux[:4] = np.nan
    spectra = tuple(
        StarSpectrum(
            aperture=star,
            wavelength=wave * u.um,
            flux=flux,
            noise=np.full(50, 0.1),
            sky=np.zeros(50),
            mask=np.isnan(flux),
            unit=u.adu / u.s,
            target="field",
            ifu=3,
            area_pix=19.6,
            coverage=np.ones(50),
            snr=snr,
        )
        for snr in (20.0, np.nan)
    )
    return Summary(
        title="A night & more",
        numbers=(("offset error", "0.05 spaxel", "median < max"),),
        sky=panel,
        fields=fields,
        spectra=spectra,
        files=(("products/a.fits", "cube"),),
    )


def test_figures_are_drawn(summary):
    """The whole page and its parts, each with something on it."""
    figures = summary_figures(summary)
    assert list(figures) == ["summary", "sky", "white_light", "spectra"]
    for figure in figures.values():
        with io.BytesIO() as stream:
            figure.savefig(stream, format="png", dpi=40)
            assert len(stream.getvalue()) > 4000
    titles = [axes.get_title() for axes in figures["white_light"].axes]
    assert titles == ['IFU 3 field, 0.2"', 'empty, 0.2"']
    assert [len(axes.patches) for axes in figures["white_light"].axes] == [1, 0]
    assert figures["white_light"].axes[0].xaxis_inverted()


def test_fields_by_headers_are_drawn_below_with_the_same_contrast(summary):
    """Same colours for the same flux, same place for the same sky, and the page says what it is."""
    first = summary.fields[0][0]
    faint = dataclasses.replace(first, data=0.5 * first.data, wcs=window_wcs(first.wcs, -1, -2))
    both = dataclasses.replace(summary, by_headers=(faint, faint))
    axes = summary_figures(both)["white_light"].axes
    assert axes[2].get_title() == 'IFU 3 field, 0.2", by headers'
    above, below = axes[0].collections[0], axes[2].collections[0]
    assert above.get_clim() == below.get_clim()
    np.testing.assert_allclose(below.get_coordinates()[1, 2], above.get_coordinates()[0, 0], atol=1e-6)
    assert len(axes[2].patches) == 0
    assert axes[2].get_xlim() == axes[0].get_xlim()
    pictures = dict.fromkeys(("sky", "white_light", "spectra"), "p.png")
    assert "combined by their headers" in summary_html(both, pictures)
    assert "combined by their headers" not in summary_html(summary, pictures)


def test_star_is_drawn_where_it_shines(summary):
    """The circle of an aperture lies on the star's light, in a rotated field: east is left."""
    image = summary.fields[0][0]
    y, x, _ = factories.STARS[0]
    ra, dec = image.wcs.pixel_to_world_values(x, y)
    star = Aperture(id="s", ra=float(ra), dec=float(dec), radius_arcsec=0.5)
    page = Summary(title="", numbers=(), sky=summary.sky, fields=((image, (star,)),), spectra=(), files=())
    axes = summary_figures(page)["white_light"].axes[0]
    (circle,) = axes.patches
    mesh = axes.collections[0]
    corners = mesh.get_coordinates()
    centres = (corners[:-1, :-1] + corners[1:, 1:]) / 2
    brightest = np.unravel_index(np.argmax(mesh.get_array()), image.data.shape)
    # The brightest spaxel holds the star: their centres differ by at most half a spaxel in each axis.
    assert np.hypot(*(centres[brightest] - np.array(circle.center))) < 0.15


def test_page_needs_nothing_but_its_pictures(summary):
    """One file of HTML with relative pictures; whatever users call their stars is text."""
    page = summary_html(summary, {"sky": "sky.png", "white_light": "white light.png", "spectra": "spectra.png"})
    assert page.startswith("<!doctype html>")
    assert 'src="sky.png"' in page
    assert "http" not in page
    assert "<script" not in page
    assert "A night &amp; more" in page
    assert "median &lt; max" in page
    assert '<a href="products/a.fits">' in page
