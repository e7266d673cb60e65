package io.pocketgemma.chat.about

import android.content.Context
import android.graphics.Canvas
import android.graphics.Paint
import android.util.AttributeSet
import android.view.View
import io.pocketgemma.chat.R

/** A share from 0 to 1 on a line, with its interval as a band around it. The text next to it gives the same values. */
class AccuracyBar(context: Context, attributes: AttributeSet?) : View(context, attributes) {
    private val line = Paint(Paint.ANTI_ALIAS_FLAG).apply { color = context.getColor(R.color.outline) }
    private val band = Paint(Paint.ANTI_ALIAS_FLAG).apply {
        color = context.getColor(R.color.primary)
        alpha = BAND_ALPHA
    }
    private val dot = Paint(Paint.ANTI_ALIAS_FLAG).apply { color = context.getColor(R.color.primary) }
    private var share = 0f
    private var low: Float? = null
    private var high: Float? = null

    fun show(share: Double, low: Double?, high: Double?) {
        this.share = share.toFloat()
        this.low = low?.toFloat()
        this.high = high?.toFloat()
        invalidate()
    }

    override fun onDraw(canvas: Canvas) {
        val middle = height / 2f
        val thin = height * THIN
        canvas.drawRoundRect(0f, middle - thin, width.toFloat(), middle + thin, thin, thin, line)
        val start = if (layoutDirection == LAYOUT_DIRECTION_RTL) width.toFloat() else 0f
        canvas.drawRoundRect(minOf(start, place(share)), middle - thin, maxOf(start, place(share)), middle + thin, thin, thin, dot)
        val (from, to) = listOf(place(low ?: share), place(high ?: share)).sorted()
        canvas.drawRoundRect(from, 0f, to, height.toFloat(), thin, thin, band)
        canvas.drawCircle(place(share), middle, dotRadius(), dot)
    }

    private fun dotRadius() = height * DOT

    /** Measured from the start side of the layout direction; the dot stays inside at both ends. */
    private fun place(share: Float): Float {
        val along = dotRadius() + share * (width - 2 * dotRadius())
        return if (layoutDirection == LAYOUT_DIRECTION_RTL) width - along else along
    }

    private companion object {
        const val BAND_ALPHA = 70
        const val THIN = 0.12f
        const val DOT = 0.3f
    }
}
