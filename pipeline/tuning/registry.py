"""The registry of tuning methods: every module in `methods/` that defines a `METHOD`. To add a method, add a
file."""

import importlib
import pkgutil

from pipeline.errors import InputError
from pipeline.formats.adapter_safetensors import AdapterSafetensors
from pipeline.tuning import methods
from pipeline.tuning.method import Method


def _discover() -> dict[str, Method]:
    modules = pkgutil.iter_modules(methods.__path__, f"{methods.__name__}.")
    found = [importlib.import_module(module.name).METHOD for module in modules]
    return {method.name: method for method in found}


METHODS = _discover()
"""Every method by its name."""


def method_of(file: AdapterSafetensors) -> Method:
    """The method that wrote an adapter file.

    Raises:
        InputError: no method of this version did.
    """
    for method in METHODS.values():
        if method.format == file.format and method.wrote(file):
            return method
    known = ", ".join(dict.fromkeys(method.format for method in METHODS.values()))
    raise InputError(
        f"{file.path}: the adapter has the unknown format {file.format!r}, expected {known}; train it again "
        "with this version"
    )
