package io.pocketgemma.chat.ui

import android.graphics.Bitmap
import android.graphics.Canvas
import android.graphics.Color
import android.view.View
import android.view.ViewGroup
import android.widget.EditText
import android.widget.TextView
import kotlin.math.max
import kotlin.math.min

/** What is wrong with a screen for people who see little, hear it read out, or have large fingers. Empty when nothing is. */
object AccessibilityCheck {
    private const val LEAST_DP = 48
    private const val LEAST_CONTRAST = 4.5

    fun problems(root: View): List<String> {
        val picture = Bitmap.createBitmap(root.width, root.height, Bitmap.Config.ARGB_8888)
        root.draw(Canvas(picture))
        val shown = all(root).filter { it.isShown && it.width > 0 && it.height > 0 }
        return shown.filter { it.isClickable && it.isEnabled && it !is EditText }.flatMap(::touch) +
            shown.filterIsInstance<TextView>().filter { it.isEnabled && it.text.isNotBlank() }.mapNotNull { contrast(it, root, picture) }
    }

    private fun touch(view: View): List<String> {
        val density = view.resources.displayMetrics.density
        val isText = view is TextView && view.isTextSelectable
        val isSmall = !isText && min(view.width, view.height) < LEAST_DP * density - 1
        return listOfNotNull(
            "${name(view)} is only ${view.width / density} x ${view.height / density} dp".takeIf { isSmall },
            "${name(view)} has no label".takeIf { words(view).isBlank() },
        )
    }

    private fun words(view: View): String = when {
        !view.contentDescription.isNullOrBlank() -> view.contentDescription.toString()
        view is TextView -> view.text.toString()
        view is ViewGroup -> (0 until view.childCount).joinToString("") { words(view.getChildAt(it)) }
        else -> ""
    }

    /** Text against the colour that most of its rectangle has, where all of it is on the picture. */
    private fun contrast(text: TextView, root: View, picture: Bitmap): String? {
        val at = IntArray(2).also(text::getLocationInWindow)
        val origin = IntArray(2).also(root::getLocationInWindow)
        val left = at[0] - origin[0]
        val top = at[1] - origin[1]
        if (left < 0 || top < 0 || left + text.width > picture.width || top + text.height > picture.height) return null
        val pixels = IntArray(text.width * text.height)
        picture.getPixels(pixels, 0, text.width, left, top, text.width, text.height)
        val ground = pixels.groupBy { it }.maxBy { it.value.size }.key
        val ratio = ratio(text.currentTextColor, ground)
        return if (ratio < LEAST_CONTRAST) "“${text.text}” stands out by %.2f only".format(ratio) else null
    }

    /** WCAG 2.1, contrast ratio. */
    fun ratio(first: Int, second: Int): Double {
        val (a, b) = listOf(first, second).map { Color.luminance(it).toDouble() + 0.05 }
        return max(a, b) / min(a, b)
    }

    private fun name(view: View): String =
        if (view.id == View.NO_ID) view.javaClass.simpleName + " “${words(view)}”" else view.resources.getResourceEntryName(view.id)

    private fun all(view: View): List<View> =
        listOf(view) + if (view is ViewGroup) (0 until view.childCount).flatMap { all(view.getChildAt(it)) } else emptyList()
}
