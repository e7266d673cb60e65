package io.pocketgemma.chat.models

import android.app.Dialog
import android.content.Context
import android.view.Gravity
import android.view.View
import android.view.ViewGroup
import android.view.accessibility.AccessibilityNodeInfo
import android.widget.RadioButton
import android.widget.TextView
import io.pocketgemma.chat.R
import io.pocketgemma.chat.library.LibraryEvent
import io.pocketgemma.chat.library.LibraryState
import io.pocketgemma.chat.library.ModelEntry
import io.pocketgemma.chat.model.Selection
import io.pocketgemma.chat.settings.SettingsEvent
import io.pocketgemma.chat.settings.SettingsState
import io.pocketgemma.chat.store.Store
import io.pocketgemma.chat.ui.Texts
import io.pocketgemma.chat.ui.inflate
import io.pocketgemma.chat.ui.onClick

/** A bottom sheet for choosing a model. The choice applies to the next question. */
class ModelPicker(
    private val context: Context,
    private val library: Store<LibraryState, LibraryEvent>,
    private val settings: Store<SettingsState, SettingsEvent>,
    private val openModels: () -> Unit,
) {
    private val dialog = Dialog(context, R.style.Theme_Chat_Panel)
    private val texts = Texts(context)
    private var observing: AutoCloseable? = null

    fun show() {
        dialog.setContentView(R.layout.picker)
        dialog.window?.setLayout(ViewGroup.LayoutParams.MATCH_PARENT, ViewGroup.LayoutParams.WRAP_CONTENT)
        dialog.window?.setGravity(Gravity.BOTTOM)
        dialog.findViewById<View>(R.id.picker).onClick(R.id.manage_models) {
            close()
            openModels()
        }
        observing = library.observe(::render)
        dialog.setOnDismissListener { observing?.close() }
        dialog.show()
    }

    fun close() = dialog.dismiss()

    private fun render(library: LibraryState) {
        val list: ViewGroup = dialog.findViewById(R.id.choices)
        val chosen = library.present(settings.state.settings.selection)
        list.removeAllViews()
        for (model in library.models) {
            val adapters = library.adaptersFor(model)
            list.choice(model.name, plainDetail(model, adapters.isNotEmpty()), Selection(model.id), chosen)
            for (adapter in adapters) {
                val detail = context.getString(R.string.picker_adapter, model.name, texts.size(adapter.bytes))
                list.choice(adapter.name, detail, Selection(model.id, adapter.id), chosen)
            }
        }
    }

    private fun plainDetail(model: ModelEntry, hasAdapters: Boolean): String =
        context.getString(if (hasAdapters) R.string.picker_without_adapter else R.string.picker_model, texts.size(model.bytes))

    private fun ViewGroup.choice(name: String, detail: String, selection: Selection, chosen: Selection?) {
        val row = inflate(R.layout.picker_row, this)
        val isChosen = selection == chosen
        row.findViewById<TextView>(R.id.choice_name).text = name
        row.findViewById<TextView>(R.id.choice_detail).text = detail
        row.findViewById<View>(R.id.choice_mark).visibility = if (isChosen) View.VISIBLE else View.INVISIBLE
        row.isActivated = isChosen
        row.accessibilityDelegate = AsRadioButton(isChosen)
        row.setOnClickListener { choose(selection) }
        addView(row)
    }

    private fun choose(selection: Selection) {
        close()
        settings.dispatch(SettingsEvent.Change(settings.state.settings.copy(selection = selection)))
    }

    private class AsRadioButton(private val isChecked: Boolean) : View.AccessibilityDelegate() {
        override fun onInitializeAccessibilityNodeInfo(host: View, info: AccessibilityNodeInfo) {
            super.onInitializeAccessibilityNodeInfo(host, info)
            info.className = RadioButton::class.java.name
            info.isCheckable = true
            info.isChecked = isChecked
        }
    }
}
