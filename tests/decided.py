"""Decisions of every kind, made at random."""

from __future__ import annotations

import dataclasses
import json
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from napari_kmos.aperture import KINDS, SIDES, Aperture
from napari_kmos.extract import ExtractParameters
from napari_kmos.measure import ContinuumParameters
from napari_kmos.offset import DECISIONS, Offset
from napari_kmos.report.traces import Continuum, Look
from napari_kmos.session import Alignment, PaintedMask, Session, decisions
from napari_kmos.spectrum import SpectralLine


def make_decision(name: str, rng: np.random.Generator, folder: Path, *, unlike: Any = None) -> Any:
    """Return a value that a field of a session may have, other than one; files are in a folder, or nowhere."""
    while (value := _MAKERS[name](rng, folder)) == unlike:
        pass
    return value


def make_offset(rng: np.random.Generator, folder: Path) -> Offset:
    decision = str(rng.choice(DECISIONS))
    return Offset(
        exposure=int(rng.integers(5)),
        file=str(folder / f"exp{rng.integers(5)}.fits"),
        ifu=int(rng.integers(1, 25)),
        dra_arcsec=float(rng.normal()),
        ddec_arcsec=float(rng.normal()),
        err_arcsec=float(abs(rng.normal())),
        method="hand",
        accepted=decision == "accepted",
        note=str(rng.choice(["", 'told "so" in a line\n and another', "übrig"])),
        epoch="2020-05-30",
        half=int(rng.integers(1, 3)),
        score=float(rng.normal()),
        runner_up=(float(rng.normal()), float(rng.normal())),
        decision=decision,
        rotation_deg=float(rng.normal()),
    )


def make_aperture(id_: str, rng: np.random.Generator) -> Aperture:
    return Aperture(
        id=id_,
        kind=str(rng.choice(KINDS)),
        ra=float(rng.uniform(0, 360)),
        dec=float(rng.uniform(-80, 80)),
        radius_arcsec=float(rng.uniform(0.2, 1)),
        sky_side=str(rng.choice(SIDES)),
        excluded_spaxels=tuple((float(one), float(one) / 9) for one in rng.uniform(0, 360, rng.integers(3))),
        extra={"mag": float(rng.normal()), "name": "S2 \u202e\x1b[2J", "seen": bool(rng.integers(2))},
    )


def leave_open(place: Path) -> None:
    """Let a session file be one of a process that was killed."""
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    opener = {"host": socket.gethostname(), "pid": ended.pid}
    place.write_text(json.dumps({**json.loads(place.read_text()), "open_in": opener}))


def _windows(rng: np.random.Generator, n: int) -> tuple[tuple[float, float], ...]:
    return tuple((float(low), float(low) + 0.01) for low in rng.uniform(1.9, 2.4, n))


def _files(rng: np.random.Generator, folder: Path) -> tuple[Path, ...]:
    return tuple(folder / f"exp{one}.fits" for one in rng.permutation(5)[: rng.integers(5)])


def _one_of(*some: Any) -> Callable[[np.random.Generator, Path], Any]:
    return lambda rng, _folder: some[rng.integers(len(some))]


def _number(rng: np.random.Generator, _folder: Path) -> float:
    return float(rng.uniform(0.1, 2))


_MAKERS: Mapping[str, Callable[[np.random.Generator, Path], Any]] = {
    "files": _files,
    "row_files": _files,
    "layout": _one_of("sky", "sheet"),
    "forms": lambda rng, _folder: {
        "combine": {"method": str(rng.choice(["header", "user"])), "cpos_rej": float(rng.normal()), "n": 3, "on": True},
        "sky_tweak": {"nothing": None},
    },
    "painted": lambda rng, folder: tuple(
        PaintedMask(
            file=str(folder / "sky.fits"),
            ifu=ifu,
            rows=tuple("".join(map(str, row)) for row in rng.integers(0, 2, (3, 4))),
        )
        for ifu in (3, 7)
    ),
    "apertures": lambda rng, _folder: tuple(make_aperture(str(one), rng) for one in range(rng.integers(4))),
    "radius_arcsec": _number,
    "snapping": _one_of("centroid", "brightest", "off"),
    "fwhm_arcsec": _number,
    "extract_method": _one_of("aperture", "optimal", "psf"),
    "extract_parameters": lambda rng, folder: ExtractParameters(
        sky=_one_of("annulus", "areas", "none")(rng, folder), fwhm_arcsec=_number(rng, folder)
    ),
    "plotted": _files,
    "plots_live": _one_of(True, False),
    "plots_list": _one_of(True, False),
    "look": lambda rng, folder: Look(arrangement="stack", spacing=_number(rng, folder), normalised=True),
    "continua": lambda rng, _folder: {
        id_: Continuum(windows=_windows(rng, 2), parameters=ContinuumParameters(degree=int(rng.integers(1, 6))))
        for id_ in ("1", "S2/..\u202e")
    },
    "snr_um": lambda rng, _folder: _windows(rng, 2),
    "fit_um": lambda rng, _folder: _windows(rng, 1)[0],
    "fit_profile": _one_of("gaussian", "lorentz"),
    "lines": lambda rng, _folder: (SpectralLine(name="Br gamma", wavelength_um=float(rng.normal(2.166)), err_um=0.1),),
    "velocity_kms": _number,
    "lines_file": lambda rng, folder: folder / f"lines{rng.integers(5)}.ecsv",
    "alignment": lambda rng, folder: Alignment(
        offsets=tuple(make_offset(rng, folder) for _ in range(3)), proposals=(make_offset(rng, folder),)
    ),
    "objects": _files,
    "skies": _files,
    "inputs": _files,
    "line_um": lambda rng, _folder: _windows(rng, 1)[0],
    "continuum_um": lambda rng, _folder: _windows(rng, 2),
    "offsets_file": lambda rng, folder: folder / f"offsets{rng.integers(5)}.ecsv",
    "apertures_file": lambda rng, folder: folder / f"stars{rng.integers(5)}.ecsv",
    "out_dir": lambda rng, folder: folder / f"products{rng.integers(5)}",
}


def decide_everything(session: Session, folder: Path) -> dict[str, Any]:
    """Decide of everything, of the files that are open so that they can be so, and return the decisions."""
    rng = np.random.default_rng(5)
    for name, value in decisions(Session()).items():
        if name not in ("files", "layout"):
            setattr(session, name, make_decision(name, rng, folder, unlike=value))
    offset = Offset(
        exposure=1, file=str(session.files[1]), ifu=5, dra_arcsec=0.3, ddec_arcsec=-0.1, err_arcsec=0.1,
        method="hand", decision="accepted",
    )  # fmt: skip
    session.alignment = Alignment(offsets=(offset,), proposals=session.alignment.proposals)
    near = {"ra": 266.41, "dec": -29.0}
    star = Aperture(id="1", **near, radius_arcsec=0.4, sky_side="left", excluded_spaxels=((266.41, -29.0),))
    session.apertures = (star, dataclasses.replace(make_aperture("S2", rng), **near))
    return decisions(session)
