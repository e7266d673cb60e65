package io.pocketgemma.chat.ui

import android.content.Context
import android.util.AttributeSet
import android.widget.LinearLayout
import io.pocketgemma.chat.R

/** A vertical column as wide as there is room, but no wider than lines of text are good to read. Centre it by its layout_gravity. */
class Column(context: Context, attributes: AttributeSet?) : LinearLayout(context, attributes) {
    private val most = resources.getDimensionPixelSize(R.dimen.content_width)

    init {
        orientation = VERTICAL
    }

    override fun onMeasure(width: Int, height: Int) {
        val narrow = MeasureSpec.makeMeasureSpec(minOf(MeasureSpec.getSize(width), most), MeasureSpec.EXACTLY)
        super.onMeasure(narrow, height)
    }
}
