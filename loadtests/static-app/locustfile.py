"""The style sheet of `static`, from the app where no server or edge is before it with the file."""

from shared.style_sheet import StyleSheet


class StaticApp(StyleSheet):
    """Asks the first in line that has the file."""
