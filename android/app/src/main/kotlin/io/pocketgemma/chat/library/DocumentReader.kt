package io.pocketgemma.chat.library

import android.content.ContentResolver
import android.database.Cursor
import android.net.Uri
import android.provider.OpenableColumns
import java.io.IOException
import java.io.InputStream

/** Files of other apps, by content URI. Worker threads only; any call may take as long as a download. */
interface DocumentReader {
    /** What the other app reports about a file, which may be anything or nothing. */
    data class Description(val name: String?, val bytes: Long?)

    /** @throws IOException */
    fun describe(uri: String): Description

    /** @throws IOException */
    fun open(uri: String): InputStream
}

/** Queries the other app through the system, whatever it throws. */
class ContentDocumentReader(private val resolver: ContentResolver) : DocumentReader {
    override fun describe(uri: String): DocumentReader.Description = wrapErrors {
        resolver.query(Uri.parse(uri), arrayOf(OpenableColumns.DISPLAY_NAME, OpenableColumns.SIZE), null, null, null)?.use { cursor ->
            if (!cursor.moveToFirst()) return@use null
            DocumentReader.Description(
                name = cursor.at(OpenableColumns.DISPLAY_NAME)?.let(cursor::getString),
                bytes = cursor.at(OpenableColumns.SIZE)?.let(cursor::getLong)?.takeIf { it >= 0 },
            )
        } ?: DocumentReader.Description(null, null)
    }

    override fun open(uri: String): InputStream = wrapErrors { resolver.openInputStream(Uri.parse(uri)) ?: throw IOException("no content") }

    private fun Cursor.at(column: String): Int? = getColumnIndex(column).takeIf { it >= 0 && !isNull(it) }

    /** A revoked permission and errors of the other app arrive as unchecked exceptions of many types. */
    private inline fun <T> wrapErrors(call: () -> T): T = try {
        call()
    } catch (error: RuntimeException) {
        throw IOException(error.message ?: error.javaClass.simpleName, error)
    }
}
