package io.pocketgemma.chat.models

import android.app.AlertDialog
import android.view.LayoutInflater
import android.view.View
import android.view.ViewGroup
import android.widget.TextView
import io.pocketgemma.chat.R
import io.pocketgemma.chat.library.LibraryEvent
import io.pocketgemma.chat.library.LibraryState
import io.pocketgemma.chat.model.ModelState
import io.pocketgemma.chat.model.ModelStore
import io.pocketgemma.chat.model.Selection
import io.pocketgemma.chat.model.retryAfter
import io.pocketgemma.chat.settings.SettingsEvent
import io.pocketgemma.chat.settings.SettingsState
import io.pocketgemma.chat.store.Store
import io.pocketgemma.chat.ui.Page
import io.pocketgemma.chat.ui.Screen
import io.pocketgemma.chat.ui.Shell
import io.pocketgemma.chat.ui.Texts
import io.pocketgemma.chat.ui.Watch
import io.pocketgemma.chat.ui.dismissWith
import io.pocketgemma.chat.ui.header

/** The stores that the models page shows and changes. */
interface ModelsPageStores {
    val model: ModelStore
    val library: Store<LibraryState, LibraryEvent>
    val settings: Store<SettingsState, SettingsEvent>
}

/** Models and adapters: selection, import, and deletion. */
class ModelsPage(parent: ViewGroup, private val stores: ModelsPageStores, private val shell: Shell) : Page {
    override val view: View = LayoutInflater.from(parent.context).inflate(R.layout.models, parent, false)

    private val context = view.context
    private val texts = Texts(context)
    private val watch = Watch()
    private val import = ImportCards(view, stores.library, shell)
    private val list = ModelList(view, ::choose, { selection, problem -> stores.model.retryAfter(problem, selection, stores.settings.state.settings.options) }, ::confirmRemoval)
    private val hint: TextView = view.findViewById(R.id.models_hint)
    private val empty: View = view.findViewById(R.id.models_empty)
    private val total: TextView = view.findViewById(R.id.models_total)
    private var announced: String? = null

    init {
        view.header(Screen.MODELS, shell)
        view.findViewById<View>(R.id.import_file).setOnClickListener { shell.pickFile() }
    }

    override fun show() {
        watch.on(stores.library, ::render)
        watch.on(stores.settings) { renderList() }
        watch.on(stores.model) { renderList() }
        // A file may have been pushed from a computer in the meantime.
        stores.library.dispatch(LibraryEvent.Refresh)
    }

    override fun hide() {
        watch.close()
        announced = null
    }

    private fun render(library: LibraryState) {
        val none = library.loaded && library.models.isEmpty()
        empty.visibility = if (none) View.VISIBLE else View.GONE
        hint.visibility = if (none) View.GONE else View.VISIBLE
        hint.setText(if (library.loaded) R.string.models_intro else R.string.models_looking)
        val bytes = library.models.sumOf { it.bytes } + library.adapters.sumOf { it.bytes }
        total.visibility = if (bytes > 0) View.VISIBLE else View.GONE
        total.text = context.getString(R.string.models_total, texts.size(bytes))
        import.render(library)
        renderList()
        library.imported?.let(::announce)
    }

    private fun renderList() {
        val library = stores.library.state
        val chosen = library.present(stores.settings.state.settings.selection)
        list.render(library, chosen, stores.model.state.about(chosen))
    }

    /** The host's state for another selection does not apply to this one. */
    private fun ModelState.about(chosen: Selection?): ModelState = when (this) {
        is ModelState.Ready -> takeIf { selection.model == chosen?.model } ?: ModelState.Asleep
        is ModelState.Failed -> takeIf { selection == chosen } ?: ModelState.Asleep
        else -> this
    }

    private fun choose(selection: Selection) {
        val settings = stores.settings.state.settings
        stores.settings.dispatch(SettingsEvent.Change(settings.copy(selection = selection)))
    }

    /** Reports once that a file was imported, and offers to use it. */
    private fun announce(id: String) {
        if (id == announced) return
        announced = id
        val library = stores.library.state
        val name = library.model(id)?.name ?: library.adapter(id)?.name ?: return
        val usable = selectionOf(id)
        val noted = { stores.library.dispatch(LibraryEvent.Noted) }
        if (usable == null) {
            shell.notice(context.getString(R.string.imported_orphan, name), gone = noted)
        } else {
            shell.notice(context.getString(R.string.imported, name), context.getString(R.string.imported_use), noted) {
                noted()
                choose(usable)
            }
        }
    }

    /** How to use a file: a model by itself; an adapter with the model in use if compatible, otherwise with the first compatible one. */
    private fun selectionOf(id: String): Selection? {
        val library = stores.library.state
        if (library.model(id) != null) return Selection(id)
        val adapter = library.adapter(id) ?: return null
        val fitting = library.models.filter(adapter::fits)
        val inUse = library.present(stores.settings.state.settings.selection)?.model
        val model = fitting.find { it.id == inUse } ?: fitting.firstOrNull() ?: return null
        return Selection(model.id, id)
    }

    private fun confirmRemoval(id: String) {
        val library = stores.library.state
        val name = library.model(id)?.name ?: library.adapter(id)?.name ?: return
        val bytes = library.model(id)?.bytes ?: library.adapter(id)?.bytes ?: return
        val chosen = library.present(stores.settings.state.settings.selection)
        val inUse = chosen?.model == id || chosen?.adapter == id
        AlertDialog.Builder(context)
            .setTitle(context.getString(R.string.remove_title, name))
            .setMessage(context.getString(if (inUse) R.string.remove_text_in_use else R.string.remove_text, texts.size(bytes)))
            .setNegativeButton(R.string.remove_keep, null)
            .setPositiveButton(R.string.remove_confirm) { _, _ -> stores.library.dispatch(LibraryEvent.Remove(id)) }
            .show().dismissWith(context)
    }
}
