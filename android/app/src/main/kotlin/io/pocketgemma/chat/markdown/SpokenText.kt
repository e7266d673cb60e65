package io.pocketgemma.chat.markdown

/** A Markdown text as words only, without syntax: for a screen reader, the list of chats, or a search result. */
fun spokenText(text: String): String = spoken(Markdown.read(text)).joinToString("\n")

private fun spoken(blocks: List<Block>): List<String> = blocks.flatMap { block ->
    when (block) {
        is Block.Paragraph -> listOf(block.text.text)
        is Block.Heading -> listOf(block.text.text)
        is Block.Code -> listOf(block.text)
        is Block.BulletList -> block.items.flatMap(::spoken)
        is Block.NumberedList -> block.items.flatMapIndexed { index, item -> numbered(block.start + index, spoken(item)) }
        is Block.Quote -> spoken(block.blocks)
        is Block.Table -> (listOf(block.header) + block.rows).map { row -> row.joinToString(", ") { it.text } }
        Block.Rule -> emptyList()
    }
}

private fun numbered(number: Int, lines: List<String>): List<String> =
    listOf("$number. ${lines.firstOrNull().orEmpty()}") + lines.drop(1)

/** Loads what Markdown parsing needs from the APK, so that the first text need not wait for it. Not on the main thread. */
fun prepareMarkdown() {
    spokenText("*&amp;*")
}
