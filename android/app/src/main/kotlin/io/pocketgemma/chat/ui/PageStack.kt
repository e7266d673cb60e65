package io.pocketgemma.chat.ui

import android.os.Build
import android.view.View
import android.view.ViewGroup
import android.view.animation.DecelerateInterpolator

/** The open pages, with the chat at the bottom. A page is created when it is first opened, and kept while the activity lives. */
class PageStack(private val container: ViewGroup, saved: Array<String>?, private val make: (Screen) -> Page) {
    private val made = HashMap<Screen, Page>()
    private val open = ArrayList(
        saved?.mapNotNull { name -> Screen.entries.find { it.name == name } }?.takeIf { it.firstOrNull() == Screen.CHAT } ?: listOf(Screen.CHAT),
    )

    val isAtRoot: Boolean get() = open.size == 1

    fun saved(): Array<String> = open.map { it.name }.toTypedArray()

    /** The top page comes to the front, or returns to it. */
    fun show() {
        val page = top()
        page.view.visibility = View.VISIBLE
        // Otherwise, the first editable or selectable text would take the focus, and with it open the keyboard or scroll.
        page.view.requestFocus()
        page.show()
    }

    fun hide() = top().hide()

    fun open(screen: Screen, visible: Boolean) {
        if (screen == open.last()) return
        change(visible) {
            val below = open.indexOf(screen)
            if (below < 0) open += screen else open.subList(below + 1, open.size).clear()
        }
    }

    /** False if there is no page to go back to. */
    fun back(visible: Boolean): Boolean {
        if (top().back()) return true
        if (isAtRoot) return false
        change(visible) { open.removeAt(open.lastIndex) }
        return true
    }

    private fun change(visible: Boolean, change: () -> Unit) {
        if (visible) hide()
        // Out of reach of TalkBack and the keyboard while it is covered.
        top().view.visibility = View.GONE
        change()
        if (!visible) return
        show()
        comeIn(top().view)
    }

    private fun comeIn(view: View) {
        view.alpha = 0f
        view.translationY = view.resources.displayMetrics.density * RISE_DP
        view.animate().alpha(1f).translationY(0f).setDuration(MILLIS).setInterpolator(DecelerateInterpolator())
    }

    private fun top(): Page = made.getOrPut(open.last()) {
        make(open.last()).also {
            it.view.isFocusableInTouchMode = true
            // Without the focus highlight over the whole page.
            if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.O) it.view.defaultFocusHighlightEnabled = false
            if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.P) it.view.accessibilityPaneTitle = it.view.context.getString(titleOf(open.last()))
            container.addView(it.view)
        }
    }

    private companion object {
        const val RISE_DP = 12
        const val MILLIS = 160L
    }
}
