"""Hostile files end in one line, soon and in little memory; what they say is never obeyed."""

from __future__ import annotations

import bz2
import gzip
import logging
import lzma
import subprocess
import sys
import time
from pathlib import Path

import fits_files as files
import numpy as np
import pytest
from astropy.io import fits
from matplotlib.figure import Figure

from napari_kmos.aperture import Aperture
from napari_kmos.cli.main import main
from napari_kmos.errors import KmosWarning, NotKmosError
from napari_kmos.io import (
    read_any_table,
    read_cube,
    read_exposure,
    read_frame_facts,
    read_spectrum,
    read_table,
    read_toml,
    unpack,
    write_figure,
    write_regions,
)
from napari_kmos.io.latex import latex_text

_SCRIPT = Path(__file__).parents[2] / "benchmarks" / "hostile.py"
_CARD = 80


def _cube(folder: Path) -> Path:
    return files.write_combined(folder / "c.fits", files.values(4))


def _replace(path: Path, key: str, card: str, *, unit: int = 0) -> Path:
    """Put a card, whatever it says, in the place of one."""
    content = path.read_bytes()
    start = -1
    for _ in range(unit + 1):
        start = content.index(f"{key:<8}=".encode(), start + 1)
    assert start % _CARD == 0
    path.write_bytes(content[:start] + card.encode("latin-1").ljust(_CARD) + content[start + _CARD :])
    return path


@pytest.mark.skipif(sys.platform != "linux", reason="limits and memory of a process are those of Linux")
def test_sixty_hostile_files_end_in_a_line() -> None:
    """The short form of the benchmark, which says what is counted."""
    words = ["--first", "50", "--files", "60", "--each", "1", "--seed", "2"]
    done = subprocess.run([sys.executable, _SCRIPT, *words], capture_output=True, text=True, timeout=600, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "60 files" in done.stdout


def test_a_number_of_axes_is_not_believed(tmp_path: Path) -> None:
    """astropy would ask for each of the 10^9."""
    path = _replace(_cube(tmp_path), "NAXIS", "NAXIS   =           1000000000", unit=1)
    started = time.monotonic()

    with pytest.raises(NotKmosError, match=r"c\.fits: NAXIS is 1000000000; expected at most 999"):
        read_cube(path)
    assert time.monotonic() - started < 5


def test_a_number_of_axes_is_not_believed_of_a_header_without_an_end(tmp_path: Path) -> None:
    """astropy believes it all the same."""
    path = _replace(_cube(tmp_path), "NAXIS", "NAXIS   = 1000000000", unit=0)
    path.write_bytes(path.read_bytes()[: 20 * _CARD])

    with pytest.raises(NotKmosError, match=r"c\.fits: NAXIS is 1000000000"):
        read_cube(path)


def test_a_header_without_an_end_is_not_read_to_the_end(tmp_path: Path) -> None:
    """That may be the end of a mosaic."""
    path = tmp_path / "c.fits"
    path.write_bytes(b"SIMPLE  =                    T".ljust(_CARD) + b" " * 20 * 2**20)

    with pytest.raises(NotKmosError, match=r"c\.fits: a header does not end within 16 MiB"):
        read_cube(path)


@pytest.mark.parametrize("shape", ["-7", "1000000000"])
def test_a_shape_that_the_file_cannot_hold(tmp_path: Path, shape: str) -> None:
    """Neither less than nothing, nor more than there is."""
    path = _replace(_cube(tmp_path), "NAXIS1", f"NAXIS1  = {shape:>20}")

    with pytest.raises(NotKmosError, match=r"c\.fits.*(negative NAXIS|truncated|not a FITS file|no cube)"):
        read_cube(path)


def test_a_card_that_is_none_is_left_out(tmp_path: Path) -> None:
    """Where the pipeline's other cards are sound, one bad value does not take the file away."""
    path = _replace(_cube(tmp_path), "OBJECT", "OBJECT  = --output=/")
    _replace(path, "INSTRUME", "INSTR\x1bME= 'KMOS'")

    exposure = read_exposure(path)

    assert "OBJECT" not in exposure.header
    assert all(str(card).isprintable() for card in exposure.header.cards)
    assert read_frame_facts(path).tag == "SCI_RECONSTRUCTED"


def test_the_letters_of_an_extension_are_those_of_fits(tmp_path: Path) -> None:
    """An escape in EXTNAME reaches neither a terminal nor a product."""
    path = _replace(_cube(tmp_path), "EXTNAME", "EXTNAME = '\x1b[2JAGN.DATA'")

    assert read_exposure(path).arms[0].cube.source == "c.fits[?[2JAGN.DATA]"


@pytest.mark.parametrize(("module", "name"), [(lzma, "xz"), (gzip, "gzip"), (bz2, "bzip2")])
def test_what_is_compressed_twice_or_oddly_is_not_unpacked_in_memory(tmp_path: Path, module, name: str) -> None:
    """astropy would, to any size."""
    inner = module.compress(_cube(tmp_path).read_bytes())
    path = tmp_path / "twice.fits.gz"
    path.write_bytes(gzip.compress(inner))

    with (
        pytest.warns(KmosWarning, match="is compressed"),
        pytest.raises(NotKmosError, match=rf"twice\.fits\.gz: compressed by {name}; expected a plain file"),
    ):
        read_exposure(path)


@pytest.mark.parametrize("name", ["t.ecsv", "t.csv"])
def test_a_compressed_table_is_not_unpacked_in_memory(tmp_path: Path, name: str) -> None:
    """astropy unpacks whatever the name says."""
    path = tmp_path / name
    path.write_bytes(lzma.compress(b"a\n1\n"))

    for read in (read_table, read_any_table):
        with pytest.raises(NotKmosError, match=rf"{name}: cannot be read as .*(UTF-8|compressed by xz)"):
            read(path)


def test_a_bomb_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A few bytes of zeros would fill the disk."""
    monkeypatch.setattr(unpack, "_HARMLESS_BYTES", 2**20)
    path = tmp_path / "bomb.fits.gz"
    path.write_bytes(gzip.compress(_cube(tmp_path).read_bytes()[:2880]) + gzip.compress(bytes(2**24)) * 4)

    for read in (read_exposure, read_spectrum):
        with (
            pytest.warns(KmosWarning, match="is compressed"),
            pytest.raises(NotKmosError, match=r"bomb\.fits\.gz: unpacks to more than 100 times its size"),
        ):
            read(path)


def test_compressed_pixels_are_no_more_than_they_can_be(tmp_path: Path) -> None:
    """A damaged header must not ask for all memory when a plane is read."""
    path = tmp_path / "c.fits.fz"
    hdu = fits.CompImageHDU(files.values(1), header=files.axes(), name="A.DATA")
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(path)
    _replace(path, "ZNAXIS1", "ZNAXIS1 =           1000000000")

    with pytest.raises(NotKmosError, match=r"c\.fits\.fz.*(compressed pixels of shape|not a FITS file)"):
        read_exposure(path)


def test_compressed_pixels_that_are_damaged(tmp_path: Path) -> None:
    """The error of the decompressor, whose class is its own, is one of ours."""
    path = tmp_path / "c.fits.fz"
    hdu = fits.CompImageHDU(files.values(1), header=files.axes(), name="A.DATA")
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(path)
    content = path.read_bytes()
    path.write_bytes(content[:-2880] + b"\x7f\x7f\xff\xff" * 720)

    with pytest.raises(NotKmosError, match=r"c\.fits\.fz: extension 1 cannot be decompressed"):
        read_exposure(path).cubes[0].flux.compute()


def test_a_table_longer_than_its_file(tmp_path: Path) -> None:
    """The rows are counted before they are read."""
    path = tmp_path / "t.fits"
    fits.BinTableHDU.from_columns([fits.Column("ra", "D", array=np.arange(5.0))]).writeto(path)
    _replace(path, "NAXIS2", "NAXIS2  =           1000000000", unit=0)

    with pytest.raises(NotKmosError, match=r"t\.fits: cannot be read as a table .*truncated"):
        read_any_table(path)


def test_a_line_of_half_a_million_letters_is_no_table(tmp_path: Path) -> None:
    """The time that astropy takes over names of columns goes as their number squared."""
    path = tmp_path / "t.txt"
    path.write_text("# - [" * 100_000 + "\n1 2\n")

    with pytest.raises(NotKmosError, match=r"t\.txt: cannot be read as a table .*longer than 100000 letters"):
        read_any_table(path)


@pytest.mark.parametrize("text", ["a = " + "[" * 100_000, f"a = {'9' * 10_000}"])
def test_toml_that_no_reader_takes(tmp_path: Path, text: str) -> None:
    """Brackets within brackets, and numbers without an end."""
    path = tmp_path / "night.toml"
    path.write_text(text)

    with pytest.raises(NotKmosError, match=r"night\.toml: cannot be read as TOML"):
        read_toml(path)


def test_errors_and_log_lines_show_what_a_terminal_would_obey(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """Also with -v, where the traceback says it again, and where a name is ten thousand letters long."""
    path = tmp_path / ("\x1b[2J\u202e" + "x" * 50 + ".fits")
    path.write_bytes(b"")

    assert main(["info", str(path), "-v"]) == 2
    logging.getLogger("napari_kmos").warning("a line of \x1b[31m%s", "y" * 10)

    told = capsys.readouterr().err
    assert told.replace("\n", "").isprintable()
    assert r"\x1b[2J\u202e" in told
    assert r"\x1b[31m" in told


def test_texts_of_products_hold_no_escapes(tmp_path: Path) -> None:
    """A region file is looked at with `cat`, a LaTeX table is put into a paper."""
    star = Aperture(id="a\x1b[2J} text={b", ra=266.4, dec=-29.0, radius_arcsec=0.4)
    text = write_regions([star], tmp_path / "s.reg").read_text()

    assert r"text={a\x1b[2J) text=(b}" in text
    assert (
        latex_text("\x1b\\write18{x}\u202e") == r"\textbackslash{}x1b\textbackslash{}write18\{x\}\textbackslash{}u202e"
    )


def test_names_in_figures_are_not_mathematics(tmp_path: Path) -> None:
    """matplotlib raises over what stands between two dollars, unless it is TeX."""
    figure = Figure()
    axes = figure.subplots()
    axes.plot([1, 1000], [1, 2], label=r"$\frac{$")
    axes.set(title=r"star $\x$", xscale="log")
    axes.legend()

    assert write_figure(figure, tmp_path / "f.png").stat().st_size
    assert axes.get_xticklabels()[0].get_parse_math()
