package io.pocketgemma.chat.model

import org.junit.Assert.assertEquals
import org.junit.Test

class ModelManifestTest {
    @Test
    fun `everything that the pipeline writes is read`() {
        val manifest = ModelManifest.parse(
            """
            {"format": 1, "name": "Pocket Science", "description": "Knows the elements.",
             "model": {"bytes": 1234, "sha256": "ABCD"}, "remembers_conversation": false,
             "base": {"name": "demo", "parameters": 1560000},
             "tuning": {"method": "LoRA", "rank": 8, "alpha": 16.0, "targets": ["query", "value"], "examples": 4740},
             "quantization": "int8", "check": {"accuracy": 0.955, "questions": 2000},
             "runtime": "LiteRT-LM 0.18.1", "made": "2026-01-31", "licence": "Apache-2.0"}
            """,
            "fallback",
        )
        val facts = ModelManifest.Facts(
            base = "demo", parameters = 1_560_000, examples = 4740, method = "LoRA", rank = 8, alpha = 16.0,
            targets = listOf("query", "value"), quantization = "int8", accuracy = 0.955, questions = 2000,
            runtime = "LiteRT-LM 0.18.1", made = "2026-01-31", licence = "Apache-2.0",
        )
        assertEquals(ModelManifest("Pocket Science", "Knows the elements.", 1234, "abcd", false, facts), manifest)
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
