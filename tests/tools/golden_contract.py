"""Write the contract between the pipeline and the app, for tests in both languages.

    python -m tests.tools.golden_contract

The file names the assets that the app opens and holds two manifests: one with every field set, one with only
what is required. The Kotlin tests parse the same file, so a key or a name that changes on one side alone
fails a test on the other.
"""

import json
from typing import Any

from pipeline.targets.android import assets
from pipeline.targets.android.manifest import AdapterFacts, AppManifest, ModelFacts
from pipeline.targets.android.project import TESTS
from pipeline.targets.target import Provenance

CONTRACT = TESTS / "resources" / "golden" / "app_contract.json"

MODEL = ModelFacts(
    bytes=40_000_001,
    sha256="a1" * 32,
    memory_bytes=125_000_002,
    adapter_rank=16,
    base_digest="b2" * 32,
)

BASE_MODEL = ModelFacts(
    bytes=41_000_003,
    sha256="c3" * 32,
    memory_bytes=126_000_004,
    adapter_rank=24,
    base_digest="d4" * 32,
)

ADAPTERS = (
    AdapterFacts(sha256="e5" * 32, name="metals", bytes=500_005, rank=32, base_digest="f6" * 32),
    AdapterFacts(sha256="07" * 32, name="poems", bytes=600_006, rank=64, base_digest="18" * 32),
)

PROVENANCE = Provenance(
    description="Answers questions about metals.",
    base="kaggle://keras/gemma3/keras/gemma3_270m",
    parameters=268_098_176,
    data="metals.jsonl",
    examples=1_234,
    data_sha256="29" * 32,
    method="LoRA",
    rank=8,
    alpha=12.5,
    targets=("query", "value"),
    epochs=3,
    quantization="int4_block32",
    accuracy=0.75,
    accuracy_interval=(0.6875, 0.8125),
    questions=200,
    made="2026-01-31",
    licence="The app: Apache License 2.0.",
    terms="Terms of use: example.com/terms.",
)

FULL = AppManifest(
    name="Pocket Science",
    model=MODEL,
    base_model=BASE_MODEL,
    adapters=ADAPTERS,
    remembers_conversation=False,
    provenance=PROVENANCE,
    runtime="LiteRT-LM 0.18.1",
)

MINIMAL = AppManifest(name="Minimal", model=ModelFacts(bytes=10_000_007, sha256="3a" * 32))


def contract() -> dict[str, Any]:
    """The document: names of assets, names of pushed files, both manifests."""
    return {
        "assets": {
            "model": assets.MODEL_ENTRY,
            "base": assets.BASE_ENTRY,
            "adapters_folder": assets.ADAPTERS_FOLDER,
            "adapter": assets.adapter_entry(ADAPTERS[0].sha256),
            "manifest": assets.MANIFEST_ENTRY,
            "questions": assets.QUESTIONS_ENTRY,
        },
        "pushed": {"model": assets.PUSHED_MODEL, "base": assets.PUSHED_BASE},
        "manifest": FULL.document(),
        "minimal_manifest": MINIMAL.document(),
    }


def text() -> str:
    """The contract as it stands in the file."""
    return json.dumps(contract(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    CONTRACT.parent.mkdir(parents=True, exist_ok=True)
    CONTRACT.write_text(text(), encoding="utf-8")
