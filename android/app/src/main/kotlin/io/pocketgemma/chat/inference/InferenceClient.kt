package io.pocketgemma.chat.inference

import io.pocketgemma.chat.library.LibraryEvent
import io.pocketgemma.chat.library.LibraryState
import io.pocketgemma.chat.model.ModelStore
import io.pocketgemma.chat.model.ReplyEnd
import io.pocketgemma.chat.model.ReplyListener
import io.pocketgemma.chat.model.Request
import io.pocketgemma.chat.settings.Settings
import io.pocketgemma.chat.settings.SettingsEvent
import io.pocketgemma.chat.settings.SettingsState
import io.pocketgemma.chat.store.Store

/**
 * Sends questions to the model with the current settings and library; a question that arrives before they are loaded waits for them. Chat,
 * comparison, and benchmark use only this class to reach the model.
 *
 * Main thread only.
 */
class InferenceClient(
    private val model: ModelStore,
    private val settings: Store<SettingsState, SettingsEvent>,
    private val library: Store<LibraryState, LibraryEvent>,
) {
    // Asked, but not completely answered.
    private val underWay = HashSet<PendingRequest>()

    /** Whether a reply is in progress. */
    val isBusy: Boolean get() = underWay.isNotEmpty()

    /** Called when the last reply in progress has ended without leading to another question. */
    var onIdle: () -> Unit = {}

    private val known: Boolean get() = settings.state.loaded && library.state.loaded

    /**
     * Creates the request as soon as possible, and sends it.
     *
     * @return stops the request; [listener] then still receives the end.
     */
    fun ask(listener: ReplyListener, request: (Settings, LibraryState) -> Request): AutoCloseable = PendingRequest(listener, request)

    /** Calls [changed] with the current settings and library once both are loaded, and whenever one of them changes. */
    fun observe(changed: (Settings, LibraryState) -> Unit): AutoCloseable {
        val tell = { if (known) changed(settings.state.settings, library.state) }
        val ofSettings = settings.observe { tell() }
        val ofLibrary = library.observe { tell() }
        return AutoCloseable {
            ofSettings.close()
            ofLibrary.close()
        }
    }

    private inner class PendingRequest(
        private val listener: ReplyListener,
        private val request: (Settings, LibraryState) -> Request,
    ) : ReplyListener by listener, AutoCloseable {
        private var waiting: AutoCloseable? = null
        private var asked: AutoCloseable? = null
        private var closed = false

        init {
            if (known) ask() else waiting = observe { _, _ -> ask() }
        }

        private fun ask() {
            waiting?.close()
            underWay += this
            asked = model.ask(request(settings.state.settings, library.state), this)
        }

        override fun onEnd(text: String, end: ReplyEnd) {
            listener.onEnd(text, end)
            if (underWay.remove(this) && !isBusy) onIdle()
        }

        override fun close() {
            if (closed) return
            closed = true
            waiting?.close()
            asked?.close() ?: listener.onEnd("", ReplyEnd.Stopped(null))
        }
    }
}
