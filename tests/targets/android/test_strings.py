"""The app's strings: each exists in both languages, none is unused, and layouts and code contain no text."""

import re
from xml.etree import ElementTree

from pipeline.targets.android.project import MAIN, ROOT

_ANDROID = "{http://schemas.android.com/apk/res/android}"
_RESOURCES = MAIN / "res"
_PLACEHOLDER = re.compile(r"%(?:\d+\$)?[a-zA-Z%]")
# Terms that are the same in English and German. All others would be missing translations.
_ALIKE = {
    "app_name",
    "adapter",
    "backend_cpu",
    "backend_gpu",
    "benchmark_decode",
    "benchmark_prefill",
    "benchmark_share_title",
    "column_decode",
    "column_prefill",
    "export_untitled",
    "fact_alpha",
    "fact_digest_adapter",
    "model_ready_gpu_short",
    "model_ready_short",
    "fact_name",
    "fact_version",
    "benchmark_median",
    "benchmark_android",
    "page_benchmark",
    "page_chat",
    "page_chats",
    "set_backend_cpu",
    "set_backend_gpu",
    "set_top_k",
    "set_top_p",
}
_SPOKEN = ("text", "hint", "contentDescription", "title", "tooltipText", "stateDescription", "label")


def _strings(folder: str) -> dict[str, dict[str, str]]:
    """Translatable strings of values or values-de: by name, their texts by quantity ("" if they are not
    plurals)."""
    found: dict[str, dict[str, str]] = {}
    for path in sorted((_RESOURCES / folder).glob("*.xml")):
        for element in ElementTree.parse(path).getroot():
            if element.tag not in ("string", "plurals") or element.get("translatable") == "false":
                continue
            name = element.get("name", "")
            assert name not in found, f"{path.name}: {name} is defined twice"
            found[name] = (
                {"": "".join(element.itertext())}
                if element.tag == "string"
                else {item.get("quantity", ""): "".join(item.itertext()) for item in element}
            )
    return found


ENGLISH = _strings("values")
GERMAN = _strings("values-de")


def test_every_string_exists_in_both_languages() -> None:
    # The build writes the app's name.
    assert set(ENGLISH) - set(GERMAN) <= {"app_name"}
    assert set(GERMAN) <= set(ENGLISH)


def test_a_translation_has_the_same_quantities_and_placeholders() -> None:
    wrong = [
        name
        for name in sorted(set(ENGLISH) & set(GERMAN))
        if {quantity: sorted(_PLACEHOLDER.findall(text)) for quantity, text in ENGLISH[name].items()}
        != {quantity: sorted(_PLACEHOLDER.findall(text)) for quantity, text in GERMAN[name].items()}
    ]
    assert not wrong
    assert not [
        name for name, texts in (ENGLISH | GERMAN).items() if not all(text.strip() for text in texts.values())
    ]


def test_every_string_is_translated() -> None:
    """Only names, placeholders and signs may be the same in both languages."""
    same = {
        name
        for name in set(ENGLISH) & set(GERMAN)
        if ENGLISH[name] == GERMAN[name]
        and any(
            len(re.findall(r"[A-Za-zÄÖÜäöüß]{3,}", _PLACEHOLDER.sub("", text))) > 0
            for text in ENGLISH[name].values()
        )
    }
    assert same <= _ALIKE


def test_no_string_is_unused() -> None:
    sources = "\n".join(
        path.read_text(encoding="utf-8")
        for path in [
            *(MAIN / "kotlin").rglob("*.kt"),
            *_RESOURCES.rglob("*.xml"),
            MAIN / "AndroidManifest.xml",
        ]
    )
    used = set(re.findall(r"R\.(?:string|plurals)\.(\w+)|@string/(\w+)", sources))
    names = {first or second for first, second in used}
    untranslated = {
        element.get("name", "")
        for path in (_RESOURCES / "values").glob("*.xml")
        for element in ElementTree.parse(path).getroot()
        if element.get("translatable") == "false"
    }
    assert not (set(ENGLISH) | untranslated) - names


def test_layouts_contain_no_text() -> None:
    written = [
        f"{path.name}: {attribute}={text!r}"
        for path in sorted(_RESOURCES.glob("layout*/*.xml"))
        for element in ElementTree.parse(path).iter()
        for attribute in _SPOKEN
        if (text := element.get(_ANDROID + attribute)) is not None
        and not text.startswith(("@string/", "@null"))
    ]
    assert not written


def test_code_contains_no_text() -> None:
    literal = re.compile(
        r'\.(?:text|hint|contentDescription|stateDescription|title)\s*=\s*"[^"$]*[A-Za-z]{2}|'
        r'\b(?:setTitle|setMessage|setText|setPositiveButton|setNegativeButton|setHint|notice)\(\s*"[^"]*[A-Za-z]{2}'
    )
    for path in (MAIN / "kotlin").rglob("*.kt"):
        assert not literal.search(path.read_text(encoding="utf-8")), path.name


def test_punctuation_follows_the_language() -> None:
    """Quotation marks and ellipses as printed, not as typed: “…” in English, „…“ in German."""
    for language, strings in (("English", ENGLISH), ("German", GERMAN)):
        for name, texts in strings.items():
            for text in texts.values():
                assert '"' not in text.replace('\\"', '"'), f"{language} {name}"
                assert "..." not in text, f"{language} {name}"
                assert language == "English" or "”" not in text, f"{language} {name}"


def test_the_license_in_the_app_is_that_of_the_project() -> None:
    shown = (_RESOURCES / "raw" / "apache_license.txt").read_text(encoding="utf-8")
    assert shown == (ROOT.parent / "LICENSE").read_text(encoding="utf-8")
