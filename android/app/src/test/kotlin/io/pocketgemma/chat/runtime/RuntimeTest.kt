package io.pocketgemma.chat.runtime

import io.pocketgemma.chat.model.EngineOptions
import io.pocketgemma.chat.model.ReplyEnd
import io.pocketgemma.chat.model.Sampling
import java.io.File
import org.junit.Before
import org.junit.Rule
import org.junit.rules.TemporaryFolder

/** Shared by the tests of the runtime interface, with the real library. */
abstract class RuntimeTest {
    @get:Rule
    val folder = TemporaryFolder()

    protected val cache: File get() = File(folder.root, "cache")

    /** Greedy. */
    protected val greedy = Sampling(temperature = 0f)

    @Before
    fun quiet() = LiteRtLm.setLogLevel(LiteRtLm.LOG_NOTHING)

    protected fun open(model: File, options: EngineOptions = EngineOptions(threads = 2)) = LiteRtLm(model, cache, options)

    protected fun LiteRtLm.ask(question: String): Pair<String, ReplyEnd> {
        val text = StringBuffer()
        val end = reply(question) { text.append(it) }
        return text.toString().trim() to end
    }

    protected companion object {
        /** Less than what would be lost if a conversation or an adapter of each turn were kept by mistake. */
        const val SMALL_BYTES = 8L shl 20
    }
}
