"""The choice of the engine in the docks: with the real esorex and stand-ins of the recipes, and without."""

from pathlib import Path

import pytest
from napari.components import ViewerModel
from pytestqt.qtbot import QtBot

from napari_kmos._napari.widgets.combine import CombineDock
from napari_kmos._napari.widgets.dock import Dock
from napari_kmos._napari.widgets.engine_edit import EngineEdit
from napari_kmos._napari.widgets.sky_tweak import SkyTweakDock
from napari_kmos.io import read_exposure, read_recipe_blocks

pytestmark = pytest.mark.viewer
WAIT_MS = 30_000


def values(edit: EngineEdit) -> dict[str, str]:
    rows = range(edit.table.rowCount())
    return {edit.table.item(row, 0).text(): edit.table.item(row, 1).text() for row in rows}


def choose(edit: EngineEdit, qtbot: QtBot, recipe_dir: Path) -> None:
    """Choose esorex with the stand-ins, and wait until it is found."""
    edit.recipe_dir.show_path(recipe_dir)
    edit.engine.setCurrentText("esorex")
    qtbot.waitUntil(lambda: " 1.4.3" in edit.found.text(), timeout=WAIT_MS)


def type_in(edit: EngineEdit, name: str, value: str) -> None:
    edit.table.item(list(values(edit)).index(name), 1).setText(value)


def open_dock(kind: type[Dock], qtbot: QtBot) -> Dock:
    dock = kind(ViewerModel())
    qtbot.addWidget(dock)
    dock.show()
    return dock


def test_the_program_its_version_and_the_parameters_are_shown(qtbot: QtBot, recipe_dir: Path, tmp_path: Path):
    """Only what is changed is passed; without program or recipe it says so."""
    edit = EngineEdit("kmos_sky_tweak", elsewhere={"ifu", "stretch"}, tip="")
    qtbot.addWidget(edit)
    assert edit.chosen() == {"engine": "native", "esorex": None}
    assert edit.details.isHidden()
    choose(edit, qtbot, recipe_dir)
    assert "esorex 3." in edit.found.text()
    assert "kmos_sky_tweak 1.4.3" in edit.found.text()
    assert values(edit)["tbsub"] == "TRUE"
    assert not {"ifu", "stretch"} & set(values(edit))
    type_in(edit, "tbsub", "FALSE")
    told = edit.chosen()["esorex"]
    assert (dict(told.recipe_options), told.recipe_dirs) == ({"tbsub": "FALSE"}, (recipe_dir,))
    edit.recipe_dir.show_path(tmp_path)
    edit.recipe_dir.changed.emit(tmp_path)
    qtbot.waitUntil(lambda: "has no recipe kmos_sky_tweak" in edit.found.text(), timeout=WAIT_MS)
    assert edit.table.rowCount() == 0
    edit.program.show_path(tmp_path / "gone")
    edit.program.changed.emit(tmp_path / "gone")
    qtbot.waitUntil(lambda: "gone: no such program" in edit.found.text(), timeout=WAIT_MS)


def test_the_sky_is_subtracted_by_the_recipe(
    qtbot: QtBot, recipe_dir: Path, night: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """What the recipe says is the progress; its product comes as layers; cancelled, it leaves nothing."""
    dock = open_dock(SkyTweakDock, qtbot)
    dock.session.objects, dock.session.skies = (night / "object2.fits",), (night / "sky.fits",)
    dock.session.out_dir = tmp_path / "out"
    edit = dock.settings.files.engine
    choose(edit, qtbot, recipe_dir)
    said: list[str] = []
    say, dock.say = dock.say, lambda text: (said.append(text), say(text))
    dock.run()
    qtbot.waitUntil(lambda: not dock.is_running, timeout=WAIT_MS)
    product = tmp_path / "out" / "object2_SKY_TWEAK.fits"
    blocks = read_recipe_blocks(read_exposure(product).header)
    assert blocks[-2].recipe == "kmos_sky_tweak"
    assert any("object2_SKY_TWEAK: " in text for text in said)
    told = product.with_name("object2_SKY_TWEAK_esorex.log").read_text().count("Tweaking")
    qtbot.waitUntil(lambda: edit.log.toPlainText().count("Tweaking") == told > 1, timeout=WAIT_MS)
    assert len(dock.viewer.layers) >= 1
    monkeypatch.setenv("STAND_IN", "slow")
    dock.session.out_dir = tmp_path / "cancelled"
    dock.run()
    qtbot.waitUntil(lambda: any("Working" in text for text in said), timeout=WAIT_MS)
    dock.cancel.click()
    qtbot.waitUntil(lambda: not dock.is_running, timeout=WAIT_MS)
    assert not (tmp_path / "cancelled").exists()
    dock.hide()


def test_commands_are_written_where_there_is_no_esorex(qtbot: QtBot, night: Path, objects: list[Path], tmp_path: Path):
    """By both docks; the outcome of the last run stays, and nothing is opened."""
    folders = {SkyTweakDock: tmp_path / "sky", CombineDock: tmp_path / "combine"}
    for kind, folder in folders.items():
        dock = open_dock(kind, qtbot)
        dock.session.objects = dock.session.inputs = tuple(objects)
        dock.session.skies, dock.session.out_dir = (night / "sky.fits",), folder
        edit = dock.engine if kind is CombineDock else dock.settings.files.engine
        edit.program.show_path(tmp_path / "gone")
        edit.engine.setCurrentText("esorex")
        qtbot.waitUntil(lambda edit=edit: "no such program" in edit.found.text(), timeout=WAIT_MS)
        edit.dry_run.setChecked(True)
        dock.run()
        qtbot.waitUntil(lambda dock=dock: not dock.is_running, timeout=WAIT_MS)
        lines = (folder / "command.txt").read_text().splitlines()
        assert len(list(folder.glob("*.sof"))) == len([line for line in lines if line.startswith("cd ")]) > 1
        assert f"files in {folder}" in dock.message.text()
        assert (len(dock.viewer.layers), dict(dock.session.outcomes)) == (0, {})
        dock.hide()


def test_exposures_are_combined_by_the_recipe(qtbot: QtBot, recipe_dir: Path, objects: list[Path], tmp_path: Path):
    dock = open_dock(CombineDock, qtbot)
    dock.session.inputs, dock.session.out_dir = tuple(objects), tmp_path / "out"
    dock.what.setCurrentText("one IFU")
    dock.which.setText("5")
    choose(dock.engine, qtbot, recipe_dir)
    assert not {"method", "cmethod", "name"} & set(values(dock.engine))
    type_in(dock.engine, "edge_nan", "TRUE")
    dock.run()
    qtbot.waitUntil(lambda: not dock.is_running, timeout=WAIT_MS)
    (product,) = (tmp_path / "out").glob("COMBINE_IFU5.fits")
    blocks = read_recipe_blocks(read_exposure(product).header)
    assert blocks[-2].changed["edge_nan"] == "true"
    assert "Done" in dock.message.text()
