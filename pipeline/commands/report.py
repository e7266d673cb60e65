"""Write the page about a run, and open it."""

import os
import sys
import webbrowser
from pathlib import Path

from pipeline.console import console
from pipeline.report.write import write_report


def report(root: Path, *, open_page: bool) -> None:
    """Write report.html and the model card of a run folder, print where they are, and open the page in the
    browser.

    Args:
        root: the run folder.
        open_page: whether to open the page, if there is a screen to show it on.

    Raises:
        InputError: as `write_report`.
    """
    page = write_report(root)
    console.print(str(page))
    if open_page and _has_screen():
        webbrowser.open(page.resolve().as_uri())


def _has_screen() -> bool:
    """Whether a browser can open a window. Without one, Python would start a browser in the terminal."""
    graphical = sys.platform in ("darwin", "win32") or {"DISPLAY", "WAYLAND_DISPLAY"} & os.environ.keys()
    return console.is_terminal and bool(graphical)
