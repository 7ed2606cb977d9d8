"""The forms of all steps: every field can be shown, typed and read back."""

import dataclasses
from dataclasses import dataclass
from typing import Literal

import pytest
from pytestqt.qtbot import QtBot
from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtGui import QWheelEvent
from qtpy.QtWidgets import QApplication, QWidget
from superqt import QCollapsible

from napari_kmos._napari.widgets.form import ParameterForm
from napari_kmos.combine import CombineParameters
from napari_kmos.errors import KmosError
from napari_kmos.provenance import groups_of
from napari_kmos.sky import SkyParameters

pytestmark = pytest.mark.viewer


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """Parameters of a test.

    Parameters
    ----------
    count : int
        How many.
    width : float, optional
        How wide.
    kind : str
        Which.
    """

    count: int = 3
    width: float | None = None
    small: float = 1e-4
    kind: Literal["a", "b"] = "b"
    on: bool = True

    def __post_init__(self) -> None:
        if self.count < 0:
            msg = f"count is {self.count}; expected 0 or more"
            raise KmosError(msg)


@pytest.mark.parametrize("kind", [SkyParameters, CombineParameters, Parameters])
def test_an_untouched_form_gives_the_defaults(qtbot: QtBot, kind: type):
    form = ParameterForm(kind)
    qtbot.addWidget(form)
    assert form.parameters() == kind()
    assert list(form.rows) == [field.name for field in dataclasses.fields(kind)]


def test_what_is_typed_is_what_the_step_gets(qtbot: QtBot):
    form = ParameterForm(Parameters, exclude=("on",))
    qtbot.addWidget(form)
    wanted = Parameters(count=7, width=0.25, small=0.0125, kind="a", on=False)
    for name, value in (("count", 7), ("width", "0.25"), ("small", 0.0125), ("kind", "a")):
        form.rows[name].value = value
    assert form.parameters(on=False) == wanted
    assert form.rows["count"].tooltip == "How many."


def test_a_value_that_makes_no_sense_is_an_error_the_user_can_act_on(qtbot: QtBot):
    form = ParameterForm(Parameters)
    qtbot.addWidget(form)
    form.rows["width"].value = "wide"
    with pytest.raises(KmosError, match="'wide'"):
        form.parameters()
    form.rows["width"].value = " "
    form.rows["count"].value = -1
    with pytest.raises(KmosError, match="expected 0 or more"):
        form.parameters()


def test_the_fields_of_base_classes_are_folded_away(qtbot: QtBot):
    """All groups of the sky's parameters, its own first and open."""
    form = ParameterForm(SkyParameters)
    qtbot.addWidget(form)
    titles = [fold.text() for fold in form.findChildren(QCollapsible)]
    own, *others = groups_of(SkyParameters)
    assert titles == others
    assert "Levels: the comb of the sky lines" in titles
    assert "background" in groups_of(SkyParameters)[own]


def test_the_wheel_scrolls_past_fields_that_were_not_clicked(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch):
    """It would change what nobody looks at while the page is scrolled."""
    qtbot.addWidget(form := ParameterForm(SkyParameters))
    form.show()
    before = form.parameters()
    for row in form.rows.values():
        _turn_wheel(row.native)
    assert form.parameters() == before
    field = form.rows["dark_share"].native
    monkeypatch.setattr(field, "hasFocus", lambda: True)  # a virtual screen gives none
    _turn_wheel(field)
    assert form.parameters().dark_share < before.dark_share


def _turn_wheel(field: QWidget) -> None:
    """Turn it by a notch towards the user."""
    middle = QPointF(field.rect().center())
    turned = QPoint(), QPoint(0, -120), Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier
    event = QWheelEvent(middle, field.mapToGlobal(middle), *turned, Qt.ScrollPhase.NoScrollPhase, False)
    QApplication.sendEvent(field, event)
