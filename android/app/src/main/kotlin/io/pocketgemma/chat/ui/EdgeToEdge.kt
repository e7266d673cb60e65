package io.pocketgemma.chat.ui

import android.app.Activity
import android.os.Build
import android.view.View
import android.view.WindowInsets

/** Draws behind the system bars on every version, as Android 15 requires, and keeps the content clear of bars, cutout, and keyboard. */
object EdgeToEdge {
    fun apply(activity: Activity, content: View) {
        if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.R) {
            activity.window.setDecorFitsSystemWindows(false)
        } else {
            @Suppress("DEPRECATION")
            content.systemUiVisibility = View.SYSTEM_UI_FLAG_LAYOUT_STABLE or View.SYSTEM_UI_FLAG_LAYOUT_FULLSCREEN
        }
        content.setOnApplyWindowInsetsListener { view, insets ->
            pad(view, insets)
            insets
        }
    }

    private fun pad(view: View, insets: WindowInsets) {
        if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.R) {
            val kinds = WindowInsets.Type.systemBars() or WindowInsets.Type.displayCutout() or WindowInsets.Type.ime()
            val edges = insets.getInsets(kinds)
            view.setPadding(edges.left, edges.top, edges.right, edges.bottom)
        } else {
            @Suppress("DEPRECATION")
            with(insets) { view.setPadding(systemWindowInsetLeft, systemWindowInsetTop, systemWindowInsetRight, systemWindowInsetBottom) }
        }
    }
}
