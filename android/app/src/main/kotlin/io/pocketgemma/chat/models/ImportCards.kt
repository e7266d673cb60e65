package io.pocketgemma.chat.models

import android.view.View
import android.widget.ProgressBar
import android.widget.TextView
import io.pocketgemma.chat.R
import io.pocketgemma.chat.library.Import
import io.pocketgemma.chat.library.LibraryEvent
import io.pocketgemma.chat.library.LibraryState
import io.pocketgemma.chat.store.Store
import io.pocketgemma.chat.ui.ProblemTexts
import io.pocketgemma.chat.ui.Shell
import io.pocketgemma.chat.ui.Texts
import kotlin.math.roundToInt

/** A running import, and why the last one was refused. */
class ImportCards(page: View, private val library: Store<LibraryState, LibraryEvent>, shell: Shell) {
    private val context = page.context
    private val texts = Texts(context)
    private val problems = ProblemTexts(context)
    private val running: View = page.findViewById(R.id.import_running)
    private val name: TextView = page.findViewById(R.id.import_name)
    private val bar: ProgressBar = page.findViewById(R.id.import_progress)
    private val share: TextView = page.findViewById(R.id.import_share)
    private val refused: View = page.findViewById(R.id.import_refused)
    private val refusedTitle: TextView = page.findViewById(R.id.refused_title)
    private val refusedText: TextView = page.findViewById(R.id.refused_text)
    private val start: View = page.findViewById(R.id.import_file)

    init {
        page.findViewById<View>(R.id.cancel_import).setOnClickListener { library.dispatch(LibraryEvent.CancelImport) }
        page.findViewById<View>(R.id.refused_close).setOnClickListener { library.dispatch(LibraryEvent.Noted) }
        page.findViewById<View>(R.id.refused_again).setOnClickListener {
            library.dispatch(LibraryEvent.Noted)
            shell.pickFile()
        }
    }

    fun render(state: LibraryState) {
        running.visibility = if (state.importing != null) View.VISIBLE else View.GONE
        start.isEnabled = state.importing == null
        start.alpha = if (start.isEnabled) 1f else FADED
        state.importing?.let(::renderProgress)
        refused.visibility = if (state.refused != null) View.VISIBLE else View.GONE
        state.refused?.let {
            refusedTitle.text = context.getString(R.string.refused_title, it.name)
            refusedText.text = problems.whyRefused(it.problem)
        }
    }

    private fun renderProgress(import: Import) {
        // Its name is known only after the first response of the other app.
        name.text =
            if (import.name.isEmpty()) context.getString(R.string.importing_unnamed) else context.getString(R.string.importing, import.name)
        bar.isIndeterminate = import.share == null
        bar.progress = ((import.share ?: 0.0) * bar.max).roundToInt()
        share.text = import.share?.let { texts.percent(it, 0) } ?: context.getString(R.string.import_share_unknown)
    }

    private companion object {
        const val FADED = 0.4f
    }
}
