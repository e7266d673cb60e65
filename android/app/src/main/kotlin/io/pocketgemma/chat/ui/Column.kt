package io.pocketgemma.chat.ui

import android.content.Context
import android.util.AttributeSet
import android.widget.LinearLayout
import io.pocketgemma.chat.R

/** A vertical column that fills the available width up to a readable line length. Center it with layout_gravity. */
class Column(context: Context, attributes: AttributeSet?) : LinearLayout(context, attributes) {
    private val maxWidth = resources.getDimensionPixelSize(R.dimen.content_width)

    init {
        orientation = VERTICAL
    }

    override fun onMeasure(width: Int, height: Int) {
        val narrow = MeasureSpec.makeMeasureSpec(minOf(MeasureSpec.getSize(width), maxWidth), MeasureSpec.EXACTLY)
        super.onMeasure(narrow, height)
    }
}
