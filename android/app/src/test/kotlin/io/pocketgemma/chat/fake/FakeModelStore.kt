package io.pocketgemma.chat.fake

import io.pocketgemma.chat.model.EngineOptions
import io.pocketgemma.chat.model.ModelStore
import io.pocketgemma.chat.model.ReplyEnd
import io.pocketgemma.chat.model.ReplyListener
import io.pocketgemma.chat.model.Request
import io.pocketgemma.chat.model.Selection

/** Records its calls; the test provides the replies. */
class FakeModelStore : ModelStore() {
    class Asked(val request: Request, private val listener: ReplyListener) {
        /** How often it was stopped. */
        var stops = 0

        fun grow(text: String) = listener.onText(text)

        fun end(text: String, end: ReplyEnd = ReplyEnd.Complete(null)) = listener.onEnd(text, end)
    }

    val asked = mutableListOf<Asked>()
    val prepared = mutableListOf<Pair<Selection, EngineOptions>>()

    override fun prepare(selection: Selection, options: EngineOptions) {
        prepared += selection to options
    }

    override fun ask(request: Request, listener: ReplyListener): AutoCloseable {
        val question = Asked(request, listener)
        asked += question
        return AutoCloseable { question.stops++ }
    }

    override fun release() = Unit

    override fun close() = Unit
}
