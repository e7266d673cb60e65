from pipeline.targets.android.manifest import AdapterFacts, AppManifest, ModelFacts
from pipeline.targets.target import Provenance


def test_unknown_facts_are_left_out() -> None:
    document = AppManifest("Science", ModelFacts(10, "ab")).document()
    assert document == {
        "format": 2,
        "name": "Science",
        "model": {"bytes": 10, "sha256": "ab"},
        "remembers_conversation": True,
    }


def test_known_facts_have_the_keys_that_the_app_reads() -> None:
    document = AppManifest(
        "Science",
        ModelFacts(10, "ab", 65_000_000, 32, "cd"),
        base_model=ModelFacts(9, "ef", 64_000_000),
        adapters=[AdapterFacts("01", "poet", 3, 32, "cd"), AdapterFacts("02", "clerk", 4, 32, "cd")],
        remembers_conversation=False,
        provenance=Provenance(
            description="Knows metals.",
            base="Gemma 3",
            parameters=7,
            data="mine.jsonl",
            examples=12,
            data_sha256="34",
            method="LoRA",
            rank=8,
            alpha=16.0,
            targets=("query", "value"),
            epochs=3,
            quantization="int8",
            accuracy=0.75,
            accuracy_interval=(0.3, 0.95),
            questions=4,
            made="2026-01-31",
            licence="Apache",
            terms="Gemma's",
        ),
        runtime="LiteRT-LM 0.18.1",
    ).document()
    assert document == {
        "format": 2,
        "name": "Science",
        "description": "Knows metals.",
        "model": {
            "bytes": 10,
            "sha256": "ab",
            "memory_bytes": 65_000_000,
            "adapter_rank": 32,
            "base_digest": "cd",
        },
        "base_model": {"bytes": 9, "sha256": "ef", "memory_bytes": 64_000_000},
        "adapters": [
            {"sha256": "01", "name": "poet", "bytes": 3, "rank": 32, "base_digest": "cd"},
            {"sha256": "02", "name": "clerk", "bytes": 4, "rank": 32, "base_digest": "cd"},
        ],
        "remembers_conversation": False,
        "base": {"name": "Gemma 3", "parameters": 7},
        "data": {"name": "mine.jsonl", "examples": 12, "sha256": "34"},
        "tuning": {
            "method": "LoRA",
            "rank": 8,
            "alpha": 16.0,
            "targets": ["query", "value"],
            "epochs": 3,
        },
        "quantization": "int8",
        "check": {"accuracy": 0.75, "accuracy_low": 0.3, "accuracy_high": 0.95, "questions": 4},
        "runtime": "LiteRT-LM 0.18.1",
        "made": "2026-01-31",
        "licence": "Apache",
        "terms": "Gemma's",
    }
