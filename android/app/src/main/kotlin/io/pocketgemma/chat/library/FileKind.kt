package io.pocketgemma.chat.library

/** The kind of a file according to its first bytes; its name is ignored. */
internal sealed interface FileKind {
    data object Model : FileKind

    data object Adapter : FileKind

    /** [found] is the usual extension of such files, if known. */
    data class Other(val found: String?) : FileKind

    companion object {
        fun of(start: ByteArray, length: Int): FileKind = when {
            ModelHeader.isAt(start, length) -> Model
            AdapterHeader.isAt(start, length) -> Adapter
            else -> Other(found(start, length))
        }

        private fun found(start: ByteArray, length: Int): String? {
            val latin = String(start, 0, minOf(length, LOOKED_AT), Charsets.ISO_8859_1)
            val text = latin.trimStart('\u00EF', '\u00BB', '\u00BF', ' ', '\t', '\r', '\n')
            return when {
                latin.startsWith("PK\u0003\u0004") || latin.startsWith("PK\u0005\u0006") -> archive(latin)
                latin.startsWith("GGUF") -> ".gguf"
                latin.startsWith("\u0089HDF") -> ".h5"
                latin.startsWith("%PDF") -> ".pdf"
                latin.startsWith("\u001F\u008B") -> ".gz"
                latin.startsWith("\u00FF\u00D8\u00FF") -> ".jpg"
                latin.startsWith("\u0089PNG") -> ".png"
                isSafetensors(latin) -> ".safetensors"
                // A page that a browser saves when a download requires a login.
                text.startsWith("<!doctype html", ignoreCase = true) || text.startsWith("<html", ignoreCase = true) -> ".html"
                text.startsWith("{") || text.startsWith("[") -> ".json"
                isText(latin) -> ".txt"
                else -> null
            }
        }

        /** MediaPipe's .task files are ZIP archives whose entries have these names. */
        private fun archive(latin: String): String {
            val members = LOCAL_HEADER.findAll(latin).mapNotNull { found ->
                val nameLength = latin.getOrNull(found.range.first + 26)?.code ?: return@mapNotNull null
                latin.drop(found.range.first + 30).take(nameLength)
            }.toList()
            return when {
                members.any { it == "TOKENIZER_MODEL" || it == "TF_LITE_PREFILL_DECODE" || it == "METADATA" } -> ".task"
                "AndroidManifest.xml" in members -> ".apk"
                members.firstOrNull() in listOf("config.json", "metadata.json") -> ".keras"
                else -> ".zip"
            }
        }

        /** Eight bytes with the length of a JSON object, followed by the object. */
        private fun isSafetensors(latin: String): Boolean =
            latin.length > 9 && latin[8] == '{' && latin[9] == '"' && latin.substring(5, 8).all { it.code == 0 }

        private fun isText(latin: String): Boolean = latin.isNotEmpty() && latin.none { it.code < ' '.code && it !in "\t\r\n\u000C" }

        private val LOCAL_HEADER = Regex("PK\u0003\u0004")
        private const val LOOKED_AT = 4096
    }
}
