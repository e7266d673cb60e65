package io.pocketgemma.chat.ui

import android.os.Build
import android.view.View
import android.view.accessibility.AccessibilityManager
import android.widget.Button
import android.widget.TextView
import io.pocketgemma.chat.R

/** A notice at the bottom of the window that disappears after a while, with one action. */
class NoticeBar(private val view: View) {
    private val text: TextView = view.findViewById(R.id.notice_text)
    private val button: Button = view.findViewById(R.id.notice_action)
    private val timeIsOver = Runnable { close() }
    private var gone: () -> Unit = {}

    /** The previous notice disappears immediately. */
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

    /** The window is destroyed: no callbacks, because the notice may be shown again in the next window. */
    fun leave() {
        view.removeCallbacks(timeIsOver)
        gone = {}
    }

    /** As long as the user has configured in the system settings. */
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
