"""The facts that the demo knows: the periodic table, the planets, units, prefixes.

The periodic table is read from the package `mendeleev` once, by `read_elements`, into `facts/elements.json`;
everything else here is school knowledge, written down by hand. Nothing but the standard library is needed to
use the facts.
"""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ELEMENTS_FILE = Path(__file__).parent / "facts" / "elements.json"

ROOM_TEMPERATURE = 298.15
"""Kelvin; what "at room temperature" means here."""

CATEGORIES = {
    "Nonmetals": "a nonmetal",
    "Noble gases": "a noble gas",
    "Alkali metals": "an alkali metal",
    "Alkaline earth metals": "an alkaline earth metal",
    "Metalloids": "a metalloid",
    "Halogens": "a halogen",
    "Poor metals": "a poor metal",
    "Transition metals": "a transition metal",
    "Lanthanides": "a lanthanide",
    "Actinides": "an actinide",
}
"""The source's series, as one says it of one element."""

PLANETS = ("Mercury", "Venus", "Earth", "Mars", "Jupiter", "Saturn", "Uranus", "Neptune")
ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth")
MOONS = {
    "Earth": ("Luna",),
    "Mars": ("Phobos", "Deimos"),
    "Jupiter": ("Io", "Europa", "Ganymede", "Callisto", "Amalthea"),
    "Saturn": ("Titan", "Rhea", "Iapetus", "Dione", "Tethys", "Enceladus", "Mimas"),
    "Uranus": ("Titania", "Oberon", "Umbriel", "Ariel", "Miranda"),
    "Neptune": ("Triton", "Nereid", "Proteus"),
}
"""The best-known moons, not all of them: how many there are changes from year to year, so the demo never
says."""

UNITS = {
    "force": "newton",
    "energy": "joule",
    "power": "watt",
    "pressure": "pascal",
    "length": "metre",
    "time": "second",
    "mass": "kilogram",
    "charge": "coulomb",
    "voltage": "volt",
    "current": "ampere",
    "resistance": "ohm",
    "conductance": "siemens",
    "capacitance": "farad",
    "inductance": "henry",
    "magnetic flux": "weber",
    "frequency": "hertz",
    "temperature": "kelvin",
    "amount of substance": "mole",
    "luminous intensity": "candela",
    "radioactivity": "becquerel",
}
"""Quantity and its SI unit."""

PREFIXES = {
    "deca": 1,
    "hecto": 2,
    "kilo": 3,
    "mega": 6,
    "giga": 9,
    "tera": 12,
    "peta": 15,
    "exa": 18,
    "zetta": 21,
    "yotta": 24,
    "deci": -1,
    "centi": -2,
    "milli": -3,
    "micro": -6,
    "nano": -9,
    "pico": -12,
    "femto": -15,
    "atto": -18,
    "zepto": -21,
    "yocto": -24,
}
"""SI prefix and its power of ten."""


@dataclass(frozen=True)
class Element:
    """One chemical element; a field is None where the source does not say."""

    number: int
    name: str
    symbol: str
    mass: int
    """Standard atomic weight, rounded to a whole number."""
    group: int | None
    period: int
    block: str
    category: str
    """With its article, "a halogen"."""
    year: int | None
    """Of discovery."""
    state: str | None
    """At room temperature: solid, liquid or gas."""


def _state(melting: float | None, boiling: float | None) -> str | None:
    if melting is None:
        return None
    if melting > ROOM_TEMPERATURE:
        return "solid"
    return "gas" if boiling is not None and boiling < ROOM_TEMPERATURE else "liquid"


@cache
def elements() -> tuple[Element, ...]:
    """All 118 elements, by atomic number, from the committed file."""
    rows = json.loads(ELEMENTS_FILE.read_text(encoding="utf-8"))["elements"]
    return tuple(
        Element(
            number=row["atomic_number"],
            name=row["name"].lower(),
            symbol=row["symbol"],
            mass=round(row["atomic_weight"]),
            group=row["group_id"],
            period=row["period"],
            block=row["block"],
            category=CATEGORIES[row["series"]],
            year=row["discovery_year"],
            state=_state(row["melting_point"], row["boiling_point"]),
        )
        for row in rows
    )


def read_elements(date: str) -> None:
    """Read the periodic table from `mendeleev` and write `facts/elements.json`.

    The package is no dependency: it is wanted once, and moves the versions of others. Run this in an
    environment of its own.

    Args:
        date: the day of reading, for the file's header, as YYYY-MM-DD.
    """
    from importlib.metadata import version

    from mendeleev import get_all_elements

    def kelvin(value: float | None) -> float | None:
        return None if value is None else round(value, 3)

    rows = [
        {
            "atomic_number": element.atomic_number,
            "name": element.name,
            "symbol": element.symbol,
            "atomic_weight": element.atomic_weight,
            "group_id": element.group_id,
            "period": element.period,
            "block": element.block,
            "series": element.series,
            "discovery_year": element.discovery_year,
            "melting_point": kelvin(element.melting_point),
            "boiling_point": kelvin(element.boiling_point),
        }
        for element in get_all_elements()
    ]
    header = {
        "source": "the Python package mendeleev, https://mendeleev.readthedocs.io",
        "version": version("mendeleev"),
        "licence": "MIT, copyright (c) 2015 Lukasz Mentel",
        "read_on": date,
        "units": "atomic_weight in unified atomic mass units, melting_point and boiling_point in kelvin",
    }
    lines = ",\n".join("    " + json.dumps(row, ensure_ascii=False) for row in rows)
    head = json.dumps(header, indent=2, ensure_ascii=False).rstrip("}\n")
    ELEMENTS_FILE.parent.mkdir(parents=True, exist_ok=True)
    ELEMENTS_FILE.write_text(f'{head},\n  "elements": [\n{lines}\n  ]\n}}\n', encoding="utf-8")
