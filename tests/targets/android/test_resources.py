import pytest

from pipeline.targets.android.resources import build_resources
from pipeline.targets.android.tools import find_tool, run_tool


@pytest.mark.slow
@pytest.mark.parametrize("title", ["Pocket 'Science' & \"Co\"", "@home", "Ünïcode 😀", "50 % <b>"])
def test_any_title_becomes_the_app_s_label(title: str) -> None:
    apk = build_resources(title).apk
    badging = run_tool([find_tool("aapt2"), "dump", "badging", apk], "reading the label")
    label = next(line for line in badging.splitlines() if line.startswith("application-label:"))
    # aapt2 prints a backslash before a quotation mark.
    assert label.replace('\\"', '"') == f"application-label:'{title}'"
