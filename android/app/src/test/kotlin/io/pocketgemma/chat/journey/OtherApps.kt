package io.pocketgemma.chat.journey

import android.app.Activity
import android.content.ClipboardManager
import android.content.ContentProvider
import android.content.ContentValues
import android.content.Intent
import android.database.Cursor
import android.database.MatrixCursor
import android.net.Uri
import android.provider.OpenableColumns
import java.io.ByteArrayOutputStream
import java.io.InputStream
import org.robolectric.Robolectric
import org.robolectric.Shadows.shadowOf

/** The world outside the app: the system's pickers, the share sheet, and the clipboard. */
class OtherApps(private val phone: Phone) {
    /** A folder of another app, from which the user selects. */
    class Folder : ContentProvider() {
        val files = mutableMapOf<String, Pair<String?, Long?>>()

        override fun onCreate() = true

        override fun query(uri: Uri, columns: Array<String>?, where: String?, arguments: Array<String>?, order: String?): Cursor =
            MatrixCursor(arrayOf(OpenableColumns.DISPLAY_NAME, OpenableColumns.SIZE)).apply {
                files[uri.toString()]?.let { addRow(arrayOf<Any?>(it.first, it.second)) }
            }

        override fun getType(uri: Uri) = "application/octet-stream"

        override fun insert(uri: Uri, values: ContentValues?) = null

        override fun delete(uri: Uri, where: String?, arguments: Array<String>?) = 0

        override fun update(uri: Uri, values: ContentValues?, where: String?, arguments: Array<String>?) = 0
    }

    private val folder: Folder = Robolectric.setupContentProvider(Folder::class.java, AUTHORITY)
    private var count = 0

    /** The app has opened the file picker; the user selects a file. Without a [size], the other app does not report it. */
    fun pick(name: String, size: Long?, content: () -> InputStream) {
        val asked = requireNotNull(shadowOf(phone.activity).nextStartedActivityForResult) { "no picker was opened" }
        check(asked.intent.action == Intent.ACTION_OPEN_DOCUMENT) { "${asked.intent} is no picker" }
        val uri = Uri.parse("content://$AUTHORITY/${count++}")
        folder.files[uri.toString()] = name to size
        shadowOf(phone.activity.contentResolver).registerInputStreamSupplier(uri, content)
        shadowOf(phone.activity).receiveResult(asked.intent, Activity.RESULT_OK, Intent().setData(uri))
        phone.settle()
    }

    /** The app has opened "save as"; the user selects a destination. Returns the suggested name and, when called, what was written. */
    fun save(): Pair<String, () -> String> {
        val asked = requireNotNull(shadowOf(phone.activity).nextStartedActivityForResult) { "no picker was opened" }
        check(asked.intent.action == Intent.ACTION_CREATE_DOCUMENT) { "${asked.intent} does not save" }
        val uri = Uri.parse("content://$AUTHORITY/${count++}")
        val written = ByteArrayOutputStream()
        shadowOf(phone.activity.contentResolver).registerOutputStream(uri, written)
        shadowOf(phone.activity).receiveResult(asked.intent, Activity.RESULT_OK, Intent().setData(uri))
        phone.settle()
        return asked.intent.getStringExtra(Intent.EXTRA_TITLE).orEmpty() to { written.toString(Charsets.UTF_8) }
    }

    /** The text that the app passed to the share sheet. */
    fun shared(): String {
        val chooser = requireNotNull(shadowOf(phone.activity).nextStartedActivity) { "nothing was shared" }
        val sent = requireNotNull(chooser.getParcelableExtra(Intent.EXTRA_INTENT, Intent::class.java)) { "$chooser is no share sheet" }
        return sent.getStringExtra(Intent.EXTRA_TEXT).orEmpty()
    }

    fun clipboard(): String =
        phone.activity.getSystemService(ClipboardManager::class.java).primaryClip?.getItemAt(0)?.text?.toString().orEmpty()

    private companion object {
        const val AUTHORITY = "another.app"
    }
}
