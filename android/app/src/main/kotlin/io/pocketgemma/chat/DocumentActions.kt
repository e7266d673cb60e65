package io.pocketgemma.chat

import android.app.Activity
import android.content.ActivityNotFoundException
import android.content.ClipData
import android.content.ClipboardManager
import android.content.Intent
import android.net.Uri
import android.os.Build
import io.pocketgemma.chat.export.Export
import io.pocketgemma.chat.library.LibraryEvent
import io.pocketgemma.chat.ui.Shell
import kotlin.concurrent.thread

/**
 * Sends data out of the app through the system (share sheet, "save as", clipboard) and gets files from its picker. None of this needs a
 * permission.
 *
 * @param waiting an export whose "save as" dialog was open when the activity was recreated.
 */
class DocumentActions(
    private val activity: Activity,
    private val shell: Shell,
    var waiting: Export?,
    private val toLibrary: (LibraryEvent) -> Unit,
) {
    fun pick() = start(
        Intent(Intent.ACTION_OPEN_DOCUMENT).addCategory(Intent.CATEGORY_OPENABLE).setType("*/*"),
        PICK,
    )

    fun save(export: Export) {
        waiting = export
        start(
            Intent(Intent.ACTION_CREATE_DOCUMENT).addCategory(Intent.CATEGORY_OPENABLE)
                .setType(export.format.mimeType).putExtra(Intent.EXTRA_TITLE, export.fileName),
            SAVE,
        )
    }

    fun share(export: Export) {
        if (export.text.length <= MAX_SHARED) {
            share(export.text, export.fileName)
        } else {
            shell.notice(activity.getString(R.string.too_long_to_share), activity.getString(R.string.save_instead)) { save(export) }
        }
    }

    fun share(text: String, title: String) {
        if (text.length > MAX_SHARED) return shell.notice(activity.getString(R.string.too_long_to_share))
        val send = Intent(Intent.ACTION_SEND).setType("text/plain").putExtra(Intent.EXTRA_TEXT, text).putExtra(Intent.EXTRA_SUBJECT, title)
        start(Intent.createChooser(send, title), SHARE)
    }

    fun copy(text: String) {
        val label = activity.getString(R.string.app_name)
        activity.getSystemService(ClipboardManager::class.java).setPrimaryClip(ClipData.newPlainText(label, text))
        // From Android 13, the system shows this itself.
        if (Build.VERSION.SDK_INT < Build.VERSION_CODES.TIRAMISU) shell.notice(activity.getString(R.string.copied))
    }

    /** Result of the system's picker; [uri] is null if the user went back. */
    fun answer(request: Int, uri: Uri?) {
        val export = waiting
        if (request == SAVE) waiting = null
        when {
            uri == null -> return
            request == PICK -> toLibrary(LibraryEvent.ImportFile(uri.toString()))
            request != SAVE -> return
            // The process was ended in the meantime, and the text with it.
            export == null -> shell.notice(activity.getString(R.string.not_saved))
            else -> write(export, uri)
        }
    }

    private fun write(export: Export, uri: Uri) = thread(name = "save") {
        val saved = try {
            // "wt" truncates: the end of a longer existing file must not remain.
            activity.contentResolver.openOutputStream(uri, "wt")?.use { it.write(export.text.toByteArray()) } != null
        } catch (_: Exception) {
            // Another app implements the destination and may throw any exception.
            false
        }
        activity.runOnUiThread {
            if (!activity.isDestroyed) shell.notice(activity.getString(if (saved) R.string.saved else R.string.not_saved))
        }
    }

    private fun start(intent: Intent, request: Int) {
        try {
            @Suppress("DEPRECATION")
            activity.startActivityForResult(intent, request)
        } catch (_: ActivityNotFoundException) {
            waiting = null
            shell.notice(activity.getString(R.string.no_app_for_that))
        }
    }

    private companion object {
        const val PICK = 1
        const val SAVE = 2
        const val SHARE = 3

        /**
         * In characters of two bytes. The text is sent twice, because the framework copies EXTRA_TEXT into the intent's ClipData, and the
         * buffer for the asynchronous call to the other app has room for about half a megabyte.
         */
        const val MAX_SHARED = 50_000
    }
}
