package io.pocketgemma.chat.ui

import android.os.Build
import android.view.View
import android.view.accessibility.AccessibilityManager
import android.widget.Button
import android.widget.TextView
import io.pocketgemma.chat.R

/** A line at the bottom of the window that goes by itself after a while, with one thing to do about it. */
class NoticeBar(private val view: View) {
    private val text: TextView = view.findViewById(R.id.notice_text)
    private val button: Button = view.findViewById(R.id.notice_action)
    private val timeIsOver = Runnable { close() }
    private var gone: () -> Unit = {}

    /** The notice before this one goes at once. */
    fun show(words: String, action: String?, gone: () -> Unit, act: () -> Unit) {
        close()
        this.gone = gone
        text.text = words
        button.text = action
        button.visibility = if (action == null) View.GONE else View.VISIBLE
        button.setOnClickListener {
            this.gone = {}
            close()
            act()
        }
        view.visibility = View.VISIBLE
        view.announceForAccessibility(words)
        view.postDelayed(timeIsOver, millis(action != null))
    }

    private fun close() {
        val was = gone
        gone = {}
        leave()
        view.visibility = View.GONE
        was()
    }

    /** The window goes: no word about it to anybody, for what the notice is about may be shown again in the next window. */
    fun leave() {
        view.removeCallbacks(timeIsOver)
        gone = {}
    }

    /** As long as the person has told the system to need. */
    private fun millis(withAction: Boolean): Long {
        val usual = if (withAction) ACTION_MILLIS else TEXT_MILLIS
        if (Build.VERSION.SDK_INT < Build.VERSION_CODES.Q) return usual.toLong()
        val kinds = AccessibilityManager.FLAG_CONTENT_TEXT or if (withAction) AccessibilityManager.FLAG_CONTENT_CONTROLS else 0
        return view.context.getSystemService(AccessibilityManager::class.java).getRecommendedTimeoutMillis(usual, kinds).toLong()
    }

    private companion object {
        const val TEXT_MILLIS = 3_000
        const val ACTION_MILLIS = 7_000
    }
}
