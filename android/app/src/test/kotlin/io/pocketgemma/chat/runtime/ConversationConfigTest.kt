package io.pocketgemma.chat.runtime

import io.pocketgemma.chat.TestModels
import io.pocketgemma.chat.model.ConversationConfig
import io.pocketgemma.chat.model.ReplyEnd
import io.pocketgemma.chat.model.Role
import io.pocketgemma.chat.model.Sampling
import io.pocketgemma.chat.model.Turn
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNotEquals
import org.junit.Assert.assertTrue
import org.junit.Test

/** The setup of a conversation reaches the model: system prompt and sampling. */
class ConversationConfigTest : RuntimeTest() {
    private val warm = Sampling(temperature = 5f, topK = 64, topP = 1f)

    private fun LiteRtLm.answer(config: ConversationConfig, vararg questions: String): List<String> {
        begin(config, null)
        return questions.map { ask(it).first }
    }

    /** Prompt tokens that were processed for the first reply. */
    private fun LiteRtLm.promptTokens(config: ConversationConfig, question: String = "What?"): Int {
        begin(config.copy(replyTokens = 4), null)
        return requireNotNull((ask(question).second as ReplyEnd.Complete).metrics).promptTokens
    }

    @Test
    fun `a system prompt stands before what is said`() = open(TestModels.taught).use { model ->
        val prompt = "Speak of metals only, and in {\"braces\"}."
        val plain = model.promptTokens(ConversationConfig())
        assertEquals(plain + model.countTokens("$prompt\n\n").toDouble(), model.promptTokens(ConversationConfig(systemPrompt = prompt)).toDouble(), 3.0)
        assertEquals(plain, model.promptTokens(ConversationConfig(systemPrompt = " \n")))
    }

    @Test
    fun `a template without a system turn gets the prompt before the first question`() {
        val prompt = "Speak of metals only."
        val history = listOf(Turn(Role.USER, "Why?"), Turn(Role.MODEL, "It is so."))
        val configs = listOf(
            ConversationConfig(systemPrompt = prompt, sampling = greedy),
            ConversationConfig(history, systemPrompt = prompt, sampling = greedy),
            ConversationConfig(sampling = greedy),
        )
        fun of(model: LiteRtLm) = configs.map { model.promptTokens(it) to model.answer(it, "What?", "And what?") }
        // The demo model's own template writes the prompt there too.
        assertEquals(open(TestModels.taught).use(::of), open(TestModels.noSystem).use(::of))
    }

    @Test
    fun `the same seed gives the same reply, another one another`() = open(TestModels.endless).use { model ->
        fun reply(seed: Int) = model.answer(ConversationConfig(sampling = warm.copy(seed = seed), replyTokens = 20), "hello").single()
        assertEquals(reply(1), reply(1))
        assertNotEquals(reply(1), reply(2))
    }

    @Test
    fun `without a seed replies differ`() = open(TestModels.endless).use { model ->
        val config = ConversationConfig(sampling = warm, replyTokens = 20)
        assertEquals(4, List(4) { model.answer(config, "hello").single() }.toSet().size)
    }

    @Test
    fun `temperature 0 and a top-k of 1 are the likeliest tokens`() = open(TestModels.endless).use { model ->
        val replies = listOf(Sampling(temperature = 0f), Sampling(temperature = 0f, seed = 9), warm.copy(topK = 1), warm.copy(topP = 0f))
            .map { model.answer(ConversationConfig(sampling = it, replyTokens = 20), "hello").single() }
        assertEquals("$replies", 1, replies.toSet().size)
    }

    @Test
    fun `temperature, top-k and top-p all count`() = open(TestModels.endless).use { model ->
        fun differ(sampling: Sampling): Int {
            val config = ConversationConfig(sampling = sampling, replyTokens = 30)
            return List(6) { model.answer(config, "hello").single() }.toSet().size
        }
        assertEquals(6, differ(warm))
        assertEquals(1, differ(warm.copy(temperature = 0.001f)))
        assertEquals(1, differ(warm.copy(topK = 1)))
        assertEquals(1, differ(warm.copy(topP = 0.0001f)))
    }

    @Test
    fun `without own sampling tokens are drawn as the file says`() {
        // The demo's file specifies greedy sampling, the other one temperature 0.7.
        open(TestModels.endless).use { model ->
            assertEquals(
                model.answer(ConversationConfig(sampling = greedy, replyTokens = 20), "hello"), model.answer(ConversationConfig(replyTokens = 20), "hello"),
            )
        }
        open(TestModels.loraBase).use { model ->
            val replies = List(20) {
                model.begin(ConversationConfig(replyTokens = 20), TestModels.adapterA)
                model.ask("And what of silver and of lead?").first
            }
            assertTrue("$replies", replies.toSet().size > 1)
        }
    }
}
