package io.pocketgemma.chat.markdown

/** Completes the end of a text that is still being generated, so that it is shown in its final form and does not jump. */
internal object Unfinished {
    private val fence = Regex("""^[ \t>]*(`{3,}|~{3,})""")

    /** Lines that are probably the start of another one: of a fence, heading, or list. */
    private val ambiguous = setOf("`", "``", "#", "##", "###", "-", "--", "=", "==")

    private val delimiter = Regex("""^:?-+:?$""")
    private val openMarks = Regex("""(?<=^|[\s(])[*_~`]{1,3}$""")
    private val backticks = Regex("`+")
    private val italic = Regex("""(?<![*\\\w])\*(?![*\s])[^*\n]*[^*\s]$""")

    fun completed(text: String): String {
        val lines = withoutEmptyRow(text.split('\n'))
        val last = lines.lastOrNull().orEmpty()
        val open = openFence(lines)
        return when {
            open != null -> if (isPart(last.trim(), open)) withLastLine(lines, null) else text
            last.isRow() -> completedTable(lines)
            last.trim() in ambiguous -> withLastLine(lines, null)
            else -> completedMarks(lines.joinToString("\n"))
        }
    }

    /** The fence of the unclosed code block at the end of the text, or null. */
    private fun openFence(lines: List<String>): String? {
        var open: String? = null
        for (line in lines) {
            val found = fence.find(line)?.groupValues?.get(1) ?: continue
            val now = open
            if (now == null) open = found else if (found.startsWith(now) && line.trim(' ', '\t', '>').all { it == now[0] }) open = null
        }
        return open
    }

    private fun isPart(line: String, fence: String) = line.isNotEmpty() && line.length < fence.length && line.all { it == fence[0] }

    /** Without a table row that has not started yet. */
    private fun withoutEmptyRow(lines: List<String>): List<String> {
        val rows = if (lines.last().isBlank() && lines.getOrNull(lines.size - 2).isRow()) lines.dropLast(1) else lines
        return rows.dropLastWhile { it.trim() == "|" }
    }

    /** A table is shown from its first line on: the delimiter row under the header is added to it. */
    private fun completedTable(lines: List<String>): String {
        val paragraph = lines.takeLastWhile { it.isNotBlank() }
        val header = paragraph.indexOfFirst { it.isRow() }
        val columns = cells(paragraph[header]).size
        return when (paragraph.size - header) {
            1 -> (lines + dashes(columns, emptyList())).joinToString("\n")
            2 if lines.last().all { it in "|:- \t" } -> withLastLine(lines, dashes(columns, cells(lines.last())))
            else -> lines.joinToString("\n")
        }
    }

    private fun String?.isRow() = this != null && trimStart().startsWith('|')

    private fun cells(row: String): List<String> = row.trim().removePrefix("|").removeSuffix("|").split('|').map { it.trim() }

    private fun dashes(columns: Int, written: List<String>): String =
        List(columns) { column -> written.getOrNull(column)?.takeIf(delimiter::matches) ?: "---" }.joinToString("|", "|", "|")

    /** Closes bold, italic, and code that were opened in the last paragraph, and removes markers without text after them. */
    private fun completedMarks(text: String): String {
        val shown = text.replace(openMarks, "")
        val paragraph = shown.substring(shown.lastIndexOf("\n\n") + 1)
        if (paragraph.isEmpty() || paragraph.last().isWhitespace()) return shown
        var openCode: String? = null
        val words = StringBuilder()
        var end = 0
        for (ticks in backticks.findAll(paragraph)) {
            if (openCode == null) words.append(paragraph, end, ticks.range.first).append('x')
            openCode = when (openCode) {
                null -> ticks.value
                ticks.value -> null
                else -> openCode
            }
            end = ticks.range.last + 1
        }
        if (openCode != null) return shown + openCode
        words.append(paragraph, end, paragraph.length)
        return when {
            words.windowed(2).count { it == "**" } % 2 == 1 -> if (words.endsWith("*") && !words.endsWith("**")) "$shown*" else "$shown**"
            italic.containsMatchIn(words) -> "$shown*"
            else -> shown
        }
    }

    private fun withLastLine(lines: List<String>, line: String?): String = (lines.dropLast(1) + listOfNotNull(line)).joinToString("\n")
}
