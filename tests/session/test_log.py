"""Actions are read, taken back and done again, and everything is then exactly as it was."""

from pathlib import Path

import decided
import numpy as np
import pytest

from napari_kmos.aperture import Aperture
from napari_kmos.extract import ExtractParameters
from napari_kmos.offset import Offset
from napari_kmos.report.traces import Look
from napari_kmos.session import ActionLog, Alignment, Session, decisions, kinds_of_decisions

STAR = Aperture(id="3", ra=266.4, dec=-29.0, radius_arcsec=0.3)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def moved(star: Aperture, north_arcsec: float) -> Aperture:
    return Aperture(id=star.id, ra=star.ra, dec=star.dec + north_arcsec / 3600, radius_arcsec=star.radius_arcsec)


@pytest.mark.parametrize("seed", range(20))
def test_any_changes_are_taken_back_and_done_again_exactly(tmp_path: Path, clock: Clock, seed: int):
    rng = np.random.default_rng(seed)
    session = Session()
    log = ActionLog(session, clock=clock)
    names = list(kinds_of_decisions(undone=True))
    known = [decisions(session, undone=True)]
    several = [list(rng.choice(names, rng.integers(1, 4), replace=False)) for _ in range(20)]
    for chosen in (*([str(name)] for name in rng.permutation(names)), *several):
        clock.now += 10
        with log.step():
            for name in chosen:
                setattr(session, name, decided.make_decision(name, rng, tmp_path, unlike=getattr(session, name)))
        known.append(decisions(session, undone=True))
    assert {name for one in log.actions for name in one.after} == set(names)
    assert log.n_done == len(known) - 1
    for place in (*reversed(range(len(known))), *range(len(known)), *rng.integers(0, len(known), 20)):
        log.go_to(place)
        assert decisions(session, undone=True) == known[place]
        assert log.n_done == place
    log.go_to(3)
    clock.now += 10
    session.velocity_kms = -4321.0
    assert log.redo() == ""  # another way was taken
    assert len(log.actions) == 4
    log.undo()
    assert decisions(session, undone=True) == known[3]


def test_changes_of_one_field_within_a_gesture_are_one_action(clock: Clock):
    session = Session()
    log = ActionLog(session, clock=clock, gesture_s=1.0)
    for value in (0.8, 0.9, 1.0):
        clock.now += 0.9
        session.fwhm_arcsec = value
    assert [one.what for one in log.actions] == ["width of a star: 1"]
    clock.now += 1.1
    session.fwhm_arcsec = 1.1
    clock.now += 0.1
    session.velocity_kms = 30.0
    clock.now += 0.1
    session.fwhm_arcsec = 1.2
    assert [one.what for one in log.actions][1:] == [
        "width of a star: 1.1", "velocity of the marks: 30", "width of a star: 1.2"
    ]  # fmt: skip
    log.go_to(0)
    assert (session.fwhm_arcsec, session.velocity_kms) == (0.7, 0.0)


def test_changes_that_come_at_once_are_one_action_and_so_is_what_they_go_on_as(clock: Clock):
    session = Session()
    log = ActionLog(session, clock=clock)
    for value in (0.8, 0.9):
        clock.now += 0.5
        session.fwhm_arcsec = value
        session.extract_parameters = ExtractParameters(fwhm_arcsec=value)
    assert [one.what for one in log.actions] == ["width of a star: 0.9; extraction: fwhm_arcsec 0.9"]
    log.undo()
    assert (session.fwhm_arcsec, session.extract_parameters) == (0.7, None)


def test_what_ends_where_it_began_is_no_action_and_joins_nothing_before_it(clock: Clock):
    session = Session()
    log = ActionLog(session, clock=clock)
    session.velocity_kms = 10.0
    clock.now += 5
    for value in (0.8, 0.7):
        session.fwhm_arcsec = value
    assert [one.what for one in log.actions] == ["velocity of the marks: 10"]
    session.fwhm_arcsec = 0.9
    assert len(log.actions) == 2


def test_a_drag_of_any_length_is_one_action_until_it_is_settled(clock: Clock):
    session = Session()
    log = ActionLog(session, clock=clock)
    session.apertures = (STAR,)
    with log.step(gesture="drag"):
        pass  # the mouse goes down
    for arcsec in (0.05, 0.10, 0.12):
        clock.now += 60
        with log.step(gesture="drag"):
            session.apertures = (moved(STAR, arcsec),)
    log.settle()
    with log.step(gesture="drag"):
        session.apertures = (moved(STAR, 0.3),)
    assert [one.what for one in log.actions] == [
        "added star 3",
        "moved star 3 by 0.12 arcsec",
        "moved star 3 by 0.18 arcsec",
    ]


def test_what_others_change_while_decisions_are_taken_back_does_not_stand(clock: Clock):
    session = Session()
    log = ActionLog(session, clock=clock)
    with log.step("both"):
        session.velocity_kms, session.fwhm_arcsec = 10.0, 1.0
    session.events.velocity_kms.connect(lambda _value: setattr(session, "fwhm_arcsec", 5.0))
    log.undo()
    assert (session.velocity_kms, session.fwhm_arcsec) == (0.0, 0.7)
    assert log.redoable == "both"


def test_derived_fields_and_what_is_open_are_no_actions(tmp_path: Path):
    session = Session()
    log = ActionLog(session)
    session.selected, session.hovering, session.files, session.layout = ("1",), "nothing", (tmp_path,), "sheet"
    assert log.actions == ()
    assert (log.undo(), log.redo(), log.undoable, log.redoable) == ("", "", "", "")


def test_what_the_program_did_by_itself_is_undone_and_is_no_reason_to_keep_a_session():
    session = Session()
    log = ActionLog(session)
    with log.step("found", by_itself=True):
        session.velocity_kms = 10.0
    assert not log.is_worth_keeping
    session.fwhm_arcsec = 0.9
    assert log.is_worth_keeping
    log.go_to(0)
    assert session.velocity_kms == 0.0


def test_only_so_many_actions_are_kept(clock: Clock):
    session = Session()
    log = ActionLog(session, clock=clock, most_actions=3)
    for value in range(1, 6):
        clock.now += 5
        session.velocity_kms = float(value)
    log.go_to(0)
    assert (len(log.actions), session.velocity_kms) == (3, 2.0)


def test_actions_are_told_by_what_they_changed(tmp_path: Path):
    session, clock = Session(), Clock()
    log = ActionLog(session, clock=clock)
    offset = Offset(
        exposure=1, file=str(tmp_path / "exp2.fits"), ifu=7, dra_arcsec=0.1, ddec_arcsec=0.0, err_arcsec=0.1,
        method="hand", decision="accepted",
    )  # fmt: skip
    for name, value in (
        ("apertures", (STAR, Aperture(id="s1", kind="sky", ra=266.4, dec=-29.0, radius_arcsec=0.3))),
        ("apertures", (STAR,)),
        ("apertures", (Aperture(id="S2", ra=STAR.ra, dec=STAR.dec, radius_arcsec=0.3),)),
        ("alignment", Alignment(offsets=(offset,))),
        ("look", Look(normalised=True)),
        ("forms", {"combine": {"method": "user"}}),
        ("inputs", (tmp_path / "exp1.fits", tmp_path / "exp2.fits")),
        ("fit_um", (2.1, 2.2)),
    ):
        clock.now += 2
        setattr(session, name, value)
    assert [one.what for one in log.actions] == [
        "added 2 stars and sky areas",
        "removed sky area s1",
        "named star 3 S2",
        "IFU 7 of exp2 accepted",
        "look of the plot: normalised on",
        "settings, combine: method user",
        "exposures to combine: exp1.fits, exp2.fits",
        "window of the line fit: 2.1, 2.2",
    ]
