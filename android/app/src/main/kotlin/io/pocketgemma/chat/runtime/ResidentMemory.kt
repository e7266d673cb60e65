package io.pocketgemma.chat.runtime

import java.io.File
import java.io.IOException

/** Memory in use by this process, including the pages of the model that were read, in bytes. Null if the system does not report it. */
internal fun residentBytes(status: File = File("/proc/self/status")): Long? = try {
    status.useLines { lines ->
        lines.firstOrNull { it.startsWith("VmRSS:") }?.split(WHITE_SPACE)?.getOrNull(1)?.toLongOrNull()?.times(BYTES_A_KILOBYTE)
    }
} catch (_: IOException) {
    null
}

private val WHITE_SPACE = Regex("\\s+")
private const val BYTES_A_KILOBYTE = 1024L
