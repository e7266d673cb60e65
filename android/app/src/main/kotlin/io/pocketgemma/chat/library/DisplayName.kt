package io.pocketgemma.chat.library

/**
 * The name of the user's file, cleaned for display. It stays text and never becomes part of a path.
 *
 * @param raw the name as reported by the other app: possibly a path, with control characters, or very long.
 * @return one line of at most [MAX_LENGTH] characters; empty if nothing remains.
 */
internal fun displayName(raw: String?): String {
    val last = raw.orEmpty().take(MAX_READ).substringAfterLast('/').substringAfterLast('\\')
    val visible = last.filter { Character.getType(it).toByte() !in HIDDEN }.trim()
    return if (visible.length <= MAX_LENGTH) visible else visible.take(MAX_LENGTH - 1).dropLastWhile(Char::isHighSurrogate) + "…"
}

/** A file name without the extension that all files of its kind have. */
internal fun withoutExtension(name: String): String = EXTENSIONS.fold(name) { left, extension -> left.removeSuffix(extension) }

private val EXTENSIONS = listOf(MODEL_EXTENSION, ADAPTER_EXTENSION)
private const val MAX_READ = 4096
private const val MAX_LENGTH = 80

/** Includes the marks that change the text direction, with which a name can disguise its extension. */
private val HIDDEN = setOf(
    Character.CONTROL,
    Character.FORMAT,
    Character.LINE_SEPARATOR,
    Character.PARAGRAPH_SEPARATOR,
    Character.UNASSIGNED,
    Character.PRIVATE_USE,
)
