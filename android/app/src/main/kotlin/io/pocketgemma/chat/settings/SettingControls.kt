package io.pocketgemma.chat.settings

import android.text.InputFilter
import android.view.LayoutInflater
import android.view.View
import android.view.ViewGroup
import android.widget.EditText
import android.widget.Switch
import android.widget.TextView
import io.pocketgemma.chat.R
import io.pocketgemma.chat.ui.AfterTextChanged
import io.pocketgemma.chat.ui.SettingLabels
import io.pocketgemma.chat.ui.StepSlider

/** One setting on its page: shows its value, and reports the user's changes. */
interface SettingControl {
    val view: View

    fun render(settings: Settings)
}

class SliderSetting(
    parent: ViewGroup,
    labels: SettingLabels,
    steps: List<Double>,
    words: (Double) -> String,
    private val read: (Settings) -> Double,
    change: (Double) -> Unit,
) : SettingControl {
    private val slider = StepSlider(parent, labels, steps, words, change)
    override val view: View get() = slider.view

    override fun render(settings: Settings) = slider.show(read(settings))
}

class SwitchSetting(
    parent: ViewGroup,
    labels: SettingLabels,
    private val read: (Settings) -> Boolean,
    change: (Boolean) -> Unit,
) : SettingControl {
    override val view: View = LayoutInflater.from(parent.context).inflate(R.layout.setting_switch, parent, false)

    @Suppress("UseSwitchCompatOrMaterialCode") // The app does not use AppCompat.
    private val switch: Switch = view.findViewById(R.id.setting_switch)
    private var rendering = false

    init {
        switch.id = labels.id
        switch.setText(labels.title)
        switch.isSaveEnabled = false
        view.findViewById<TextView>(R.id.setting_meaning).setText(labels.meaning)
        switch.setOnCheckedChangeListener { _, on -> if (!rendering) change(on) }
        parent.addView(view)
    }

    override fun render(settings: Settings) {
        rendering = true
        switch.isChecked = read(settings)
        rendering = false
    }
}

/** A text field; every change is reported. */
class FieldSetting(
    parent: ViewGroup,
    labels: SettingLabels,
    hint: Int,
    inputType: Int,
    longest: Int,
    private val read: (Settings) -> String,
    change: (String) -> Unit,
) : SettingControl {
    override val view: View = LayoutInflater.from(parent.context).inflate(R.layout.setting_field, parent, false)
    private val field: EditText = view.findViewById(R.id.setting_field)
    private var rendering = false

    init {
        labels.fill(view)
        field.id = labels.id
        field.inputType = inputType
        field.filters = arrayOf(InputFilter.LengthFilter(longest))
        field.setHint(hint)
        field.isSaveEnabled = false
        field.addTextChangedListener(AfterTextChanged { if (!rendering) change(field.text.toString()) })
        parent.addView(view)
    }

    override fun render(settings: Settings) {
        val now = read(settings)
        if (field.text.toString() == now) return
        rendering = true
        field.setText(now)
        field.setSelection(field.text.length)
        rendering = false
    }
}
