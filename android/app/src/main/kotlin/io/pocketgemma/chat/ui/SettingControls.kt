package io.pocketgemma.chat.ui

import android.os.Build
import android.text.InputFilter
import android.view.LayoutInflater
import android.view.View
import android.view.ViewGroup
import android.widget.EditText
import android.widget.SeekBar
import android.widget.Switch
import android.widget.TextView
import io.pocketgemma.chat.R
import io.pocketgemma.chat.settings.Settings
import kotlin.math.abs

/** One setting on its page: shows its value, and reports when the person changes it. */
interface SettingControl {
    val view: View

    fun render(settings: Settings)
}

/** What a setting is called, and what it means to somebody who has never heard of it. */
class Wording(val id: Int, val title: Int, val meaning: Int)

/** A slider over [steps]; a stored value between two of them stays what it is until the person moves the slider. */
class SliderSetting(
    parent: ViewGroup,
    wording: Wording,
    private val steps: List<Double>,
    private val words: (Double) -> String,
    private val read: (Settings) -> Double,
    change: (Double) -> Unit,
) : SettingControl {
    override val view: View = LayoutInflater.from(parent.context).inflate(R.layout.setting_slider, parent, false)
    private val value: TextView = view.findViewById(R.id.setting_value)
    private val slider: SeekBar = view.findViewById(R.id.setting_slider)
    private val title: CharSequence = parent.context.getString(wording.title)
    private var rendering = false

    init {
        label(view, wording)
        slider.id = wording.id
        slider.max = steps.lastIndex
        // One step with an arrow key; the default is a twentieth of the whole.
        slider.keyProgressIncrement = 1
        slider.isSaveEnabled = false
        view.findViewById<TextView>(R.id.setting_title).labelFor = wording.id
        slider.setOnSeekBarChangeListener(object : SeekBar.OnSeekBarChangeListener {
            override fun onProgressChanged(bar: SeekBar, progress: Int, fromUser: Boolean) {
                if (!rendering) change(steps[progress])
            }

            override fun onStartTrackingTouch(bar: SeekBar) = Unit

            override fun onStopTrackingTouch(bar: SeekBar) = Unit
        })
        parent.addView(view)
    }

    override fun render(settings: Settings) {
        val now = read(settings)
        val said = words(now)
        value.text = said
        rendering = true
        slider.progress = steps.indices.minBy { abs(steps[it] - now) }
        rendering = false
        // TalkBack would otherwise read how many percent of the way the slider stands.
        if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.R) {
            slider.contentDescription = title
            slider.stateDescription = said
        } else {
            slider.contentDescription = view.context.getString(R.string.setting_value, title, said)
        }
    }
}

class SwitchSetting(
    parent: ViewGroup,
    wording: Wording,
    private val read: (Settings) -> Boolean,
    change: (Boolean) -> Unit,
) : SettingControl {
    override val view: View = LayoutInflater.from(parent.context).inflate(R.layout.setting_switch, parent, false)

    @Suppress("UseSwitchCompatOrMaterialCode") // There is no AppCompat here.
    private val switch: Switch = view.findViewById(R.id.setting_switch)
    private var rendering = false

    init {
        switch.id = wording.id
        switch.setText(wording.title)
        switch.isSaveEnabled = false
        view.findViewById<TextView>(R.id.setting_meaning).setText(wording.meaning)
        switch.setOnCheckedChangeListener { _, on -> if (!rendering) change(on) }
        parent.addView(view)
    }

    override fun render(settings: Settings) {
        rendering = true
        switch.isChecked = read(settings)
        rendering = false
    }
}

/** Something to write; every letter is reported. */
class FieldSetting(
    parent: ViewGroup,
    wording: Wording,
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
        label(view, wording)
        field.id = wording.id
        field.inputType = inputType
        field.filters = arrayOf(InputFilter.LengthFilter(longest))
        field.setHint(hint)
        field.isSaveEnabled = false
        view.findViewById<TextView>(R.id.setting_title).labelFor = wording.id
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

private fun label(view: View, wording: Wording) {
    view.findViewById<TextView>(R.id.setting_title).setText(wording.title)
    view.findViewById<TextView>(R.id.setting_meaning).setText(wording.meaning)
}
