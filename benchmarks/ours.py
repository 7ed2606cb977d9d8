"""One task after the other, as napari-kmos does it without a window; asked over standard input, see `measuring.Child`.

The argument is the mosaic.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from measuring import seconds, serve
from white_light import floor

from napari_kmos import read_cube, summary
from napari_kmos.aperture import Aperture
from napari_kmos.extract import extract_spectra
from napari_kmos.io.source import read_planes
from napari_kmos.spatial.wcs import pixel_scale_arcsec, pixel_to_sky

RADIUS_PIX = 3.0


def main(path: Path) -> None:
    """Answer the parent."""

    def apertures(places: list[dict[str, float]]) -> float:
        cube = read_cube(path)
        radius = RADIUS_PIX * pixel_scale_arcsec(cube.wcs)
        skies = [pixel_to_sky(cube.wcs, place["y"], place["x"]) for place in places]
        stars = [
            Aperture(id=str(number), kind="star", ra=float(ra), dec=float(dec), radius_arcsec=radius)
            for number, (ra, dec) in enumerate(skies)
        ]
        return seconds(lambda: [spectrum.flux for spectrum in extract_spectra(cube, stars)])

    def plane(number: int) -> float:
        return seconds(lambda: read_planes(read_cube(path).flux, slice(number, number + 1)))

    def summarise(function: str) -> float:
        return seconds(lambda: getattr(summary, function)(read_cube(path)))

    tasks: dict[str, Any] = {
        "apertures": apertures,
        "plane": plane,
        "summary": summarise,
        "floor": lambda: seconds(lambda: floor(path)),
        "index": lambda: seconds(lambda: summary.index(read_cube(path))),
        "shape": lambda: read_cube(path).shape,
    }
    serve(tasks)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
