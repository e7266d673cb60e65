"""Draw docs/images/report.png: the report of a run on a desktop and on a phone, light and dark.

    python -m tests.tools.report_picture --run runs/science

Needs Chromium.
"""

import argparse
import shutil
import subprocess
import tempfile
from pathlib import Path

from pipeline.report.write import write_report

OUTPUT = Path(__file__).parents[2] / "docs" / "images" / "report.png"
DESKTOP, PHONE, GAP, HEIGHT = 900, 390, 24, 1000
"""CSS pixels."""

BROWSERS = ("chromium", "chromium-browser", "google-chrome")

STYLE = "width:{width}px;height:{height}px;border:0;color-scheme:{scheme}"
FRAME = f'<iframe src="{{page}}" style="{STYLE}"></iframe>'


def draw(page: Path, output: Path) -> None:
    """Draw both forms of a page side by side.

    Raises:
        SystemExit: there is no Chromium.
    """
    browser = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if browser is None:
        raise SystemExit(f"none of {', '.join(BROWSERS)} is installed; run: apt-get install chromium")
    frames = [
        FRAME.format(page=page.resolve().as_uri(), width=width, height=HEIGHT, scheme=scheme)
        for width, scheme in ((DESKTOP, "light"), (PHONE, "dark"))
    ]
    with tempfile.TemporaryDirectory() as work:
        both = Path(work) / "both.html"
        style = f"margin:0;display:flex;gap:{GAP}px"
        both.write_text(f'<body style="{style}">{"".join(frames)}</body>', encoding="utf-8")
        command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
        size = f"--window-size={DESKTOP + GAP + PHONE},{HEIGHT}"
        subprocess.run([*command, size, f"--screenshot={output}", both.as_uri()], check=True, timeout=120)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Draw docs/images/report.png.")
    parser.add_argument("--run", type=Path, required=True, help="the run folder")
    draw(write_report(parser.parse_args().run), OUTPUT)
