package io.pocketgemma.chat.model

/** Who answers: a model, alone or with an adapter. Ids are those of the library. */
data class Selection(val model: String, val adapter: String? = null)

/** One question to one model. */
data class Request(
    val selection: Selection,
    val options: EngineOptions,
    val setup: Setup,
    val question: String,
    /** Leave out the oldest turns of the history when all of it does not fit. */
    val dropOldest: Boolean = false,
)

/** Hears a reply, on the main thread. */
interface ReplyListener {
    /** [text] is all of the reply so far; called at most every 50 ms. */
    fun grew(text: String)

    fun ended(text: String, end: ReplyEnd)
}
