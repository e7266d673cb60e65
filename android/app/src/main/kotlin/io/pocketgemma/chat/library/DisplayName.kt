package io.pocketgemma.chat.library

/**
 * How a person's file is called, fit to be shown. It stays text beside the file and never becomes part of a path.
 *
 * @param raw what the sender says: anything, a path, control characters or a novel among it.
 * @return one line of at most [MOST_LENGTH] characters; empty when nothing is left.
 */
internal fun displayName(raw: String?): String {
    val last = raw.orEmpty().take(MOST_READ).substringAfterLast('/').substringAfterLast('\\')
    val visible = last.filter { Character.getType(it).toByte() !in HIDDEN }.trim()
    return if (visible.length <= MOST_LENGTH) visible else visible.take(MOST_LENGTH - 1).dropLastWhile(Char::isHighSurrogate) + "…"
}

/** A file's name without the ending that all of its kind have. */
internal fun withoutExtension(name: String): String = ENDINGS.fold(name) { left, ending -> left.removeSuffix(ending) }

private val ENDINGS = listOf(MODEL_EXTENSION, ADAPTER_EXTENSION)
private const val MOST_READ = 4096
private const val MOST_LENGTH = 80

/** Among them the marks that turn the direction of writing, with which a name can show another ending than it has. */
private val HIDDEN = setOf(
    Character.CONTROL,
    Character.FORMAT,
    Character.LINE_SEPARATOR,
    Character.PARAGRAPH_SEPARATOR,
    Character.UNASSIGNED,
    Character.PRIVATE_USE,
)
