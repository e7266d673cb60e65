package io.pocketgemma.chat.about

import android.app.AlertDialog
import android.content.Context
import android.os.Handler
import android.os.Looper
import android.view.LayoutInflater
import android.view.ViewGroup
import android.widget.TextView
import io.pocketgemma.chat.R
import io.pocketgemma.chat.model.ModelManifest
import io.pocketgemma.chat.ui.FactCard
import io.pocketgemma.chat.ui.dismissWith
import kotlin.concurrent.thread

/** The part of the "about" page that is the same for every model: privacy, licenses, the app itself. */
class AboutApp(private val context: Context) {
    fun add(page: ViewGroup, facts: ModelManifest.Facts?) {
        FactCard(page, R.string.section_privacy).note(context.getString(R.string.privacy_note))
        with(FactCard(page, R.string.section_licence)) {
            note(facts?.licence)
            note(facts?.terms)
            heading(R.string.software_heading)
            software(R.string.software_litert, R.string.software_apache, R.string.software_litert_maker)
            software(R.string.software_kotlin, R.string.software_apache, R.string.software_kotlin_maker)
            software(R.string.software_commonmark, R.string.software_bsd, R.string.software_commonmark_maker)
            button(R.string.software_read_apache) { show(R.raw.apache_license, R.string.software_apache) }
            button(R.string.software_read_bsd) { show(R.raw.commonmark_license, R.string.software_bsd) }
        }
        with(FactCard(page, R.string.section_app)) {
            fact(R.string.fact_version, version())
            note(context.getString(R.string.gemma_note))
        }
    }

    private fun FactCard.software(name: Int, licence: Int, maker: Int) =
        note(context.getString(R.string.software_entry, context.getString(name), context.getString(licence), context.getString(maker)))

    private fun version(): String? = context.packageManager.getPackageInfo(context.packageName, 0).versionName

    private fun show(text: Int, title: Int) {
        val view = LayoutInflater.from(context).inflate(R.layout.licence, null)
        val body = view.findViewById<TextView>(R.id.licence_text)
        AlertDialog.Builder(context).setTitle(title).setView(view).setPositiveButton(R.string.licence_close, null).show().dismissWith(context)
        // The text is a file in the APK, so it is read on another thread.
        thread(name = "licence") {
            val words = context.resources.openRawResource(text).use { it.readBytes().toString(Charsets.UTF_8) }.trim()
            // A View.post from here can get lost if the dialog is attached at the same moment.
            Handler(Looper.getMainLooper()).post { body.text = words }
        }
    }
}
