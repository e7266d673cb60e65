package io.pocketgemma.chat.ui

import android.os.Build
import android.view.LayoutInflater
import android.view.View
import android.view.ViewGroup
import android.widget.SeekBar
import android.widget.TextView
import io.pocketgemma.chat.R
import kotlin.math.abs

/** A slider over [steps] with a label, an explanation, and its value as text. A value between two steps stays until the slider is moved. */
class StepSlider(
    parent: ViewGroup,
    labels: SettingLabels,
    private val steps: List<Double>,
    private val words: (Double) -> String,
    change: (Double) -> Unit,
) {
    val view: View = LayoutInflater.from(parent.context).inflate(R.layout.setting_slider, parent, false)
    private val value: TextView = view.findViewById(R.id.setting_value)
    private val slider: SeekBar = view.findViewById(R.id.setting_slider)
    private val title: CharSequence = parent.context.getString(labels.title)
    private var rendering = false

    var isEnabled: Boolean
        get() = slider.isEnabled
        set(enabled) {
            slider.isEnabled = enabled
        }

    init {
        labels.fill(view)
        slider.id = labels.id
        slider.max = steps.lastIndex
        // An arrow key moves one step; the default is a twentieth of the range.
        slider.keyProgressIncrement = 1
        slider.isSaveEnabled = false
        slider.setOnSeekBarChangeListener(object : SeekBar.OnSeekBarChangeListener {
            override fun onProgressChanged(bar: SeekBar, progress: Int, fromUser: Boolean) {
                if (!rendering) change(steps[progress])
            }

            override fun onStartTrackingTouch(bar: SeekBar) = Unit

            override fun onStopTrackingTouch(bar: SeekBar) = Unit
        })
        parent.addView(view)
    }

    fun show(now: Double) {
        val said = words(now)
        value.text = said
        rendering = true
        slider.progress = steps.indices.minBy { abs(steps[it] - now) }
        rendering = false
        // Otherwise, TalkBack reads the slider's position in percent.
        if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.R) {
            slider.contentDescription = title
            slider.stateDescription = said
        } else {
            slider.contentDescription = view.context.getString(R.string.setting_value, title, said)
        }
    }
}

/** A setting's label, and an explanation for users who don't know it. */
class SettingLabels(val id: Int, val title: Int, val meaning: Int) {
    fun fill(view: View) {
        view.findViewById<TextView>(R.id.setting_title).apply {
            setText(title)
            labelFor = this@SettingLabels.id
        }
        view.findViewById<TextView>(R.id.setting_meaning).setText(meaning)
    }
}
