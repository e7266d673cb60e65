package io.pocketgemma.chat.export

import io.pocketgemma.chat.text.truncated
import java.text.Normalizer
import java.util.Locale

/** Maximum file name length with extension, in UTF-16 characters: at most 240 bytes of the 255 that file systems allow. */
internal const val MAX_FILE_NAME_LENGTH = 80

private const val FALLBACK = "chat"

/** Characters that a file system forbids, invisible ones (except the joiners of emoji and Persian words), and half surrogate pairs. */
private val FORBIDDEN = Regex("""(?:[/\\:*?"<>|\p{Cc}\p{Cs}\p{Co}\p{Zl}\p{Zp}\uFFFD]|[\p{Cf}&&[^\u200C\u200D]])+""")

/** Device names on Windows, with any extension. */
private val DEVICES = Regex("""(con|prn|aux|nul|clock\$|conin\$|conout\$|(com|lpt)[0-9¹²³])(\..*)?""")

/** Creates a file name that every file system accepts from a conversation's title. */
internal fun exportFileName(title: String, extension: String): String {
    val stem = Normalizer.normalize(title, Normalizer.Form.NFC)
        .replace(FORBIDDEN, " ")
        .replace(Regex("""\s+"""), " ")
        .trim { it == '.' || it == ' ' }
        .let { if (DEVICES.matches(it.lowercase(Locale.ROOT))) "$FALLBACK $it" else it }
        .truncated(MAX_FILE_NAME_LENGTH - extension.length - 1)
        .trimEnd { it == '.' || it == ' ' }
    return stem.ifEmpty { FALLBACK } + "." + extension
}
