"""Every version of Android may back up the same few files."""

import xml.etree.ElementTree as ET

import pytest

from pipeline.targets.android.project import MAIN

CHOSEN = {("database", "conversations.db"), ("sharedpref", "settings.xml")}


def included(rules: ET.Element, **attributes: str) -> set[tuple[str | None, str | None]]:
    assert {rule.tag for rule in rules} == {"include"}, "an include excludes everything else"
    chosen = [rule for rule in rules if attributes.items() <= rule.attrib.items()]
    return {(rule.get("domain"), rule.get("path")) for rule in chosen}


@pytest.mark.parametrize("section", ["cloud-backup", "device-transfer"])
def test_from_android_12_on(section: str) -> None:
    rules = ET.parse(MAIN / "res" / "xml" / "data_extraction_rules.xml").getroot().find(section)
    assert rules is not None
    assert included(rules) == CHOSEN
    assert (rules.get("disableIfNoEncryptionCapabilities") == "true") == (section == "cloud-backup")


@pytest.mark.parametrize("flag", ["clientSideEncryption", "deviceToDeviceTransfer"])
def test_from_android_9_on(flag: str) -> None:
    rules = ET.parse(MAIN / "res" / "xml-v28" / "backup_rules.xml").getroot()
    assert included(rules, requireFlags=flag) == CHOSEN
    assert len(rules) == 2 * len(CHOSEN)


def test_from_android_7_on() -> None:
    rules = ET.parse(MAIN / "res" / "xml" / "backup_rules.xml").getroot()
    assert included(rules) == CHOSEN
    # Android 7 and 8 reject rules with an unknown attribute.
    assert all(set(rule.attrib) == {"domain", "path"} for rule in rules)
