"""A style sheet, from whoever serves static files."""

from shared.style_sheet import StyleSheet


class Static(StyleSheet):
    """Asks whichever of server and edge has the file."""
