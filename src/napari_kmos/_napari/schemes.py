"""Colours of plots, on a dark ground and on a light one, and widgets that take those of the window's theme."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from qtpy.QtCore import QEvent
from qtpy.QtWidgets import QWidget

#: Grounds lighter than this, of 255, are light.
_LIGHT = 128
#: Places of colours in a scheme, for curves that keep theirs: the fifth, as text is, and so on.
CYAN, ORANGE, GREEN, PINK, BLUE, PLAIN = range(6)


@dataclass(frozen=True, kw_only=True)
class Scheme:
    """Colours of a plot that are read well on its ground.

    Parameters
    ----------
    ground, text : str
        Behind the curves, axes and names.
    curves : tuple of str
        In the order of the curves.
    marker : str
        At the wavelength of the slider.
    line, head, telluric, airglow : str
        Marks of lines and of heads of bands; shades of absorption and emission of the sky.
    """

    ground: str
    text: str
    curves: tuple[str, ...]
    marker: str
    line: str
    head: str
    telluric: str
    airglow: str


DARK = Scheme(
    ground="#14181d",
    text="#d6d9de",
    curves=(
        "#35e0e8",
        "#ffb454",
        "#c3e88d",
        "#ff79c6",
        "#82aaff",
        "#f5f5f5",
        "#f78c6c",
        "#c792ea",
        "#b8a038",
        "#5fa8a0",
    ),
    marker="#ff5c57",
    line="#8fb7ff",
    head="#ff9a94",
    telluric="#30b08050",
    airglow="#28ffffff",
)
LIGHT = Scheme(
    ground="#ffffff",
    text="#24292f",
    curves=(
        "#0b7285",
        "#c25400",
        "#3b7d1a",
        "#b0287f",
        "#2451c4",
        "#24292f",
        "#a8321f",
        "#6f3fb5",
        "#75650a",
        "#1f6d66",
    ),
    marker="#d92d20",
    line="#2f5fb3",
    head="#b3261e",
    telluric="#38c08a4a",
    airglow="#1a24292f",
)


class ThemedWidget(QWidget):
    """A widget with plots that follow the theme of the window; subclasses draw in `_dress`."""

    def __init__(self) -> None:
        super().__init__()
        self.scheme = DARK

    def showEvent(self, event: Any) -> None:  # noqa: N802 - Qt's name
        """Follow the theme there is."""
        super().showEvent(event)
        self._follow_theme()

    def changeEvent(self, event: Any) -> None:  # noqa: N802 - Qt's name
        """Follow the theme."""
        super().changeEvent(event)
        if event.type() in (QEvent.Type.StyleChange, QEvent.Type.PaletteChange):
            self._follow_theme()

    def _follow_theme(self) -> None:
        scheme = LIGHT if self.palette().window().color().lightness() > _LIGHT else DARK
        if scheme is not self.scheme:
            self.scheme = scheme
            self._dress()

    def _dress(self) -> None:
        """Draw in the colours of the scheme; for subclasses."""
