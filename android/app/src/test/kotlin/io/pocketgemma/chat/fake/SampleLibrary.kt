package io.pocketgemma.chat.fake

import io.pocketgemma.chat.library.AdapterEntry
import io.pocketgemma.chat.library.LibraryState
import io.pocketgemma.chat.library.ModelEntry
import io.pocketgemma.chat.library.Origin
import io.pocketgemma.chat.model.ModelManifest
import io.pocketgemma.chat.model.Selection

/**
 * A library with one entry of each kind: the tuned model and its base from the app, an imported one with adapters, and an adapter without
 * its base.
 */
object SampleLibrary {
    val manifest = ModelManifest.parse(
        """{"format": 2, "name": "Pocket Science",
        "description": "A 1.6-million-parameter Gemma 3 that answers questions about the chemical elements.",
        "model": {"bytes": 2660928, "sha256": "8ff883dc202d65d97d1a85cb79a9f02f9bf1b054a883064196eddf6ae947dac1"},
        "remembers_conversation": false,
        "base": {"name": "PocketGemma demo", "parameters": 1560064},
        "data": {"name": "science", "examples": 7170, "sha256": "1b5cf39f6ad5ee7e9a9c0d07d9a32b76c4f4fd0a3e4e9cf4e9fb7f2f1a6b8c3d"},
        "tuning": {"method": "LoRA", "rank": 8, "alpha": 8.0, "targets": ["query", "key", "value", "output", "gate", "up", "down"],
        "examples": 7170, "epochs": 3},
        "quantization": "int8", "check": {"accuracy": 0.9675, "accuracy_low": 0.945, "accuracy_high": 0.981, "questions": 400},
        "runtime": "LiteRT-LM 0.18.1", "made": "2026-11-22",
        "licence": "The model, its examples and this app: Apache License 2.0. The model is Gemma 3 in architecture only."}""",
        "PocketGemma",
    )
    val tuned = ModelEntry(
        "8ff883dc202d65d97d1a85cb79a9f02f9bf1b054a883064196eddf6ae947dac1", "Pocket Science", 2_660_928, Origin.APP, manifest = manifest,
    )
    val base = ModelEntry("b".repeat(64), "PocketGemma demo", 2_650_112, Origin.APP, isBase = true)
    val large = ModelEntry("c".repeat(64), "Gemma 3 270M", 280_500_000, Origin.IMPORTED, adapterRank = 16, baseDigest = "base-1")
    val poet = AdapterEntry("d".repeat(64), "Poet", 3_145_728, Origin.IMPORTED, 16, "base-1")
    val clerk = AdapterEntry("e".repeat(64), "Clerk", 3_145_728, Origin.APP, 16, "base-1")
    val lost = AdapterEntry("f".repeat(64), "Sailor", 6_291_456, Origin.IMPORTED, 32, "base-9")
    val state = LibraryState(
        loaded = true,
        models = listOf(tuned, base, large),
        adapters = listOf(poet, clerk, lost),
        sampleQuestions = listOf("How heavy is gold?", "Which element has the symbol Hg?", "When was helium discovered?"),
        tuned = Selection(tuned.id),
        base = Selection(base.id),
    )
}
