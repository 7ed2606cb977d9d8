"""What users are told: errors and warnings as notifications, from whatever thread they come."""

import threading
import warnings

import pytest
from napari.utils.notifications import Notification, notification_manager
from pytestqt.qtbot import QtBot

from napari_kmos._napari.curves import Curve
from napari_kmos._napari.errors import notified, notify, overheard, warnings_shown
from napari_kmos._napari.plots import NO_PLOT, SpectrumPlot
from napari_kmos._napari.workers import Task
from napari_kmos.errors import KmosError, KmosWarning, SkyError
from napari_kmos.progress import Cancelled


@pytest.fixture
def told() -> list[Notification]:
    notification_manager.records.clear()
    return notification_manager.records


def test_errors_of_ours_come_as_their_text_others_with_their_traceback(told: list[Notification]):
    assert notify(SkyError("no sky; add one")) == "no sky; add one"
    assert notify(Cancelled()) == "Cancelled"
    assert (told[0].message, str(told[0].severity)) == ("no sky; add one", "error")
    assert len(told) == 1
    with notified():
        msg = "offsets for other files"
        raise KmosError(msg)
    assert told[1].message == "offsets for other files"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a.fits: exists; allow overwriting (--overwrite)", "a.fits: exists; allow overwriting (tick replace)"),
        ("choose another folder (-o)", "choose another folder"),
        ("allow for more (--max-shift-arcsec, --max-scale)", "allow for more (max_shift_arcsec, max_scale)"),
        ("esorex kmos_combine --method=user x--y", "esorex kmos_combine --method=user x--y"),
    ],
)  # fmt: skip
def test_options_have_their_names_in_docks(text: str, expected: str, told: list[Notification]):
    assert notify(KmosError(text)) == told[0].message == expected


def test_warnings_of_every_thread_are_shown_and_the_filters_put_back(told: list[Notification]):
    before = warnings.filters[:]
    with warnings_shown.once(), warnings_shown.once():
        warnings.warn("few line pixels", KmosWarning, stacklevel=1)
        thread = threading.Thread(target=lambda: warnings.warn("half covered", KmosWarning, stacklevel=1))
        thread.start()
        thread.join()
    assert [(one.message, str(one.severity)) for one in told] == [
        ("few line pixels", "warning"),
        ("half covered", "warning"),
    ]
    assert warnings.filters == before


def test_who_shows_warnings_meanwhile_gets_those_of_others_and_is_put_back(
    told: list[Notification], monkeypatch: pytest.MonkeyPatch
):
    """As napari does when its window begins to work."""
    elsewhere: list[str] = []
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)
    warnings_shown.begin()
    warnings.showwarning = napari = lambda message, *_, **__: elsewhere.append(str(message))
    with warnings_shown.once():
        warnings.simplefilter("always", UserWarning)
        warnings.warn("few line pixels", KmosWarning, stacklevel=1)
        warnings.warn("of another package", UserWarning, stacklevel=1)
    warnings_shown.end()
    assert warnings.showwarning is napari
    assert [one.message for one in told] == ["few line pixels"]
    assert elsewhere == ["of another package"]


def test_a_thread_may_keep_its_warnings_to_itself(told: list[Notification]):
    with warnings_shown.once():
        with overheard() as heard:
            for text in ("few line pixels", "few line pixels", "half covered"):
                warnings.warn(text, KmosWarning, stacklevel=1)
        warnings.warn("shown", KmosWarning, stacklevel=1)
    assert heard == ["few line pixels", "half covered"]
    assert [one.message for one in told] == ["shown"]


@pytest.mark.viewer
def test_a_task_tells_its_progress_its_result_and_its_failure(qtbot: QtBot):
    def step(number: int, *, fails: bool, progress) -> int:
        progress(1, 2, "half")
        if fails:
            msg = "cannot"
            raise KmosError(msg)
        return number

    task = Task(step, 3, fails=False)
    with qtbot.waitSignals([task.progressed, task.succeeded, task.ended]) as signals:
        task.start()
    assert [signal.args for signal in signals.all_signals_and_args] == [(1, 2, "half"), (3,), ()]
    task = Task(step, 3, fails=True)
    with qtbot.waitSignal(task.failed) as failed:
        task.start()
    assert str(failed.args[0]) == "cannot"


@pytest.mark.viewer
def test_without_pyqtgraph_the_dock_says_what_to_install(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch):
    import numpy as np

    monkeypatch.setattr("napari_kmos._napari.plots.pg", None)
    plot = SpectrumPlot()
    qtbot.addWidget(plot)
    plot.show_curves([Curve(name="A", x=np.arange(3.0), y=np.arange(3.0))], unit="")
    plot.show_marker(2.1, (2.0, 2.4))
    assert plot.message.text() == NO_PLOT
    assert plot.names == ("A",)
