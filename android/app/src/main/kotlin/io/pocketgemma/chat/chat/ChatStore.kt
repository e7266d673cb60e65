package io.pocketgemma.chat.chat

import io.pocketgemma.chat.model.LanguageModel
import io.pocketgemma.chat.model.ModelException
import io.pocketgemma.chat.model.ModelManifest
import io.pocketgemma.chat.model.ModelProblem
import io.pocketgemma.chat.model.ReplyEnd
import io.pocketgemma.chat.model.Role
import io.pocketgemma.chat.model.Turn
import java.util.concurrent.Executor

/** Runs things on the thread that owns the screen. */
interface MainThread {
    fun post(delayMillis: Long = 0, task: () -> Unit)
}

/** Where the model comes from. Worker thread only. */
interface ModelSource {
    fun manifest(): ModelManifest

    fun sampleQuestions(): List<String>

    /** @throws ModelException there is no usable model. */
    fun load(manifest: ModelManifest, onProgress: (Double) -> Unit): LanguageModel
}

/**
 * Holds the state of the chat and does what events ask for. Outlives the activity, so that turning the phone loses nothing.
 *
 * Events come in by [dispatch] and state goes out to the observer, both on the main thread; the model works on [worker], one task
 * after another.
 */
class ChatStore(private val source: ModelSource, private val worker: Executor, private val main: MainThread) {
    var state = ChatState()
        private set

    /** Hears every new state, and the present one at once. One screen at a time. */
    var observer: ((ChatState) -> Unit)? = null
        set(value) {
            field = value
            value?.invoke(state)
        }

    // Touched by the worker alone, but for cancel(), which any thread may call.
    @Volatile private var model: LanguageModel? = null

    // The conversation inside the model holds exactly these turns; null: it must be begun anew. Worker only.
    private var conversation: List<Turn>? = null

    // The reply that shall go on; a reply with another id has been stopped or abandoned.
    @Volatile private var wantedReply: Long? = null

    init {
        load()
    }

    fun dispatch(event: ChatEvent) {
        val before = state
        val changed = before.after(event)
        if (changed == before) return
        state = changed
        observer?.invoke(changed)
        when (event) {
            is ChatEvent.Ask -> reply(before.history, changed.messages.dropLast(1).last().text, changed.messages.last().id)
            ChatEvent.Stop, ChatEvent.NewChat -> stop()
            ChatEvent.LoadAgain -> load()
            else -> Unit
        }
    }

    /** Frees the model. The store is of no use afterwards. */
    fun close() {
        observer = null
        stop()
        worker.execute {
            model?.close()
            model = null
        }
    }

    private fun load() = worker.execute {
        val result = try {
            val manifest = source.manifest()
            send(ChatEvent.ModelKnown(manifest, source.sampleQuestions()))
            var shown = 0.0
            model = source.load(manifest) { share ->
                if (share - shown >= PROGRESS_STEP || share >= 1) {
                    shown = share
                    send(ChatEvent.ModelProgress(share))
                }
            }
            ChatEvent.ModelReady
        } catch (error: ModelException) {
            ChatEvent.ModelFailed(error.problem)
        } catch (error: Throwable) {
            // A library that does not load is an Error, not an Exception; the person still gets a sentence.
            ChatEvent.ModelFailed(ModelProblem.Unusable(error.toString()))
        }
        send(result)
    }

    private fun reply(history: List<Turn>, question: String, id: Long) {
        wantedReply = id
        val turns = if (state.manifest?.remembersConversation == false) emptyList() else history
        worker.execute {
            val text = GatheredText(id)
            val end = try {
                answer(turns, question, id, text)
            } catch (error: RuntimeException) {
                ReplyEnd.Failed(error.toString())
            }
            send(ChatEvent.ReplyEnded(id, text.all(), end))
        }
    }

    private fun answer(turns: List<Turn>, question: String, id: Long, text: GatheredText): ReplyEnd {
        val model = model ?: return ReplyEnd.Failed("no model")
        if (wantedReply != id) return ReplyEnd.Stopped(null)
        if (conversation != turns) model.begin(turns)
        conversation = null
        val end = model.reply(question) { piece ->
            text.add(piece)
            // Stop may have been pressed before the runtime had anything to cancel.
            if (wantedReply != id) model.cancel()
        }
        // After a stop or a failure the runtime's memory of the turn is in doubt: the next question begins anew.
        if (end is ReplyEnd.Complete) conversation = turns + Turn(Role.USER, question) + Turn(Role.MODEL, text.all())
        return end
    }

    private fun stop() {
        wantedReply = null
        model?.cancel()
    }

    private fun send(event: ChatEvent) = main.post { dispatch(event) }

    /** Collects the pieces of a reply; the screen hears of them at most once in [UPDATE_MILLIS], however fast the model is. */
    private inner class GatheredText(private val id: Long) {
        private val text = StringBuilder()
        private var announced = false

        @Synchronized fun all(): String = text.toString()

        @Synchronized fun add(piece: String) {
            text.append(piece)
            if (announced) return
            announced = true
            main.post(UPDATE_MILLIS) { dispatch(ChatEvent.ReplyGrew(id, take())) }
        }

        @Synchronized private fun take(): String {
            announced = false
            return text.toString()
        }
    }

    private companion object {
        const val UPDATE_MILLIS = 50L
        const val PROGRESS_STEP = 0.01
    }
}
