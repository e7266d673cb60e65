package io.pocketgemma.chat

import android.graphics.Bitmap
import android.graphics.Canvas
import android.graphics.Color
import android.text.Spanned
import android.text.style.ForegroundColorSpan
import android.view.View
import android.view.ViewGroup
import android.widget.AdapterView
import android.widget.EditText
import android.widget.ImageView
import android.widget.SeekBar
import android.widget.Switch
import android.widget.TextView
import kotlin.math.max
import kotlin.math.min

/**
 * What a screen lacks for users with low vision or large fingers: labels, touch targets of 48 dp, contrast (WCAG 2.1, success criteria
 * 1.4.3 and 1.4.11), a heading, and text that is not cut off.
 */
object Accessibility {
    private const val TARGET_DP = 48
    const val TEXT_CONTRAST = 4.5
    private const val ICON_CONTRAST = 3.0

    /** One line for each problem with what is shown inside [root]; empty if there is none. */
    fun faults(root: View): List<String> {
        val shown = shownViews(root).toList()
        return shown.flatMap { listOfNotNull(missingLabel(it), smallTarget(it), cutText(it)) + weakText(it) + weakIcon(it) } +
            ambiguousLabels(shown) + listOfNotNull("no heading".takeIf { shown.none(View::isAccessibilityHeading) })
    }

    private fun shownViews(view: View): Sequence<View> = sequence {
        if (view.visibility != View.VISIBLE || view.width == 0 || view.height == 0) return@sequence
        yield(view)
        if (view is ViewGroup) for (index in 0 until view.childCount) yieldAll(shownViews(view.getChildAt(index)))
    }

    private fun isTarget(view: View) = view.isEnabled && view !is AdapterView<*> && (view.isClickable || view is SeekBar || view is EditText) &&
        // The framework counts selectable text as "clickable"; lines of text are large enough to hit.
        !(view is TextView && view.isTextSelectable && !view.hasOnClickListeners() && view !is EditText)

    private fun missingLabel(view: View): String? =
        if (isTarget(view) && label(view).isBlank()) "${name(view)}: no label" else null

    /** What TalkBack reads: the view's own label, otherwise the texts inside it. */
    private fun label(view: View): String {
        view.contentDescription?.let { if (it.isNotBlank()) return it.toString() }
        if (view is TextView) return listOfNotNull(view.text, view.hint).firstOrNull { it.isNotBlank() }?.toString() ?: labelledBy(view)
        if (view is ViewGroup) {
            return (0 until view.childCount).map(view::getChildAt).filter { it.visibility == View.VISIBLE }.joinToString(" ") { label(it) }.trim()
        }
        return labelledBy(view)
    }

    private fun labelledBy(view: View): String {
        val labels = shownViews(view.rootView).filter { it.labelFor != View.NO_ID && it.labelFor == view.id }
        return labels.filterIsInstance<TextView>().firstOrNull()?.text?.toString().orEmpty()
    }

    private fun smallTarget(view: View): String? {
        if (!isTarget(view)) return null
        val density = view.resources.displayMetrics.density
        val (width, height) = view.width / density to view.height / density
        return if (width >= TARGET_DP - 0.5 && height >= TARGET_DP - 0.5) null else "${name(view)}: ${width.toInt()} x ${height.toInt()} dp to touch"
    }

    private fun cutText(view: View): String? {
        val layout = (view as? TextView)?.layout ?: return null
        if (view.text.isEmpty() || view is EditText) return null
        val room = view.height - view.compoundPaddingTop - view.compoundPaddingBottom
        val cut = layout.height > room + 1 && view.maxLines == Int.MAX_VALUE
        return if (cut) "${name(view)}: \"${view.text.take(30)}\" needs ${layout.height} px of height and has $room" else null
    }

    /** In a conversation, the actions of a message follow it directly; naming the message again would only be long. */
    private fun isInConversation(view: View) = generateSequence(view) { it.parent as? View }.any { it.id == R.id.messages }

    private fun ambiguousLabels(shown: List<View>): List<String> =
        shown.filter { isTarget(it) && it !is EditText && it !is Switch && !isInConversation(it) }.groupBy { label(it) }
            .filter { (label, views) -> label.isNotBlank() && views.size > 1 }
            .map { (label, views) -> "${views.size} targets are called \"${label.take(40)}\"" }

    private fun weakText(view: View): List<String> {
        if (view !is TextView || !view.isEnabled) return emptyList()
        val colours = when {
            view.text.isNotEmpty() -> listOf(view.currentTextColor) + spanColours(view.text)
            !view.hint.isNullOrEmpty() -> listOf(view.currentHintTextColor)
            else -> emptyList()
        }
        val behind = background(view)
        return colours.filter { contrast(over(it, behind), behind) < TEXT_CONTRAST }
            .map { "${name(view)}: \"${view.text.ifEmpty { view.hint }.take(30)}\" has contrast ${ratio(it, behind)}" }
    }

    private fun spanColours(text: CharSequence): List<Int> =
        (text as? Spanned)?.getSpans(0, text.length, ForegroundColorSpan::class.java)?.map { it.foregroundColor }.orEmpty()

    private fun weakIcon(view: View): List<String> {
        if (view !is ImageView || !isTarget(view) || view.drawable == null) return emptyList()
        val behind = background(view)
        val best = drawnColours(view).maxOfOrNull { contrast(it, behind) } ?: return listOf("${name(view)}: an icon that is not drawn")
        return if (best >= ICON_CONTRAST) emptyList() else listOf("${name(view)}: its icon has contrast ${"%.1f".format(best)}")
    }

    private fun drawnColours(view: ImageView): List<Int> {
        val behind = background(view)
        val bitmap = Bitmap.createBitmap(view.width, view.height, Bitmap.Config.ARGB_8888).apply { eraseColor(behind) }
        val canvas = Canvas(bitmap)
        canvas.translate(view.paddingLeft.toFloat(), view.paddingTop.toFloat())
        canvas.concat(view.imageMatrix)
        view.drawable.draw(canvas)
        val pixels = IntArray(view.width * view.height)
        bitmap.getPixels(pixels, 0, view.width, 0, 0, view.width, view.height)
        return pixels.distinct().filter { it != behind }
    }

    /** The color behind the center of a view: all backgrounds from the window down, blended. */
    private fun background(view: View): Int {
        val chain = generateSequence(view) { it.parent as? View }.toList().asReversed()
        var colour = Color.WHITE
        for (layer in chain) {
            val drawable = layer.background ?: continue
            val bitmap = Bitmap.createBitmap(max(1, layer.width), max(1, layer.height), Bitmap.Config.ARGB_8888)
            val bounds = drawable.copyBounds()
            drawable.setBounds(0, 0, bitmap.width, bitmap.height)
            drawable.draw(Canvas(bitmap))
            drawable.bounds = bounds
            val at = middle(view, layer)
            colour = over(bitmap.getPixel(at.first.coerceIn(0, bitmap.width - 1), at.second.coerceIn(0, bitmap.height - 1)), colour)
        }
        return colour
    }

    private fun middle(view: View, layer: View): Pair<Int, Int> {
        val inner = IntArray(2).also(view::getLocationInWindow)
        val outer = IntArray(2).also(layer::getLocationInWindow)
        return inner[0] - outer[0] + view.width / 2 to inner[1] - outer[1] + view.height / 2
    }

    private fun over(top: Int, below: Int): Int {
        val alpha = Color.alpha(top) / 255.0
        fun mix(channel: (Int) -> Int) = (channel(top) * alpha + channel(below) * (1 - alpha)).toInt()
        return Color.rgb(mix(Color::red), mix(Color::green), mix(Color::blue))
    }

    private fun ratio(text: Int, behind: Int) = "%.1f (%06x on %06x)".format(contrast(over(text, behind), behind), text and 0xffffff, behind and 0xffffff)

    /** Contrast ratio of two opaque colors, 1 to 21 (WCAG 2.1). */
    fun contrast(one: Int, other: Int): Double {
        val (first, second) = Color.luminance(one).toDouble() to Color.luminance(other).toDouble()
        return (max(first, second) + 0.05) / (min(first, second) + 0.05)
    }

    private fun name(view: View): String {
        val id = if (view.id == View.NO_ID) "" else runCatching { view.resources.getResourceEntryName(view.id) }.getOrDefault("")
        return id.ifEmpty { view.javaClass.simpleName }
    }
}
