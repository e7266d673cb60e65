package io.pocketgemma.chat.models

import android.content.Context
import android.util.AttributeSet
import android.view.accessibility.AccessibilityNodeInfo
import android.widget.Checkable
import android.widget.LinearLayout
import android.widget.RadioButton

/** One of several options: a row that TalkBack announces as a radio button, and whose children show its state. */
class ChoiceRow(context: Context, attributes: AttributeSet?) : LinearLayout(context, attributes), Checkable {
    private var chosen = false

    init {
        isFocusable = true
    }

    override fun isChecked(): Boolean = chosen

    override fun setChecked(checked: Boolean) {
        if (checked == chosen) return
        chosen = checked
        refreshDrawableState()
    }

    override fun toggle() = setChecked(true)

    override fun onCreateDrawableState(extraSpace: Int): IntArray =
        super.onCreateDrawableState(extraSpace + CHECKED.size).also { if (chosen) mergeDrawableStates(it, CHECKED) }

    override fun getAccessibilityClassName(): CharSequence = RadioButton::class.java.name

    override fun onInitializeAccessibilityNodeInfo(info: AccessibilityNodeInfo) {
        super.onInitializeAccessibilityNodeInfo(info)
        info.isCheckable = true
        info.isChecked = chosen
    }

    private companion object {
        val CHECKED = intArrayOf(android.R.attr.state_checked)
    }
}
