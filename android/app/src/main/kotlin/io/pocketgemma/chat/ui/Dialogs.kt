package io.pocketgemma.chat.ui

import android.app.Activity
import android.app.Dialog
import android.content.Context
import android.view.View

/** A dialog must not outlive the window below it, which is destroyed when the activity is recreated. */
internal fun Dialog.dismissWith(context: Context) {
    val below = (context as? Activity)?.window?.decorView ?: return
    below.addOnAttachStateChangeListener(
        object : View.OnAttachStateChangeListener {
            override fun onViewAttachedToWindow(view: View) = Unit

            override fun onViewDetachedFromWindow(view: View) = dismiss()
        },
    )
}
