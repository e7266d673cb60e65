package io.pocketgemma.chat.model

import java.io.Closeable

/** Who said something. The names are those of the runtime's message JSON. */
enum class Role { USER, MODEL }

/** One finished turn of a conversation. */
data class Turn(val role: Role, val text: String)

/** How fast the last reply came, as the runtime measured it. */
data class Speed(val secondsToFirstToken: Double, val tokens: Int, val tokensPerSecond: Double)

/** How a reply ended. */
sealed interface ReplyEnd {
    data class Complete(val speed: Speed?) : ReplyEnd

    data class Stopped(val speed: Speed?) : ReplyEnd

    /** What was said so far and the question do not fit into the model's context together. */
    data object ContextFull : ReplyEnd

    /** [detail] is the runtime's own message, for a developer's eyes. */
    data class Failed(val detail: String) : ReplyEnd
}

/** The seam around the model: what the chat needs of it, and what a test's fake has to do. */
interface LanguageModel : Closeable {
    /** Starts a conversation in which [history] has already been said. Ends the one before. Worker thread only. */
    fun begin(history: List<Turn>)

    /** Asks, hands each piece of the reply to [onText] (on any thread), and returns when the reply has ended. Worker thread only. */
    fun reply(question: String, onText: (String) -> Unit): ReplyEnd

    /** Ends a reply that is under way; does nothing otherwise. Any thread. */
    fun cancel()
}
