"""KerasHub's short names of presets in recipes."""

from pathlib import Path

from pipeline.families.registry import known_presets


def address_of(value: str, folder: Path) -> str:
    """The address of a KerasHub preset by its name, such as gemma3_270m; any other value as it is, and also a
    name that something in the folder has."""
    address = known_presets().get(value)
    return value if address is None or (folder / value).exists() else address
