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
 * Asks the model with what the settings and the library say at that moment; a question that comes before they have been read waits for
 * them. The one way from chat, comparison and benchmark to the host.
 *
 * Main thread only.
 */
class Asking(
    private val host: ModelStore,
    private val settings: Store<SettingsState, SettingsEvent>,
    private val library: Store<LibraryState, LibraryEvent>,
) {
    // Asked, and not answered to the end.
    private val underWay = HashSet<Question>()

    /** Whether anybody waits for a reply. */
    val isBusy: Boolean get() = underWay.isNotEmpty()

    /** Called when the last reply under way has ended, and its end has not led to another question. */
    var onIdle: () -> Unit = {}

    private val known: Boolean get() = settings.state.loaded && library.state.loaded

    /**
     * Makes the request as soon as it can be made, and asks it.
     *
     * @return what stops it; then, too, [listener] hears its end.
     */
    fun ask(listener: ReplyListener, request: (Settings, LibraryState) -> Request): AutoCloseable = Question(listener, request)

    /** Calls [changed] with settings and library as they are, once both have been read, and whenever one of them is another. */
    fun observe(changed: (Settings, LibraryState) -> Unit): AutoCloseable {
        val tell = { if (known) changed(settings.state.settings, library.state) }
        val ofSettings = settings.observe { tell() }
        val ofLibrary = library.observe { tell() }
        return AutoCloseable {
            ofSettings.close()
            ofLibrary.close()
        }
    }

    private inner class Question(
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
            asked = host.ask(request(settings.state.settings, library.state), this)
        }

        override fun ended(text: String, end: ReplyEnd) {
            listener.ended(text, end)
            if (underWay.remove(this) && !isBusy) onIdle()
        }

        override fun close() {
            if (closed) return
            closed = true
            waiting?.close()
            asked?.close() ?: listener.ended("", ReplyEnd.Stopped(null))
        }
    }
}
