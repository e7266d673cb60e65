package io.pocketgemma.chat.library

import android.content.Context
import java.io.File
import java.io.FileNotFoundException
import java.io.InputStream

/** Locations of the app's files. Worker threads only: the system creates folders when they are requested. */
interface AppFolders {
    /** Private to the app and excluded from backups. */
    val own: File

    /** Where a computer can push a file; null while that storage is unavailable. */
    val pushed: File?

    /** The runtime's cache, which contains nothing else. The system may empty it. */
    val cache: File

    /** A file in the APK, or null if there is none with this name. */
    fun asset(name: String): InputStream?
}

class AndroidAppFolders(private val context: Context) : AppFolders {
    override val own: File get() = context.noBackupFilesDir
    override val pushed: File? get() = context.getExternalFilesDir(null)
    override val cache: File get() = File(context.cacheDir, "runtime")

    override fun asset(name: String): InputStream? = try {
        context.assets.open(name)
    } catch (_: FileNotFoundException) {
        null
    }
}
