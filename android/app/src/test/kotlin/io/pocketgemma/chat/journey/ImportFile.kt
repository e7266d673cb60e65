package io.pocketgemma.chat.journey

import io.pocketgemma.chat.R
import java.io.File

/** Imports a file through the models page and the system's picker, and uses it. Leaves the models page open. */
internal fun importFile(phone: Phone, file: File, name: String, use: Boolean = true) = with(phone) {
    if (!isShown(R.id.models_page)) {
        tap(R.id.more)
        tap(activity.getString(R.string.page_models))
    }
    until("the models are listed") { isShown(R.id.import_file) }
    tap(R.id.import_file)
    OtherApps(this).pick(name, file.length()) { file.inputStream() }
    val shown = name.substringBeforeLast('.')
    until("$name is here") { isShown(R.id.notice_action) && text(R.id.notice_text).contains(shown) }
    if (use) tap(R.id.notice_action)
}
