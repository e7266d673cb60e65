package io.pocketgemma.chat.ui

import android.animation.ValueAnimator
import android.content.Context
import android.graphics.Canvas
import android.graphics.Paint
import android.os.Build
import android.os.SystemClock
import android.util.AttributeSet
import android.view.View
import io.pocketgemma.chat.R
import kotlin.math.PI
import kotlin.math.sin

/** Three dots that pulse one after another until the reply starts; static if animations are turned off. */
class TypingDots(context: Context, attributes: AttributeSet?) : View(context, attributes) {
    private val paint = Paint(Paint.ANTI_ALIAS_FLAG).apply { color = context.getColor(R.color.text_dim) }
    private val moves = Build.VERSION.SDK_INT < Build.VERSION_CODES.O || ValueAnimator.areAnimatorsEnabled()

    override fun onDraw(canvas: Canvas) {
        val unit = height / UNITS
        for (dot in 0 until DOTS) {
            val swell = if (moves) wave(SystemClock.uptimeMillis() - dot * LAG_MILLIS) else 1f
            paint.alpha = (REST_ALPHA + (OPAQUE - REST_ALPHA) * swell).toInt()
            canvas.drawCircle(width / 2f + (dot - DOTS / 2) * unit * SPACING, height / 2f, unit * (1 + swell / 4), paint)
        }
        if (moves) postInvalidateDelayed(FRAME_MILLIS)
    }

    /** 0 at rest, 1 at the peak, within the first half of each period. */
    private fun wave(millis: Long): Float = sin(2 * PI * (millis % PERIOD_MILLIS) / PERIOD_MILLIS).coerceAtLeast(0.0).toFloat()

    private companion object {
        const val DOTS = 3
        const val UNITS = 12f
        const val SPACING = 3.6f
        const val LAG_MILLIS = 160
        const val PERIOD_MILLIS = 1200
        const val FRAME_MILLIS = 32L
        const val REST_ALPHA = 110
        const val OPAQUE = 255
    }
}
