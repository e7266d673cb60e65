package io.pocketgemma.chat.markdown

import android.view.View
import android.view.ViewGroup
import android.widget.TableLayout
import android.widget.TableRow
import android.widget.TextView
import io.pocketgemma.chat.R

/** A table, which scrolls horizontally if it is wider than the screen. */
internal class TableView(place: ViewGroup) : BlockView {
    override val view: View = inflate(place, R.layout.markdown_table)
    private val table = view.findViewById<TableLayout>(R.id.markdown_rows)
    private var shown: Block.Table? = null

    override fun show(block: Block): Boolean {
        if (block !is Block.Table) return false
        val before = shown
        // Changed columns need a new table.
        if (before != null && (before.header.size != block.header.size || before.alignments != block.alignments)) table.removeAllViews()
        row(0, block.header, block.alignments, R.layout.markdown_header_cell)
        block.rows.forEachIndexed { index, cells -> row(index + 1, cells, block.alignments, R.layout.markdown_cell) }
        while (table.childCount > block.rows.size + 1) table.removeViewAt(table.childCount - 1)
        shown = block
        return true
    }

    private fun row(index: Int, cells: List<RichText>, alignments: List<Alignment>, layout: Int) {
        val row = table.getChildAt(index) as TableRow? ?: newRow(alignments, layout)
        cells.forEachIndexed { column, cell -> (row.getChildAt(column) as TextView).showRich(cell) }
    }

    private fun newRow(alignments: List<Alignment>, layout: Int): TableRow {
        val row = TableRow(table.context)
        for (alignment in alignments) {
            row.addView(
                inflate<TextView>(row, layout).apply {
                    textAlignment = when (alignment) {
                        Alignment.START -> View.TEXT_ALIGNMENT_VIEW_START
                        Alignment.CENTER -> View.TEXT_ALIGNMENT_CENTER
                        Alignment.END -> View.TEXT_ALIGNMENT_VIEW_END
                    }
                },
            )
        }
        table.addView(row)
        return row
    }
}
