"""Pages that lie on each other, for docks that are low."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from qtpy.QtWidgets import QTabWidget, QVBoxLayout, QWidget


def tabs_of(pages: Mapping[str, Sequence[QWidget]]) -> QTabWidget:
    """Return pages by their names, each of widgets below each other, with what room is left below them."""
    tabs = QTabWidget()
    for name, widgets in pages.items():
        page = QWidget()
        column = QVBoxLayout(page)
        for widget in widgets:
            column.addWidget(widget)
        column.addStretch()
        tabs.addTab(page, name)
    return tabs
