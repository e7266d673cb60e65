package io.pocketgemma.chat.ui

import android.content.Context
import android.util.AttributeSet
import android.view.View
import android.view.ViewGroup

/** Buttons in a row, aligned to the end; wraps to another row if they do not fit, for example at large font sizes. */
class FlowLayout(context: Context, attributes: AttributeSet?) : ViewGroup(context, attributes) {
    private val shown: List<View> get() = (0 until childCount).map(::getChildAt).filter { it.visibility != GONE }

    override fun onMeasure(widthSpec: Int, heightSpec: Int) {
        measureChildren(MeasureSpec.makeMeasureSpec(MeasureSpec.getSize(widthSpec), MeasureSpec.AT_MOST), heightSpec)
        val width = MeasureSpec.getSize(widthSpec)
        setMeasuredDimension(width, resolveSize(rows(width).sumOf(::height), heightSpec))
    }

    override fun onLayout(changed: Boolean, left: Int, top: Int, right: Int, bottom: Int) {
        var y = 0
        for (row in rows(width)) {
            var x = width - row.sumOf { it.measuredWidth }
            for (child in row) {
                val from = if (layoutDirection == LAYOUT_DIRECTION_RTL) width - x - child.measuredWidth else x
                child.layout(from, y, from + child.measuredWidth, y + child.measuredHeight)
                x += child.measuredWidth
            }
            y += height(row)
        }
    }

    private fun rows(width: Int): List<List<View>> = shown.fold(emptyList()) { rows, child ->
        val last = rows.lastOrNull()
        if (last != null && last.sumOf { it.measuredWidth } + child.measuredWidth <= width) {
            rows.dropLast(1) + listOf(last + child)
        } else {
            rows + listOf(listOf(child))
        }
    }

    private fun height(row: List<View>): Int = row.maxOf { it.measuredHeight }
}
