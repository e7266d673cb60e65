package io.pocketgemma.chat.markdown

import android.content.Context
import android.os.Build
import android.view.LayoutInflater
import android.view.View
import android.view.ViewGroup
import android.widget.LinearLayout
import android.widget.TextView
import io.pocketgemma.chat.R

/** The view of one block. */
internal interface BlockView {
    val view: View

    /** False: the block is of another kind and needs a new view. */
    fun show(block: Block): Boolean
}

/** The views of blocks below each other in [place]. The views of unchanged blocks are not touched. */
internal class BlockViews(private val place: LinearLayout, private val copy: (String) -> Unit) {
    private val views = ArrayList<BlockView>()
    private var shown = emptyList<Block>()

    /** [tight]: with less spacing. */
    fun show(blocks: List<Block>, tight: Boolean = false) {
        blocks.forEachIndexed { index, block -> if (block != shown.getOrNull(index)) put(index, block, tight) }
        while (views.size > blocks.size) remove(views.lastIndex)
        shown = blocks
    }

    private fun put(index: Int, block: Block, tight: Boolean) {
        if (index < views.size) {
            if (views[index].show(block)) return
            remove(index)
        }
        val new = blockView(place, block, copy).also { it.show(block) }
        val gap = if (tight) R.dimen.markdown_gap_tight else R.dimen.markdown_gap
        val layout = LinearLayout.LayoutParams(ViewGroup.LayoutParams.MATCH_PARENT, ViewGroup.LayoutParams.WRAP_CONTENT)
        layout.topMargin = if (index == 0) 0 else place.resources.getDimensionPixelSize(gap)
        place.addView(new.view, index, layout)
        views.add(index, new)
    }

    private fun remove(index: Int) {
        place.removeViewAt(index)
        views.removeAt(index)
    }
}

private fun blockView(place: ViewGroup, block: Block, copy: (String) -> Unit): BlockView = when (block) {
    is Block.Paragraph -> ParagraphView(place)
    is Block.Heading -> HeadingView(place, block.level)
    is Block.Code -> CodeView(place, copy)
    is Block.BulletList, is Block.NumberedList -> ItemsView(place.context, copy)
    is Block.Quote -> QuoteView(place, copy)
    is Block.Table -> TableView(place)
    Block.Rule -> RuleView(place)
}

internal fun <T : View> inflate(place: ViewGroup, layout: Int): T {
    @Suppress("UNCHECKED_CAST")
    return LayoutInflater.from(place.context).inflate(layout, place, false) as T
}

internal fun column(context: Context) = LinearLayout(context).apply { orientation = LinearLayout.VERTICAL }

private class ParagraphView(place: ViewGroup) : BlockView {
    override val view = inflate<TextView>(place, R.layout.markdown_paragraph)

    override fun show(block: Block): Boolean {
        if (block !is Block.Paragraph) return false
        view.showRich(block.text)
        return true
    }
}

private class HeadingView(place: ViewGroup, private val level: Int) : BlockView {
    override val view = inflate<TextView>(place, layouts[(level - 1).coerceIn(layouts.indices)]).apply {
        if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.P) isAccessibilityHeading = true
    }

    override fun show(block: Block): Boolean {
        if (block !is Block.Heading || block.level != level) return false
        view.showRich(block.text)
        return true
    }

    private companion object {
        /** The last one also applies to all deeper levels. */
        val layouts = listOf(R.layout.markdown_heading_1, R.layout.markdown_heading_2, R.layout.markdown_heading_3)
    }
}

private class QuoteView(place: ViewGroup, copy: (String) -> Unit) : BlockView {
    override val view = inflate<View>(place, R.layout.markdown_quote)
    private val blocks = BlockViews(view.findViewById(R.id.markdown_quoted), copy)

    override fun show(block: Block): Boolean {
        if (block !is Block.Quote) return false
        blocks.show(block.blocks)
        return true
    }
}

private class RuleView(place: ViewGroup) : BlockView {
    override val view = inflate<View>(place, R.layout.markdown_rule)

    override fun show(block: Block): Boolean = block is Block.Rule
}
