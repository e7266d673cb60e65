package io.pocketgemma.chat.chat

import android.view.View
import android.view.ViewGroup
import android.widget.LinearLayout
import android.widget.ScrollView
import io.pocketgemma.chat.R
import io.pocketgemma.chat.conversation.ScrollPosition
import io.pocketgemma.chat.history.HistoryEvent
import io.pocketgemma.chat.history.HistoryState
import io.pocketgemma.chat.inference.activeSelection
import io.pocketgemma.chat.inference.remembersConversation
import io.pocketgemma.chat.library.LibraryEvent
import io.pocketgemma.chat.library.LibraryState
import io.pocketgemma.chat.model.ModelState
import io.pocketgemma.chat.model.ModelStore
import io.pocketgemma.chat.model.Selection
import io.pocketgemma.chat.models.ModelPicker
import io.pocketgemma.chat.settings.SettingsEvent
import io.pocketgemma.chat.settings.SettingsState
import io.pocketgemma.chat.store.Store
import io.pocketgemma.chat.ui.Page
import io.pocketgemma.chat.ui.Shell
import io.pocketgemma.chat.ui.Watch
import io.pocketgemma.chat.ui.inflate
import io.pocketgemma.chat.ui.showIf
import kotlin.math.roundToInt

/** The stores that the chat page shows and changes. */
interface ChatPageStores {
    val model: ModelStore
    val library: Store<LibraryState, LibraryEvent>
    val settings: Store<SettingsState, SettingsEvent>
    val history: Store<HistoryState, HistoryEvent>
    val chat: Store<ChatState, ChatEvent>
}

/** The conversation: header, messages, and composer. */
class ChatPage(parent: ViewGroup, private val stores: ChatPageStores, shell: Shell) : Page {
    override val view: View = inflate(R.layout.chat, parent)
    private val texts = ChatTexts(parent.context)
    private val header = ChatHeader(view, texts, ChatMenu(stores, shell)::open, ::openPicker, stores, shell)
    private val samples = SampleQuestions(view) { stores.chat.dispatch(ChatEvent.Ask(it)) }
    private val composer = Composer(view, stores.chat::dispatch)
    private val actions = ChatActions(stores, shell, parent.context, ::renderMessages)
    private val scroll: ScrollView = view.findViewById(R.id.message_scroll)
    private val list: LinearLayout = view.findViewById(R.id.messages)
    private val messages = MessageList(scroll, list, { rowView(it, list, texts, actions) }, ::scrolled)
    private val empty = EmptyChat(view)
    private val jump: View = view.findViewById(R.id.jump_to_end)
    private val reporting = Runnable { reportPlace() }
    private val watch = Watch()
    private var picker: ModelPicker? = null
    private var hasMoved = false

    /** The conversation whose messages are shown; null before one was loaded. */
    private var shown: Long? = null

    init {
        jump.setOnClickListener { messages.goToEnd() }
    }

    override fun show() {
        watch.on(stores.model) { render() }
        watch.on(stores.library) { render() }
        watch.on(stores.settings) { render() }
        watch.on(stores.chat) { render() }
    }

    override fun hide() {
        watch.close()
        picker?.close()
        // A list that was never laid out has no scroll position and must keep the restored one.
        if (hasMoved) reportPlace()
    }

    /** Editing a question is not a page: the back gesture leaves the app, but Escape ends the editing. */
    override fun back(): Boolean {
        if (!stores.chat.state.editing) return false
        stores.chat.dispatch(ChatEvent.CancelEdit)
        return true
    }

    private fun render() {
        val chat = stores.chat.state
        val library = stores.library.state
        val selection = library.present(stores.settings.state.settings.selection)
        val problem = problem(stores.model.state, library, selection)
        header.render(chat, stores.model.state, library, selection)
        composer.render(chat, canAsk = problem == null)
        samples.render(chat, library.sampleQuestions, canAsk = chat.canAsk && problem == null)
        empty.render(library.model(selection?.model)?.manifest)
        renderMessages()
    }

    private fun problem(model: ModelState, library: LibraryState, selection: Selection?): Row.Problem? = when {
        !library.loaded -> null
        selection == null -> Row.Problem(null)
        model is ModelState.Failed && model.selection == selection -> Row.Problem(model.problem)
        else -> null
    }

    private fun renderMessages() {
        val chat = stores.chat.state
        val settings = stores.settings.state.settings
        val library = stores.library.state
        val options = RowOptions(
            showsAllMetrics = settings.showMetrics,
            metricsOf = actions.metricsOf,
            summaryIsOpen = actions.summaryIsOpen,
            problem = problem(stores.model.state, library, library.present(settings.selection)),
            remembersChat = library.remembersConversation(library.activeSelection(settings)),
            hasInstruction = settings.systemPrompt.isNotBlank(),
        )
        val rows = rowsOf(chat, options)
        val isOther = chat.loaded && chat.conversation != shown
        messages.render(rows, isOther, chat.scroll?.takeIf { isOther }?.let { placeOf(it, rows) })
        if (chat.loaded) shown = chat.conversation
        scroll.showIf(rows.isNotEmpty())
        empty.view.showIf(chat.loaded && rows.isEmpty())
    }

    private fun scrolled() {
        hasMoved = true
        jump.showIf(!messages.followsEnd && messages.beyond > scroll.height / 2)
        scroll.removeCallbacks(reporting)
        scroll.postDelayed(reporting, REST_MILLIS)
    }

    private fun reportPlace() {
        hasMoved = false
        scroll.removeCallbacks(reporting)
        val first = firstMessage(stores.chat.state.summary)
        val place = if (messages.followsEnd) null else messages.placeNow(atLeast = first).let { ScrollPosition(it.row - first, toDp(it.offset)) }
        if (shown == stores.chat.state.conversation) stores.chat.dispatch(ChatEvent.Scrolled(place))
    }

    /** Null (the end) if the message no longer exists. */
    private fun placeOf(place: ScrollPosition, rows: List<Row>): MessageList.Place? {
        val row = place.message + firstMessage(stores.chat.state.summary)
        return if (row in rows.indices) MessageList.Place(row, (place.offsetDp * density).roundToInt()) else null
    }

    private fun firstMessage(summary: String) = if (summary.isEmpty()) 0 else 1

    private fun toDp(pixels: Int) = (pixels / density).roundToInt()

    private val density: Float get() = view.resources.displayMetrics.density

    private fun openPicker() {
        picker?.close()
        picker = ModelPicker(view.context, stores.library, stores.settings) { actions.openModels() }.apply { show() }
    }

    private companion object {
        /** Time without movement after which the scroll position counts as final. */
        const val REST_MILLIS = 300L
    }
}
