package io.pocketgemma.chat.markdown

import android.content.Context
import android.view.View
import android.widget.LinearLayout
import android.widget.TextView
import io.pocketgemma.chat.R
import java.text.NumberFormat

/** A list: each item is a bullet or number with the item's blocks next to it. */
internal class ItemsView(context: Context, private val copy: (String) -> Unit) : BlockView {
    override val view: LinearLayout = column(context)
    private val items = ArrayList<Item>()

    override fun show(block: Block): Boolean {
        when (block) {
            is Block.BulletList -> show(block.items, block.tight) { view.resources.getString(R.string.markdown_bullet) }
            is Block.NumberedList -> show(block.items, block.tight) { index ->
                view.resources.getString(R.string.markdown_number, numbers.format(block.start.toLong() + index))
            }
            else -> return false
        }
        return true
    }

    private fun show(blocks: List<List<Block>>, tight: Boolean, mark: (Int) -> String) {
        blocks.forEachIndexed { index, item ->
            if (index == items.size) items += Item().also { view.addView(it.view) }
            items[index].show(mark(index), item, tight, first = index == 0)
        }
        while (items.size > blocks.size) view.removeView(items.removeAt(items.lastIndex).view)
    }

    private val numbers get() = NumberFormat.getIntegerInstance().apply { isGroupingUsed = false }

    private inner class Item {
        val view: View = inflate(this@ItemsView.view, R.layout.markdown_item)
        private val mark = view.findViewById<TextView>(R.id.markdown_mark)
        private val blocks = BlockViews(view.findViewById(R.id.markdown_item_body), copy)

        fun show(mark: String, item: List<Block>, tight: Boolean, first: Boolean) {
            if (this.mark.text.toString() != mark) this.mark.text = mark
            val gap = if (tight) R.dimen.markdown_gap_tight else R.dimen.markdown_gap
            view.setPaddingRelative(0, if (first) 0 else view.resources.getDimensionPixelSize(gap), 0, 0)
            blocks.show(item, tight)
        }
    }
}
