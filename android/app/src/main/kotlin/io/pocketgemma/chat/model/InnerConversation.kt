package io.pocketgemma.chat.model

import java.io.File

/**
 * The conversation inside the runtime. What it holds need not be read again: a request that goes on from there costs its question only.
 *
 * Worker thread only.
 */
internal class InnerConversation(private val model: LanguageModel) {
    // With the history that the runtime holds; null: in doubt, after a stop or a failure.
    private var held: Setup? = null
    private var heldAdapter: String? = null

    /**
     * Asks, after making the history what the request says.
     *
     * @param adapter finds the file of the request's adapter.
     * @throws ModelException the adapter is not there, or refused by the runtime.
     */
    fun ask(request: Request, adapter: () -> File?, onText: (String) -> Unit): ReplyEnd {
        var setup = if (request.dropOldest) shortened(request) else request.setup
        while (true) {
            val text = StringBuffer()
            val end = askAfter(setup, request, adapter) { piece ->
                text.append(piece)
                onText(piece)
            }
            if (end is ReplyEnd.Complete) {
                held = setup.copy(history = setup.history + Turn(Role.USER, request.question) + Turn(Role.MODEL, text.toString()))
                heldAdapter = request.selection.adapter
            }
            if (end != ReplyEnd.ContextFull || !request.dropOldest || text.isNotEmpty() || setup.history.isEmpty()) return end
            // The file did not say how much fits, or the template takes more than was allowed for.
            setup = setup.copy(history = fromQuestion(setup.history.drop((setup.history.size + 1) / 2)))
        }
    }

    private fun askAfter(setup: Setup, request: Request, adapter: () -> File?, onText: (String) -> Unit): ReplyEnd {
        val goesOn = holds(setup, request.selection.adapter)
        held = null
        if (!goesOn) model.begin(setup, adapter())
        return model.reply(request.question, onText)
    }

    /** Whether a reply after [setup] can go on from what the runtime holds. */
    private fun holds(setup: Setup, adapter: String?): Boolean {
        val held = held ?: return false
        val sampling = setup.sampling
        // With a seed, a reply depends on how many tokens were drawn before: to be the same again, it begins anew.
        val seeded = sampling != null && sampling.seed != 0 && sampling.temperature > 0
        return !seeded && adapter == heldAdapter && setup.copy(history = emptyList()) == held.copy(history = emptyList()) &&
            same(setup.history, held.history)
    }

    /** White space at both ends is no part of what was said: templates remove it. */
    private fun same(turns: List<Turn>, others: List<Turn>): Boolean = turns.size == others.size &&
        turns.zip(others).all { (turn, other) -> turn.role == other.role && turn.text.trim() == other.text.trim() }

    /** The request's setup without the oldest turns that do not fit. */
    private fun shortened(request: Request): Setup {
        val setup = request.setup
        val context = model.contextTokens ?: return setup
        val reply = minOf(setup.replyTokens, context / REPLY_SHARE)
        val room = context - reply - tokens(request.question) - tokens(setup.systemPrompt)
        val lengths = newestThatFit(setup.history, room)
        if (lengths.size == setup.history.size) return setup
        // What was left out before stays out as long as the rest fits: the runtime holds the rest already.
        val rest = held?.history?.size ?: 0
        if (rest in 1..lengths.size) {
            val before = setup.copy(history = setup.history.takeLast(rest))
            if (holds(before, request.selection.adapter)) return before
        }
        // Some room is left for the next questions, or each of them would mean reading almost everything again.
        var length = 0
        val fitting = lengths.takeWhile { tokens ->
            length += tokens
            length <= room * KEPT_SHARE
        }.size
        return setup.copy(history = fromQuestion(setup.history.takeLast(fitting)))
    }

    /** Lengths in tokens of the turns that fit, the newest first; older ones are not even counted. */
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
        /** Tokens of a turn beside its text: markers, role, line breaks. Gemma's templates take six. */
        const val MARKERS = 8

        /** Longest share of the context that is kept free for a reply: one fourth. */
        const val REPLY_SHARE = 4

        /** Share of the room that is filled again when something had to go. */
        const val KEPT_SHARE = 0.75
    }
}
