package io.pocketgemma.chat.compare

import io.pocketgemma.chat.conversation.ReplyStatus
import io.pocketgemma.chat.inference.InferenceClient
import io.pocketgemma.chat.inference.conversationConfig
import io.pocketgemma.chat.model.ReplyEnd
import io.pocketgemma.chat.model.ReplyListener
import io.pocketgemma.chat.model.Request
import io.pocketgemma.chat.store.Store

/**
 * Before / after: the same question, with the same settings, to two models that receive nothing but this question.
 *
 * Main thread only.
 */
class CompareStore(private val inference: InferenceClient) : Store<CompareState, CompareEvent>(CompareState()) {
    private val underWay = mutableMapOf<Side, AutoCloseable>()

    init {
        inference.observe { settings, library -> dispatch(CompareEvent.Known(library, library.present(settings.selection))) }
    }

    override fun reduce(state: CompareState, event: CompareEvent): CompareState = state.reduce(event)

    override fun act(before: CompareState, after: CompareState, event: CompareEvent) {
        for (side in Side.entries) {
            val answer = after.side(side)
            if (event is CompareEvent.Ask) {
                ask(side, answer, after.question)
            } else if (before.side(side).status == WRITING && (answer.status == null || answer.status == STOPPING)) {
                underWay.remove(side)?.close()
            }
        }
    }

    private fun ask(side: Side, answer: Answer, question: String) {
        val selection = answer.selection ?: return
        underWay[side] = inference.ask(ReplyOf(side, answer.asked)) { settings, _ ->
            Request(selection, settings.options, settings.conversationConfig(), question)
        }
    }

    private inner class ReplyOf(private val side: Side, private val asked: Int) : ReplyListener {
        override fun onText(text: String) = dispatch(CompareEvent.Grew(side, asked, text))

        override fun onEnd(text: String, end: ReplyEnd) = dispatch(CompareEvent.Ended(side, asked, text, end))
    }

    private companion object {
        val WRITING = ReplyStatus.Active()
        val STOPPING = ReplyStatus.Active(stopping = true)
    }
}
