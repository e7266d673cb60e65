"""A merged model's .litertlm: by a graft onto its converted base where one was kept, else by the converter."""

import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pipeline.errors import InputError
from pipeline.gemma.tokenizer import Tokenizer
from pipeline.litert.convert.export import Bundle, check_litertlm, differences, export_litertlm, label
from pipeline.litert.graft.base_cache import KeptBase, keep_base, kept_base
from pipeline.litert.graft.compatibility import changes_beyond, fixed_by_conversion
from pipeline.litert.graft.writer import graft
from pipeline.quantization.rounding import Quantized

Rounded = Iterable[tuple[str, Quantized | Iterable[Quantized]]]
"""Hugging Face names of matrices, and what is to be stored of each, whole or some rows at a time."""


@dataclass(frozen=True)
class Conversion:
    """What is converted, and where its parts lie.

    Attributes:
        preset: the base's folder.
        base_digest: its digest.
        merged: the Hugging Face folder of base and adapter.
        bundle: how to convert, and what the file is to say about itself.
        log: file for the converter's own output.
    """

    preset: Path
    base_digest: str
    merged: Path
    bundle: Bundle
    log: Path

    def full(self, output: Path, *, keep: bool) -> dict[str, Any]:
        """Convert the merged model itself, each number rounded to nearest.

        Args:
            output: the .litertlm file to write.
            keep: keep the base as it was converted, for later grafts.

        Returns:
            What `export_litertlm` returns, method, converter_seconds, and no_graft: why the base could not be kept, if it could not.

        Raises:
            PocketGemmaError: the converter failed, or its result is not what was asked for.
        """
        plain = replace(self.bundle, rounding="nearest")
        facts = export_litertlm(self.merged, output, plain, self.log)
        facts |= {"method": "full conversion", "converter_seconds": facts["seconds"]}
        if keep:
            try:
                keep_base(self.base_digest, self.bundle, output, self.merged, self.preset)
            except InputError as reason:
                facts["no_graft"] = str(reason)
        return facts

    def kept(self) -> KeptBase | None:
        """The converted base, if it was kept."""
        return kept_base(self.base_digest, self.bundle)

    def beyond(self, base: KeptBase) -> list[str]:
        """Names of what a graft onto a converted base would leave out of this model: changed norms, another shape or tokenizer."""
        return changes_beyond(base.fixed, fixed_by_conversion(self.merged))

    def graft(self, base: KeptBase, output: Path, rounded: Rounded) -> dict[str, Any]:
        """Write rounded matrices into a copy of the converted base.

        Returns:
            method, matrices, seconds and bytes.

        Raises:
            InputError: a matrix does not fit the base.
            PocketGemmaError: the file does not say what it was asked to say.
        """
        started = time.monotonic()
        tokenizer = Tokenizer.of_preset(self.merged)
        with tempfile.TemporaryDirectory(dir=output.parent, prefix=".graft-") as temporary:
            grafted = Path(temporary) / "model.litertlm"
            count = graft(base.model, base.places, grafted, rounded)
            if differences(grafted, tokenizer, self.bundle, None):
                label(grafted, output, tokenizer, self.bundle)
            else:
                grafted.rename(output)
        # The matrices are compared by the stage that verifies: reading them all takes longer than writing them.
        check_litertlm(output, tokenizer, self.bundle, None)
        return {
            "method": "graft",
            "matrices": count,
            "seconds": round(time.monotonic() - started, 2),
            "bytes": output.stat().st_size,
        }
