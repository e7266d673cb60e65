package io.pocketgemma.chat.library

import android.content.Context
import java.io.File
import java.io.FileNotFoundException
import java.io.InputStream

/** Where the app's files lie. Worker threads only: the system makes folders when it is asked for them. */
interface Places {
    /** The app's own, not taken along by backups. */
    val own: File

    /** Where a computer can push a file to; null while that storage is away. */
    val pushed: File?

    /** Where the runtime keeps what it prepares; nothing else lies there. The system may empty it. */
    val cache: File

    /** A file inside the APK, or null when there is none of this name. */
    fun asset(name: String): InputStream?
}

class AppPlaces(private val context: Context) : Places {
    override val own: File get() = context.noBackupFilesDir
    override val pushed: File? get() = context.getExternalFilesDir(null)
    override val cache: File get() = File(context.cacheDir, "runtime")

    override fun asset(name: String): InputStream? = try {
        context.assets.open(name)
    } catch (_: FileNotFoundException) {
        null
    }
}
