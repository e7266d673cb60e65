package io.pocketgemma.chat.benchmark

import android.graphics.Typeface
import android.text.SpannableString
import android.text.Spanned
import android.text.style.RelativeSizeSpan
import android.view.LayoutInflater
import android.view.View
import android.view.ViewGroup
import android.widget.LinearLayout
import android.widget.TableLayout
import android.widget.TableRow
import android.widget.TextView
import io.pocketgemma.chat.R
import io.pocketgemma.chat.library.LibraryState
import io.pocketgemma.chat.model.ReplyMetrics
import io.pocketgemma.chat.ui.FactCard
import io.pocketgemma.chat.ui.hasLargeFont

/** The result of a benchmark: the median in large figures, every run in a table, and the test conditions. */
class BenchmarkResult(private val view: ViewGroup, private val words: BenchmarkTexts) {
    private val context = view.context
    private val inflater = LayoutInflater.from(context)
    private val columns = if (context.resources.configuration.hasLargeFont) 1 else 2
    private var shown: Pair<BenchmarkState, LibraryState>? = null

    fun render(state: BenchmarkState, library: LibraryState) {
        if (shown == state to library) return
        shown = state to library
        val median = state.median
        view.visibility = if (median == null) View.GONE else View.VISIBLE
        view.removeAllViews()
        if (median == null) return
        heading(words.medianOf(state.results.size))
        words.tiles(median).chunked(columns).forEach(::tiles)
        each(FactCard(view, R.string.benchmark_each), state.results, median)
        val facts = FactCard(view, R.string.benchmark_where)
        for ((label, value) in words.facts(state, library)) facts.fact(label, value)
    }

    private fun heading(text: String) {
        val heading = inflater.inflate(R.layout.section_heading, view, false) as TextView
        heading.text = text
        view.addView(heading)
    }

    private fun tiles(pairs: List<Pair<String, Int>>) {
        val row = LinearLayout(context)
        pairs.forEachIndexed { place, (value, label) ->
            val tile = inflater.inflate(R.layout.benchmark_tile, row, false)
            tile.findViewById<TextView>(R.id.tile_value).text = withSmallUnit(value)
            tile.findViewById<TextView>(R.id.tile_label).setText(label)
            val gap = context.resources.getDimensionPixelSize(R.dimen.tile_gap)
            (tile.layoutParams as LinearLayout.LayoutParams).apply {
                bottomMargin = gap
                if (place > 0) marginStart = gap
            }
            row.addView(tile)
        }
        view.addView(row)
    }

    /**
     * The unit in small letters: after the number, or as a whole on the next line. By default, the system also breaks lines after the "/".
     */
    private fun withSmallUnit(value: String): CharSequence {
        val unit = value.indexOfLast { it.isWhitespace() } + 1
        val text = SpannableString(value.take(unit) + value.substring(unit).replace("/", "/$WORD_JOINER"))
        text.setSpan(RelativeSizeSpan(UNIT_SIZE), unit, text.length, Spanned.SPAN_EXCLUSIVE_EXCLUSIVE)
        return text
    }

    private fun each(card: FactCard, results: List<ReplyMetrics>, median: ReplyMetrics) {
        if (columns == 1) {
            // A table with five columns does not fit at large font sizes.
            results.forEachIndexed { place, metrics -> card.note(words.spoken(runName(place), metrics)) }
        } else {
            table(card.add(R.layout.benchmark_table).findViewById(R.id.benchmark_table), results, median)
            card.note(context.getString(R.string.benchmark_unit))
        }
    }

    private fun runName(place: Int) = context.getString(R.string.benchmark_run, words.runName(place))

    private fun table(table: TableLayout, results: List<ReplyMetrics>, median: ReplyMetrics) {
        row(table, words.columns, null, R.color.text_dim, Typeface.NORMAL)
        results.forEachIndexed { place, metrics ->
            row(table, words.cells(words.runName(place), metrics), words.spoken(runName(place), metrics), R.color.text, Typeface.NORMAL)
        }
        row(table, words.cells(words.medianName, median), words.spoken(words.medianName, median), R.color.primary, Typeface.BOLD)
    }

    /** Read aloud as one sentence, because reading cell by cell is hard to follow. */
    private fun row(table: TableLayout, cells: List<String>, spoken: String?, color: Int, weight: Int) {
        val row = TableRow(context)
        row.contentDescription = spoken
        row.isFocusable = spoken != null
        for (cell in cells) {
            val text = inflater.inflate(R.layout.benchmark_cell, row, false) as TextView
            text.text = cell
            text.setTextColor(context.getColor(color))
            text.setTypeface(text.typeface, weight)
            row.addView(text)
        }
        table.addView(row)
    }

    private companion object {
        /** Relative to the size of the number. */
        const val UNIT_SIZE = 0.64f

        /** The Unicode character that prevents a line break. */
        const val WORD_JOINER = "\u2060"
    }
}
