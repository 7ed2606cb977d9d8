"""What was decided goes on as a plan and as a script, and both do what was decided."""

import ast
import dataclasses
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import decided
import numpy as np
import pytest

from napari_kmos.aperture import Aperture
from napari_kmos.errors import KmosError, KmosWarning, WriteError
from napari_kmos.extract import ExtractParameters
from napari_kmos.io import read_apertures, read_cube, read_exposure, read_offsets, read_spectrum
from napari_kmos.offset import Offset
from napari_kmos.recipes.plan_file import read_plan
from napari_kmos.recipes.run import run_plan
from napari_kmos.recipes.simulate import simulate
from napari_kmos.session import Alignment, Session, decisions, kinds_of_decisions
from napari_kmos.session.plan_export import export_plan
from napari_kmos.session.script_export import export_script, script_text
from napari_kmos.simulate import SimulationParameters
from napari_kmos.spatial.wcs import pixel_to_sky
from napari_kmos.spectral.windows import windows_text

EAST, NORTH = 0.3, -0.2


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Decisions about two object and two sky exposures of two IFUs, one of which was rejected in one exposure."""
    folder = tmp_path_factory.mktemp("night")
    outcome = simulate(folder, parameters=SimulationParameters(ifus=2, exposures=2, epochs=1, nz=256, seed=4))
    n_objects = outcome.measured["n_objects"]
    objects, skies = outcome.products[:n_objects], outcome.products[n_objects:]
    kept, rejected = read_exposure(objects[0]).cubes
    ra, dec = pixel_to_sky(kept.wcs, 7.0, 6.0)
    facts = {"exposure": 1, "file": str(objects[1]), "err_arcsec": 0.1, "method": "hand"}
    offsets = (
        Offset(ifu=kept.ifu, dra_arcsec=EAST, ddec_arcsec=NORTH, decision="accepted", **facts),
        Offset(
            ifu=rejected.ifu, dra_arcsec=1.0, ddec_arcsec=1.0, decision="rejected", accepted=False,
            **{**facts, "exposure": 0, "file": str(objects[0])},
        ),
    )  # fmt: skip
    return {
        **decisions(Session()),
        "objects": objects,
        "skies": skies,
        "apertures": (Aperture(id="S2/'\"", ra=float(ra), dec=float(dec), radius_arcsec=0.3),),
        "alignment": Alignment(offsets=offsets),
        "extract_parameters": ExtractParameters(inner=2.5),
        "snr_um": ((float(kept.wavelength_um[60]), float(kept.wavelength_um[200])),),
        "forms": {"combine": {"cmethod": "average"}},
        "out_dir": folder / "by_script",
    }


def test_the_plan_says_what_was_decided_and_runs(night: dict[str, Any], tmp_path: Path):
    path = tmp_path / "night.toml"
    outcome = export_plan(night, path)
    assert [one.name for one in outcome.products] == ["night.toml", "night_offsets.ecsv", "night_stars.ecsv"]
    plan = read_plan(path)
    kept, rejected = (one.ifu for one in night["alignment"].offsets)
    assert [one.file for one in plan.of_role("object")] == list(night["objects"])
    assert [set(one.targets) for one in plan.of_role("object")] == [{kept}, {kept, rejected}]
    assert plan.settings["extract"]["inner"] == 2.5
    assert plan.settings["combine"]["cmethod"] == "average"
    assert plan.settings["compare"]["windows"] == windows_text(night["snr_um"])
    rows = read_offsets(tmp_path / "night_offsets.ecsv")
    assert [one.file for one in rows] == [f"{one.stem}_SKY_TWEAK.fits" for one in night["objects"] for _ in range(2)]
    assert [one.dra_arcsec for one in rows if one.accepted] == [EAST]
    assert read_apertures(tmp_path / "night_stars.ecsv")[0].id == "S2/'\""
    with pytest.raises(WriteError, match="exists already"):
        export_plan(night, path)
    with pytest.warns(KmosWarning, match="left out by the plan"):
        run_plan(path, tmp_path / "products")
    (spectrum,) = (one for one in tmp_path.glob("products/extract/**/spec_*.fits"))
    assert read_spectrum(spectrum).aperture.id == "S2/'\""
    cubes = sorted(tmp_path.glob("products/combine/**/COMBINE_*[0-9].fits"))
    shapes = [read_cube(one).shape for one in cubes]
    assert shapes[1] == read_exposure(night["objects"][1]).cubes[1].shape  # one exposure
    assert shapes[0][1:] > shapes[1][1:]  # two, apart


def test_the_script_does_what_was_decided(night: dict[str, Any], tmp_path: Path):
    script = export_script(night, tmp_path / "script.py")
    run = subprocess.run(
        [sys.executable, "-W", "ignore", str(script)], capture_output=True, text=True, check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    made = [Path(line) for line in run.stdout.splitlines()]
    assert [one.name.split("_")[0] for one in made] == ["COMBINE", "spec", "COMBINE"]
    # The rejected IFU has one exposure; two that were put 0.36 arcsec apart need a larger grid.
    first, second = (read_cube(one) for one in made if one.name.startswith("COMBINE"))
    assert second.shape == read_exposure(night["objects"][1]).cubes[1].shape
    assert first.shape[1:] > second.shape[1:]
    assert read_spectrum(made[1]).aperture.id == "S2/'\""


@pytest.mark.parametrize("seed", range(5))
def test_texts_of_a_session_stay_data_in_the_script(tmp_path: Path, seed: int):
    rng = np.random.default_rng(seed)
    values = {name: decided.make_decision(name, rng, tmp_path) for name in kinds_of_decisions()}
    evil = "x'\"\"\"\n'''); import os; os.system('true') #{0}%s\\"
    star = Aperture(id=evil, ra=1.0, dec=2.0, radius_arcsec=0.3, extra={evil: evil})
    offset = dataclasses.replace(
        decided.make_offset(rng, tmp_path), note=evil, file=f"/{evil}", err_arcsec=float("nan")
    )
    values |= {"apertures": (star,), "alignment": Alignment(offsets=(offset,)), "forms": {}}
    values |= {"objects": (Path(f"/{evil}"),)}
    tree = ast.parse(script_text(values))
    plain = script_text({**decisions(Session()), "out_dir": Path("/x")})
    names = [type(one).__name__ for one in tree.body]
    assert names == [type(one).__name__ for one in ast.parse(plain).body]
    called = {node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
    known = {
        node.func.id
        for node in ast.walk(ast.parse(plain))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    assert called - known <= {"Aperture", "Offset", "float"}
    assert evil in [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)]


def called(tree: ast.Module) -> set[str]:
    calls = (node.func for node in ast.walk(tree) if isinstance(node, ast.Call))
    return {one.id if isinstance(one, ast.Name) else one.attr for one in calls}


def test_without_exposures_there_is_no_plan(tmp_path: Path):
    with pytest.raises(KmosError, match="no exposure is open or chosen"):
        export_plan(decisions(Session()), tmp_path / "night.toml")
    assert list(tmp_path.iterdir()) == []
