package io.pocketgemma.chat.model

/** The selected model, alone or with an adapter, as ids of the library. */
data class Selection(val model: String, val adapter: String? = null)

/** One question to one model. */
data class Request(
    val selection: Selection,
    val options: EngineOptions,
    val config: ConversationConfig,
    val question: String,
    /** Drop the oldest turns of the history if it does not fit completely. */
    val dropOldest: Boolean = false,
)

/** Receives a reply, on the main thread. */
interface ReplyListener {
    /** [text] is the whole reply so far; called at most every 50 ms. */
    fun onText(text: String)

    fun onEnd(text: String, end: ReplyEnd)
}
