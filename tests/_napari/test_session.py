from napari.components import ViewerModel

from napari_kmos._napari.session import session_of
from napari_kmos.session import Session


def test_a_viewer_has_one_session_and_viewers_do_not_share():
    first, second = ViewerModel(), ViewerModel()
    assert session_of(first) is session_of(first)
    assert session_of(first) is not session_of(second)


def test_a_field_that_is_replaced_tells():
    session, heard = Session(), []
    session.events.offsets.connect(heard.append)
    session.offsets = ("row",)
    session.offsets = ("row",)
    assert heard == [("row",)]
