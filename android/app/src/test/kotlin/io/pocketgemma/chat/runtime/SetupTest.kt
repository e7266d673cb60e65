package io.pocketgemma.chat.runtime

import io.pocketgemma.chat.TestModels
import io.pocketgemma.chat.model.ReplyEnd
import io.pocketgemma.chat.model.Role
import io.pocketgemma.chat.model.Sampling
import io.pocketgemma.chat.model.Setup
import io.pocketgemma.chat.model.Turn
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNotEquals
import org.junit.Assert.assertTrue
import org.junit.Test

/** The setup of a conversation reaches the model: system prompt and sampling. */
class SetupTest : DoorTest() {
    private val warm = Sampling(temperature = 5f, topK = 64, topP = 1f)

    private fun LiteRtLm.answer(setup: Setup, vararg questions: String): List<String> {
        begin(setup, null)
        return questions.map { ask(it).first }
    }

    /** Prompt tokens that were processed for the first reply. */
    private fun LiteRtLm.promptTokens(setup: Setup, question: String = "What?"): Int {
        begin(setup.copy(replyTokens = 4), null)
        return requireNotNull((ask(question).second as ReplyEnd.Complete).numbers).promptTokens
    }

    @Test
    fun `a system prompt stands before what is said`() = open(TestModels.taught).use { model ->
        val prompt = "Speak of metals only, and in {\"braces\"}."
        val plain = model.promptTokens(Setup())
        assertEquals(plain + model.countTokens("$prompt\n\n").toDouble(), model.promptTokens(Setup(systemPrompt = prompt)).toDouble(), 3.0)
        assertEquals(plain, model.promptTokens(Setup(systemPrompt = " \n")))
    }

    @Test
    fun `a template without a system turn gets the prompt before the first question`() {
        val prompt = "Speak of metals only."
        val history = listOf(Turn(Role.USER, "Why?"), Turn(Role.MODEL, "It is so."))
        val setups = listOf(
            Setup(systemPrompt = prompt, sampling = greedy),
            Setup(history, systemPrompt = prompt, sampling = greedy),
            Setup(sampling = greedy),
        )
        fun of(model: LiteRtLm) = setups.map { model.promptTokens(it) to model.answer(it, "What?", "And what?") }
        // The demo model's own template writes the prompt there too.
        assertEquals(open(TestModels.taught).use(::of), open(TestModels.noSystem).use(::of))
    }

    @Test
    fun `the same seed gives the same reply, another one another`() = open(TestModels.endless).use { model ->
        fun reply(seed: Int) = model.answer(Setup(sampling = warm.copy(seed = seed), replyTokens = 20), "hello").single()
        assertEquals(reply(1), reply(1))
        assertNotEquals(reply(1), reply(2))
    }

    @Test
    fun `without a seed replies differ`() = open(TestModels.endless).use { model ->
        val setup = Setup(sampling = warm, replyTokens = 20)
        assertEquals(4, List(4) { model.answer(setup, "hello").single() }.toSet().size)
    }

    @Test
    fun `temperature 0 and a top-k of 1 are the likeliest tokens`() = open(TestModels.endless).use { model ->
        val replies = listOf(Sampling(temperature = 0f), Sampling(temperature = 0f, seed = 9), warm.copy(topK = 1), warm.copy(topP = 0f))
            .map { model.answer(Setup(sampling = it, replyTokens = 20), "hello").single() }
        assertEquals("$replies", 1, replies.toSet().size)
    }

    @Test
    fun `temperature, top-k and top-p all count`() = open(TestModels.endless).use { model ->
        fun differ(sampling: Sampling): Int {
            val setup = Setup(sampling = sampling, replyTokens = 30)
            return List(6) { model.answer(setup, "hello").single() }.toSet().size
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
                model.answer(Setup(sampling = greedy, replyTokens = 20), "hello"), model.answer(Setup(replyTokens = 20), "hello"),
            )
        }
        open(TestModels.loraBase).use { model ->
            val replies = List(20) {
                model.begin(Setup(replyTokens = 20), TestModels.adapterA)
                model.ask("And what of silver and of lead?").first
            }
            assertTrue("$replies", replies.toSet().size > 1)
        }
    }
}
