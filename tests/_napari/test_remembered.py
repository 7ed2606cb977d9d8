"""What is typed in a form is in the session; what others set there is shown, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from qtpy.QtWidgets import QCheckBox, QComboBox, QDoubleSpinBox, QLineEdit

from napari_kmos._napari.widgets.form import ParameterForm
from napari_kmos._napari.widgets.remembered import Remembered
from napari_kmos._napari.widgets.sky_edit import SkyEdit
from napari_kmos.combine import CombineParameters
from napari_kmos.extract import ExtractParameters
from napari_kmos.session import ActionLog, Session

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot

pytestmark = pytest.mark.viewer  # widgets need a screen


@pytest.fixture
def fields(qtbot: QtBot) -> dict[str, QComboBox | QLineEdit | QCheckBox | QDoubleSpinBox]:
    box, line, tick, number = QComboBox(), QLineEdit(), QCheckBox(), QDoubleSpinBox()
    box.addItem("nearest in time", "nearest")
    box.addItem("the best", "best")
    for one in (box, line, tick, number):
        qtbot.addWidget(one)
    return {"pick": box, "which": line, "on": tick, "level": number}


def test_only_what_is_not_as_at_first_is_kept_and_undone(fields, qtbot: QtBot):
    session = Session()
    log = ActionLog(session, gesture_s=0.0, together_s=0.0)
    form = ParameterForm(CombineParameters, exclude=("method", "cmethod"))
    qtbot.addWidget(form)
    remembered = Remembered(session, "combine", fields, form)
    fields["pick"].setCurrentIndex(1)
    fields["which"].setText("3")
    fields["on"].setChecked(True)
    fields["level"].setValue(2.5)
    name = next(name for name, row in form.rows.items() if isinstance(row.value, float))
    before = form.rows[name].value
    form.rows[name].value = before + 1
    wanted = {"pick": "best", "which": "3", "on": True, "level": 2.5, name: before + 1}
    assert session.forms == {"combine": wanted}
    log.go_to(0)
    assert session.forms == {}
    assert (fields["pick"].currentIndex(), fields["which"].text(), fields["on"].isChecked()) == (0, "", False)
    assert (fields["level"].value(), form.rows[name].value) == (0.0, before)
    log.go_to(len(log.actions))
    assert (fields["pick"].currentIndex(), form.rows[name].value) == (1, before + 1)
    remembered.show_state()
    assert session.forms == {"combine": wanted}


def test_what_a_field_cannot_be_is_not_shown(fields, qtbot: QtBot):
    session = Session()
    form = ParameterForm(CombineParameters, exclude=("method", "cmethod"))
    qtbot.addWidget(form)
    remembered = Remembered(session, "combine", fields, form)
    before = [row.value for row in form.rows.values()]
    odd = dict.fromkeys(form.rows, "\x1b[2J")
    session.forms = {"combine": {"pick": "worst", "which": 5, "on": "yes", "level": "x", "unknown": 1, **odd}}
    assert (fields["pick"].currentIndex(), fields["which"].text(), fields["on"].isChecked()) == (0, "", False)
    assert [row.value for row in form.rows.values()] == before
    remembered.show_state()


def test_the_parameters_of_the_extraction_are_shown_as_they_are_set(qtbot: QtBot):
    session = Session()
    edit = SkyEdit(session)
    qtbot.addWidget(edit)
    session.extract_parameters = ExtractParameters(sky="areas", inner=2.5, outer=7.5, areas_statistic="mean")
    session.radius_arcsec = 0.45
    assert (edit.sky.currentText(), edit.statistic.currentText()) == ("areas", "mean")
    assert (edit.inner.value(), edit.outer.value(), edit.radius.value()) == (2.5, 7.5, 0.45)
    edit.inner.setValue(8.0)  # refused; the last ones hold, and what is typed stays to be gone on with
    assert (session.extract_parameters.inner, edit.inner.value()) == (2.5, 8.0)
    session.extract_parameters = None
    assert (edit.sky.currentText(), edit.inner.value()) == ("annulus", ExtractParameters().inner)
