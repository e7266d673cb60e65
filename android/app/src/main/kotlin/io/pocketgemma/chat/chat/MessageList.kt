package io.pocketgemma.chat.chat

import android.animation.ValueAnimator
import android.content.Context
import android.view.View
import android.widget.FrameLayout
import android.widget.LinearLayout
import android.widget.ScrollView
import kotlin.math.abs

/** A view that shows one kind of row. */
interface RowView<in R : Row> {
    val view: View

    fun bind(row: R)
}

/**
 * Rows in a scrolling column. While the end grows, the list follows it, unless the user has scrolled up; then the visible text stays in
 * place when something above or below changes.
 *
 * Every row has a slot, but in a long conversation only slots near the screen contain a view; the others only keep their height. A ListView
 * recycles too, but it detaches a row's view while text in it is selected, and binds all rows again at every change.
 *
 * @param make creates a view for rows of the same kind as this one.
 * @param scrolled called after each change of the scroll position.
 */
class MessageList(
    private val scroll: ScrollView,
    private val list: LinearLayout,
    private val make: (Row) -> RowView<Row>,
    private val scrolled: () -> Unit,
) {
    private class Slot(context: Context, var row: Row) : FrameLayout(context) {
        var shown: RowView<Row>? = null
        var isMeasured = false
        var heightThen = 0

        override fun onMeasure(width: Int, height: Int) {
            if (shown == null) return setMeasuredDimension(MeasureSpec.getSize(width), heightThen)
            super.onMeasure(width, height)
            heightThen = measuredHeight
            isMeasured = true
        }
    }

    /** A row, and the distance of its top above the top of the screen, in pixels. */
    data class Place(val row: Int, val offset: Int)

    private val slots: List<Slot> get() = List(list.childCount) { list.getChildAt(it) as Slot }
    private val spare = HashMap<Class<*>, ArrayDeque<RowView<Row>>>()
    private val slack = dp(SLACK_DP)
    private var place = Place(0, 0)
    private var settling = false
    private val measuring = Runnable { measureSome() }
    private val refilling = Runnable { refill() }

    var followsEnd = true
        private set

    /** Pixels between the visible area and the end. */
    val beyond: Int get() = end() - scroll.scrollY

    init {
        // The end moves when a reply grows and when the keyboard opens.
        val settle = View.OnLayoutChangeListener { _, _, _, _, _, _, _, _, _ -> settle() }
        list.addOnLayoutChangeListener(settle)
        scroll.addOnLayoutChangeListener(settle)
        scroll.setOnScrollChangeListener { _, _, y, _, _ ->
            if (!settling) {
                followsEnd = y >= end() - slack
                place = placeAt(y)
            }
            // Posted, because this may run during a layout. Rows near the screen get their views before they become visible.
            scroll.removeCallbacks(refilling)
            scroll.postOnAnimation(refilling)
            scrolled()
        }
    }

    /** [restored] is the initial position in a conversation that was not shown before; a new last row is scrolled to. */
    fun render(rows: List<Row>, isOther: Boolean, restored: Place?) {
        val before = slots
        val same = before.zip(rows).takeWhile { (slot, row) -> slot.row.key == row.key }.count()
        for (slot in before.drop(same)) empty(slot)
        list.removeViews(same, before.size - same)
        for (index in 0 until same) change(before[index], rows[index])
        for (row in rows.drop(same)) list.addView(Slot(list.context, row).also { it.heightThen = guess(row) })
        if (isOther) {
            followsEnd = restored == null
            place = restored ?: Place(0, 0)
        } else if (rows.drop(same).any { it is Row.Reply || it is Row.Summarising }) {
            followsEnd = true
        }
        if (rows.size > same) fillBefore(rows.size)
    }

    fun placeNow(atLeast: Int): Place = placeAt(scroll.scrollY, atLeast)

    fun goToEnd() {
        // Scrolling there smoothly would take too long.
        if (beyond > 2 * scroll.height) scroll.scrollTo(0, end() - scroll.height)
        val start = scroll.scrollY
        val way = ValueAnimator.ofFloat(0f, 1f).setDuration(JUMP_MILLIS)
        // The end may move again in the meantime.
        way.addUpdateListener { scroll.scrollTo(0, start + ((end() - start) * it.animatedFraction).toInt()) }
        way.start()
    }

    private fun change(slot: Slot, row: Row) {
        if (slot.row == row) return
        slot.row = row
        slot.isMeasured = false
        slot.shown?.bind(row)
    }

    /** Before the first layout, rows near the screen are known only by their index. */
    private fun fillBefore(count: Int) {
        val middle = if (followsEnd) count - 1 else place.row
        slots.forEachIndexed { index, slot -> if (count <= ALL || abs(index - middle) <= NEAR_ROWS) fill(slot) }
        if (count > ALL) scroll.postDelayed(measuring, MEASURE_MILLIS)
    }

    /** Creates views near the screen and removes those far from it. */
    private fun refill() {
        if (list.childCount <= ALL) return
        val top = scroll.scrollY
        for (slot in slots) {
            val distance = maxOf(top - slot.bottom, slot.top - top - scroll.height)
            if (distance < scroll.height && slot.shown == null) {
                fill(slot)
            } else if (distance > FAR * scroll.height && slot.shown != null && !slot.hasFocus() && !slot.hasTransientState()) {
                empty(slot)
            }
        }
    }

    private fun fill(slot: Slot) {
        if (slot.shown != null) return
        val view = take(slot.row)
        slot.shown = view
        slot.addView(view.view)
    }

    private fun empty(slot: Slot) {
        val view = slot.shown ?: return
        slot.shown = null
        slot.removeAllViews()
        give(slot.row, view)
    }

    private fun take(row: Row): RowView<Row> = (spare[row.javaClass]?.removeLastOrNull() ?: make(row)).also { it.bind(row) }

    private fun give(row: Row, view: RowView<Row>) {
        spare.getOrPut(row.javaClass) { ArrayDeque() }.takeIf { it.size < MAX_SPARE }?.add(view)
    }

    /**
     * Replaces estimated heights with measured ones step by step, starting with the nearest rows above, so that scrolling up does not jump.
     */
    private fun measureSome() {
        val unknown = slots.filter { it.shown == null && !it.isMeasured }
        val width = View.MeasureSpec.makeMeasureSpec(list.width - list.paddingLeft - list.paddingRight, View.MeasureSpec.EXACTLY)
        for (slot in unknown.takeLast(MEASURED_AT_ONCE)) {
            val view = take(slot.row)
            view.view.measure(width, View.MeasureSpec.UNSPECIFIED)
            slot.heightThen = view.view.measuredHeight
            slot.isMeasured = true
            slot.requestLayout()
            give(slot.row, view)
        }
        if (unknown.size > MEASURED_AT_ONCE) scroll.postDelayed(measuring, MEASURE_MILLIS)
    }

    private fun settle() {
        if (settling) return
        settling = true
        val anchor = list.getChildAt(place.row)
        val target = if (followsEnd || anchor == null) end() else (list.top + anchor.top + place.offset).coerceIn(0, end())
        if (scroll.scrollY != target) scroll.scrollTo(0, target)
        settling = false
    }

    private fun placeAt(y: Int, atLeast: Int = 0): Place {
        val slots = slots
        val row = slots.indexOfFirst { list.top + it.bottom > y }.coerceAtLeast(minOf(atLeast, maxOf(slots.lastIndex, 0)))
        return Place(row, y - list.top - (slots.getOrNull(row)?.top ?: 0))
    }

    private fun end() = maxOf(0, list.bottom + scroll.paddingBottom - scroll.height)

    private fun guess(row: Row): Int {
        val text = when (row) {
            is Row.Question -> row.question.text
            is Row.Reply -> row.reply.text
            else -> ""
        }
        return dp(ROW_DP) + dp(LINE_DP) * (text.length / LINE_CHARACTERS + text.count { it == '\n' })
    }

    private fun dp(value: Int) = (scroll.resources.displayMetrics.density * value).toInt()

    private companion object {
        const val JUMP_MILLIS = 220L
        const val SLACK_DP = 48

        /** Up to this number of rows, all rows have views. */
        const val ALL = 40
        const val NEAR_ROWS = 12

        /** Distance in screens at which a row's view is recycled. */
        const val FAR = 3
        const val MAX_SPARE = 24
        const val MEASURED_AT_ONCE = 4
        const val MEASURE_MILLIS = 24L
        const val ROW_DP = 96
        const val LINE_DP = 22
        const val LINE_CHARACTERS = 44
    }
}
