package io.pocketgemma.chat.model

import java.io.File

/**
 * The conversation inside the runtime. Its content need not be processed again: a request that continues it costs only its question.
 *
 * Worker thread only.
 */
internal class RuntimeConversation(private val model: LanguageModel) {
    // With the history that the runtime has; null: unknown, after a stop or an error.
    private var held: ConversationConfig? = null
    private var heldAdapter: String? = null

    /**
     * Sends a question, after making the runtime's history match the request.
     *
     * @param adapter returns the file of the request's adapter.
     * @throws ModelException the adapter does not exist, or the runtime refuses it.
     */
    fun ask(request: Request, adapter: () -> File?, onText: (String) -> Unit): ReplyEnd {
        var config = if (request.dropOldest) shortened(request) else request.config
        while (true) {
            val text = StringBuffer()
            val end = askAfter(config, request, adapter) { piece ->
                text.append(piece)
                onText(piece)
            }
            if (end is ReplyEnd.Complete) {
                held = config.copy(history = config.history + Turn(Role.USER, request.question) + Turn(Role.MODEL, text.toString()))
                heldAdapter = request.selection.adapter
            }
            if (end != ReplyEnd.ContextFull || !request.dropOldest || text.isNotEmpty() || config.history.isEmpty()) return end
            // The file does not record the context length, or the template needs more tokens than estimated.
            config = config.copy(history = fromQuestion(config.history.drop((config.history.size + 1) / 2)))
        }
    }

    private fun askAfter(config: ConversationConfig, request: Request, adapter: () -> File?, onText: (String) -> Unit): ReplyEnd {
        val goesOn = holds(config, request.selection.adapter)
        held = null
        if (!goesOn) model.begin(config, adapter())
        return model.reply(request.question, onText)
    }

    /** Whether a reply after [config] can continue the runtime's conversation. */
    private fun holds(config: ConversationConfig, adapter: String?): Boolean {
        val held = held ?: return false
        val sampling = config.sampling
        // With a seed, a reply depends on the number of tokens sampled before; to be reproducible, it needs a new conversation.
        val seeded = sampling != null && sampling.seed != 0 && sampling.temperature > 0
        return !seeded && adapter == heldAdapter && config.copy(history = emptyList()) == held.copy(history = emptyList()) &&
            same(config.history, held.history)
    }

    /** Leading and trailing white space is not significant: templates remove it. */
    private fun same(turns: List<Turn>, others: List<Turn>): Boolean = turns.size == others.size &&
        turns.zip(others).all { (turn, other) -> turn.role == other.role && turn.text.trim() == other.text.trim() }

    /** The request's setup without the oldest turns that do not fit. */
    private fun shortened(request: Request): ConversationConfig {
        val config = request.config
        val context = model.contextTokens ?: return config
        val reply = minOf(config.replyTokens, context / REPLY_SHARE)
        val room = context - reply - tokens(request.question) - tokens(config.systemPrompt)
        val lengths = newestThatFit(config.history, room)
        if (lengths.size == config.history.size) return config
        // Turns that were left out stay out as long as the rest fits: the runtime already has the rest.
        val rest = held?.history?.size ?: 0
        if (rest in 1..lengths.size) {
            val before = config.copy(history = config.history.takeLast(rest))
            if (holds(before, request.selection.adapter)) return before
        }
        // Leaves some room for the next questions; otherwise each of them would require processing almost everything again.
        var length = 0
        val fitting = lengths.takeWhile { tokens ->
            length += tokens
            length <= room * KEPT_SHARE
        }.size
        return config.copy(history = fromQuestion(config.history.takeLast(fitting)))
    }

    /** Token counts of the turns that fit, newest first; older ones are not counted at all. */
    private fun newestThatFit(turns: List<Turn>, room: Int): List<Int> {
        var length = 0
        val lengths = mutableListOf<Int>()
        for (turn in turns.asReversed()) {
            val tokens = tokens(turn.text)
            length += tokens
            if (length > room) break
            lengths += tokens
        }
        return lengths
    }

    private fun fromQuestion(turns: List<Turn>): List<Turn> = turns.dropWhile { it.role != Role.USER }

    private fun tokens(text: String): Int = if (text.isEmpty()) 0 else model.countTokens(text) + MARKERS

    private companion object {
        /** Tokens of a turn in addition to its text: markers, role, line breaks. Gemma's templates need six. */
        const val MARKERS = 8

        /** Maximum share of the context that is reserved for a reply: a quarter. */
        const val REPLY_SHARE = 4

        /** Share of the room that is filled again after turns were dropped. */
        const val KEPT_SHARE = 0.75
    }
}
