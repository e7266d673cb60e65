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
 * What goes out of the app by the system's own ways (share sheet, "save as", clipboard) and comes in by its file picker. None of them
 * needs a permission.
 *
 * @param waiting an export for which "save as" was open when the phone was turned.
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
        if (export.text.length <= MOST_SHARED) {
            share(export.text, export.fileName)
        } else {
            shell.notice(activity.getString(R.string.too_long_to_share), activity.getString(R.string.save_instead)) { save(export) }
        }
    }

    fun share(text: String, title: String) {
        if (text.length > MOST_SHARED) return shell.notice(activity.getString(R.string.too_long_to_share))
        val send = Intent(Intent.ACTION_SEND).setType("text/plain").putExtra(Intent.EXTRA_TEXT, text).putExtra(Intent.EXTRA_SUBJECT, title)
        start(Intent.createChooser(send, title), SHARE)
    }

    fun copy(text: String) {
        val label = activity.getString(R.string.app_name)
        activity.getSystemService(ClipboardManager::class.java).setPrimaryClip(ClipData.newPlainText(label, text))
        // From Android 13 on the system says so itself.
        if (Build.VERSION.SDK_INT < Build.VERSION_CODES.TIRAMISU) shell.notice(activity.getString(R.string.copied))
    }

    /** The system's picker has answered; [uri] is null when the person went back. */
    fun answer(request: Int, uri: Uri?) {
        val export = waiting
        if (request == SAVE) waiting = null
        when {
            uri == null -> return
            request == PICK -> toLibrary(LibraryEvent.ImportFile(uri.toString()))
            request != SAVE -> return
            // The process was ended meanwhile, and the text with it.
            export == null -> shell.notice(activity.getString(R.string.not_saved))
            else -> write(export, uri)
        }
    }

    private fun write(export: Export, uri: Uri) = thread(name = "save") {
        val saved = try {
            // "wt": a longer file that stood there before must not show through at the end.
            activity.contentResolver.openOutputStream(uri, "wt")?.use { it.write(export.text.toByteArray()) } != null
        } catch (_: Exception) {
            // Another app's code stands behind the place, and throws what it likes.
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
         * Characters of two bytes each. They travel twice, for the framework copies EXTRA_TEXT into the intent's ClipData; and on their way
         * to the other app there is room for some half a megabyte in all, as that call waits for no answer.
         */
        const val MOST_SHARED = 50_000
    }
}
