package io.pocketgemma.chat.model

import org.junit.Assert.assertEquals
import org.junit.Test

class ModelManifestTest {
    private val digest = "ab".repeat(32)

    @Test
    fun `everything that the pipeline writes is read`() {
        val manifest = ModelManifest.parse(
            """
            {"format": 2, "name": "Pocket Science", "description": "Knows the elements.",
             "model": {"bytes": 1234, "sha256": "${digest.uppercase()}", "memory_bytes": 64676946, "adapter_rank": 32, "base_digest": "$digest"},
             "base_model": {"bytes": 99, "sha256": "$digest", "memory_bytes": 77},
             "adapters": [{"sha256": "$digest", "name": "Poet", "bytes": 65536, "rank": 32, "base_digest": "$digest"}],
             "remembers_conversation": false, "base": {"name": "demo", "parameters": 1560000},
             "data": {"name": "science.jsonl", "examples": 4740, "sha256": "$digest"},
             "tuning": {"method": "LoRA", "rank": 8, "alpha": 16.0, "targets": ["query", "value"], "epochs": 3},
             "quantization": "int8", "check": {"accuracy": 0.955, "accuracy_low": 0.945, "accuracy_high": 0.963, "questions": 2000},
             "runtime": "LiteRT-LM 0.18.1", "made": "2026-01-31", "licence": "Apache-2.0", "terms": "Gemma's terms hold."}
            """,
            "fallback",
        )
        val facts = ModelManifest.Facts(
            base = "demo", parameters = 1_560_000, data = "science.jsonl", dataSha256 = digest, examples = 4740, method = "LoRA", rank = 8,
            alpha = 16.0, targets = listOf("query", "value"), epochs = 3.0, quantization = "int8", accuracy = 0.955, accuracyLow = 0.945,
            accuracyHigh = 0.963, questions = 2000, runtime = "LiteRT-LM 0.18.1", made = "2026-01-31", licence = "Apache-2.0",
            terms = "Gemma's terms hold.",
        )
        val expected = ModelManifest(
            "Pocket Science", "Knows the elements.", 1234, digest, false, facts, 64_676_946, 32, digest,
            ModelManifest.BaseModel(digest, 99, 77), listOf(ModelManifest.Adapter(digest, "Poet", 65_536, 32, digest)),
        )
        assertEquals(expected, manifest)
    }

    @Test
    fun `the first format counted the examples elsewhere`() {
        val manifest = ModelManifest.parse("""{"format": 1, "name": "A", "tuning": {"examples": 4740}}""", "fallback")
        assertEquals(4740, manifest.facts.examples)
    }

    @Test
    fun `a digest that is none never becomes the name of a file`() {
        val manifest = ModelManifest.parse(
            """{"name": "A", "model": {"sha256": "../../evil"}, "base_model": {"sha256": "x/y"},
                "adapters": [{"sha256": "/etc/passwd", "name": "B", "rank": 16, "base_digest": "$digest"}, 7, {"sha256": "$digest"}]}""",
            "fallback",
        )
        assertEquals(ModelManifest("A"), manifest)
    }

    @Test
    fun `what is missing, of a wrong kind or no JSON at all never stops the app`() {
        assertEquals(ModelManifest("fallback"), ModelManifest.parse("{", "fallback"))
        assertEquals(ModelManifest("fallback"), ModelManifest.parse("[]", "fallback"))
        assertEquals(ModelManifest("fallback"), ModelManifest.parse("""{"name": 7, "model": "x", "check": []}""", "fallback"))
    }

    @Test
    fun `sample questions are a list of texts, or none`() {
        assertEquals(listOf("What is Fe?", "Was ist Au? \uD83D\uDE00"), ModelManifest.parseQuestions("""["What is Fe?", 3, "Was ist Au? 😀"]"""))
        assertEquals(emptyList<String>(), ModelManifest.parseQuestions("{}"))
    }
}
