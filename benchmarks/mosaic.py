"""Write a mosaic as large as the users': 3072 x 433 x 650 with noise, 6.5 GiB, or a smaller one of the same kind.

Stars, a ring of gas that turns and shines in Brackett gamma, sky lines, a rotated footprint with zeros around it as
the pipeline leaves them, planes of zeros at both ends. Noise comes from a pool of random numbers that is read from
another place for each plane: seconds instead of minutes.

    python benchmarks/mosaic.py FILE [--planes 3072] [--rows 433] [--columns 650] [--sparse N [--strip 8]]

With ``--sparse`` only every Nth plane is written whole, of the others a strip of rows in the middle; the rest is a
hole in the file: as long as the real one, read as zeros, next to nothing on the disk.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import BinaryIO

import numpy as np
from astropy.io import fits

from napari_kmos.io.atomic import atomic_path
from napari_kmos.spatial.wcs import make_wcs

N_STARS, FWHM_PIX = 1500, 3.0
SIGMA, POOL = 5.0, 4_000_003
SKY_LEFT = 10.0
EDGE_PLANES = 20
ROTATION_DEG = 30.0
CENTRE = (266.41683, -29.00781)
FIRST_UM, RANGE_UM = 1.95, 0.5
GAS_UM, GAS_SIGMA_UM, GAS_PEAK, GAS_KMS = 2.16612, 0.0006, 30.0, 200.0


def write_mosaic(
    path: Path, shape: tuple[int, int, int] = (3072, 433, 650), *, seed: int = 1, sparse: int = 1, strip: int = 8
) -> Path:
    """Write a mosaic as ``kmos_combine`` names its extensions; deterministic for a seed."""
    rng = np.random.default_rng(seed)
    n_planes, n_y, n_x = shape
    scene, footprint, gas = _scene(rng, n_y, n_x), _footprint(n_y, n_x), _gas(n_y, n_x)
    pool = rng.standard_normal(POOL, dtype=np.float32)
    spectrum = 1 + 0.2 * np.sin(np.linspace(0, 6, n_planes))
    sky = SKY_LEFT * (rng.random(n_planes) > 0.98)  # what is left of lines of the sky, in every spaxel
    starts = rng.integers(0, POOL - n_y * n_x, n_planes)
    sigma = SIGMA * np.sqrt(1 + scene / 100)
    with atomic_path(path, overwrite=True) as temporary, temporary.open("wb") as stream:
        stream.write(_block(fits.PrimaryHDU().header))
        for kind in ("DATA", "NOISE"):
            stream.write(_block(_header(kind, shape)))
            for plane in range(n_planes):
                edge = plane < EDGE_PLANES or plane >= n_planes - EDGE_PLANES
                noise = pool[starts[plane] :][: n_y * n_x].reshape(n_y, n_x)
                image = sigma + 0 * noise
                if kind == "DATA":
                    line = _line(gas, FIRST_UM + plane * RANGE_UM / n_planes)
                    image = scene * spectrum[plane] + sky[plane] + line + sigma * noise
                values = (image * footprint * (not edge)).astype(">f4")
                _write_rows(stream, values, slice(None) if plane % sparse == 0 else slice(n_y // 2, n_y // 2 + strip))
            stream.write(b"\0" * (-4 * n_planes * n_y * n_x % 2880))
        stream.truncate()  # a hole at the end belongs to the file too
    return path


def _write_rows(stream: BinaryIO, plane: np.ndarray, rows: slice) -> None:
    """Write some rows of a plane, with holes for the others."""
    start = stream.tell()
    stream.seek(plane[: rows.start].nbytes if rows.start else 0, 1)
    stream.write(plane[rows].tobytes())
    stream.seek(start + plane.nbytes)


def _scene(rng: np.random.Generator, n_y: int, n_x: int) -> np.ndarray:
    """Stars on nothing; brightness distributed as a power law."""
    scene = np.zeros((n_y, n_x), dtype=np.float32)
    half = 8
    for y, x, peak in zip(
        rng.uniform(0, n_y, N_STARS), rng.uniform(0, n_x, N_STARS), 10 * rng.pareto(1, N_STARS) + 10, strict=True
    ):
        rows = slice(max(int(y) - half, 0), int(y) + half)
        columns = slice(max(int(x) - half, 0), int(x) + half)
        yy, xx = np.mgrid[rows.start : min(rows.stop, n_y), columns.start : min(columns.stop, n_x)]
        scene[rows, columns] += min(peak, 1e4) * np.exp(-4 * np.log(2) * ((yy - y) ** 2 + (xx - x) ** 2) / FWHM_PIX**2)
    return scene


def _gas(n_y: int, n_x: int) -> tuple[np.ndarray, np.ndarray]:
    """Brightness of a ring of gas at the line's peak, and the wavelength of the line: it turns about the middle."""
    yy, xx = np.mgrid[:n_y, :n_x]
    y, x = yy / n_y - 0.5, xx / n_x - 0.5
    radius = np.hypot(x, 1.5 * y)
    brightness = GAS_PEAK * np.exp(-((radius - 0.25) ** 2) / (2 * 0.04**2)) * (1 + 0.6 * np.sin(np.arctan2(y, x)))
    velocity = GAS_KMS * x / np.maximum(radius, 1e-6)
    return brightness.astype(np.float32), GAS_UM * (1 + velocity / 299792.458)


def _line(gas: tuple[np.ndarray, np.ndarray], wavelength_um: float) -> np.ndarray | float:
    """Light of the gas at a wavelength."""
    brightness, centre_um = gas
    if abs(wavelength_um - GAS_UM) > 10 * GAS_SIGMA_UM:
        return 0.0
    return brightness * np.exp(-((wavelength_um - centre_um) ** 2) / (2 * GAS_SIGMA_UM**2))


def _footprint(n_y: int, n_x: int) -> np.ndarray:
    """One inside, zero in the corners, as a rotated field leaves them."""
    yy, xx = np.mgrid[:n_y, :n_x]
    inside = (yy / n_y + xx / n_x > 0.12) & (yy / n_y + xx / n_x < 1.88)
    return inside.astype(np.float32)


def _header(kind: str, shape: tuple[int, int, int]) -> fits.Header:
    n_planes, n_y, n_x = shape
    header = fits.Header([("XTENSION", "IMAGE"), ("BITPIX", -32), ("NAXIS", 3)])
    header.update({"NAXIS1": n_x, "NAXIS2": n_y, "NAXIS3": n_planes, "PCOUNT": 0, "GCOUNT": 1})
    header["EXTNAME"] = f"mosaic.{kind}"
    header["BUNIT"] = "adu / s"
    wcs = make_wcs(*CENTRE, crpix=(n_x / 2, n_y / 2), scale_arcsec=0.1, rotation_deg=ROTATION_DEG)
    cd = wcs.wcs.cd
    for axis in (1, 2):
        header[f"CTYPE{axis}"] = wcs.wcs.ctype[axis - 1]
        header[f"CRPIX{axis}"], header[f"CRVAL{axis}"] = wcs.wcs.crpix[axis - 1], wcs.wcs.crval[axis - 1]
        header[f"CUNIT{axis}"] = "deg"
        for other in (1, 2):
            header[f"CD{axis}_{other}"] = cd[axis - 1, other - 1]
    step = RANGE_UM / n_planes
    header.update({"CTYPE3": "WAVE", "CUNIT3": "um", "CRPIX3": 1.0, "CRVAL3": FIRST_UM, "CDELT3": step, "CD3_3": step})
    return header


def _block(header: fits.Header) -> bytes:
    return header.tostring().encode("ascii")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--planes", type=int, default=3072)
    parser.add_argument("--rows", type=int, default=433)
    parser.add_argument("--columns", type=int, default=650)
    parser.add_argument("--sparse", type=int, default=1, metavar="N")
    parser.add_argument("--strip", type=int, default=8)
    given = parser.parse_args()
    sizes = given.planes, given.rows, given.columns
    print(write_mosaic(given.file, sizes, sparse=given.sparse, strip=given.strip))
