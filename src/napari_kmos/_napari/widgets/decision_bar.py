"""What is decided of a row, and steps back and forth: buttons, with a key each."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QWidget

from napari_kmos._napari.widgets.parts import button

ACCEPT, REJECT, SKIP, NEXT, TAKE, UNDO, REDO = "A", "R", "S", "N", "T", "Control-Z", "Control-Shift-Z"
DROP = "Shift-R"


class DecisionBar(QWidget):
    """Accept, reject, skip, next; undo and redo."""

    pressed = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        self.buttons = {}
        for key, text, tip in (
            (ACCEPT, "Accept", "Use the row where it stands"),
            (REJECT, "Reject", f"Never use the row; with {key_text(DROP)}, no IFU of its exposure"),
            (SKIP, "Skip", "Leave the row out: nobody can tell"),
            (NEXT, "Next", "Go to the next row that is neither decided nor measured well"),
            (UNDO, "↶", "Take the last change back"),
            (REDO, "↷", "Make the change again that was taken back"),
        ):
            made = button(text, f"{tip}. Key: {key_text(key)}", lambda key=key: self.pressed.emit(key))
            made.setMinimumWidth(made.fontMetrics().horizontalAdvance(text) + 12)
            self.buttons[key] = made
            layout.addWidget(made, stretch=1)

    def show_steps(self, undoable: str, redoable: str) -> None:
        """Show what can be undone and redone."""
        for key, what, tip in ((UNDO, undoable, "Undo"), (REDO, redoable, "Redo")):
            self.buttons[key].setEnabled(bool(what))
            self.buttons[key].setToolTip(f"{tip}: {what or 'nothing'}. Key: {key_text(key)}")


def key_text(key: str) -> str:
    """Return how people write a key."""
    return key.replace("Control", "Ctrl").replace("-", "+")
