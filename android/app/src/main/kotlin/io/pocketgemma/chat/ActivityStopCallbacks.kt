package io.pocketgemma.chat

import android.app.Activity
import android.app.Application
import android.os.Bundle

/** Calls [stopped] whenever the activity stops. */
internal class ActivityStopCallbacks(private val stopped: () -> Unit) : Application.ActivityLifecycleCallbacks {
    override fun onActivityStopped(activity: Activity) = stopped()

    override fun onActivityCreated(activity: Activity, saved: Bundle?) = Unit

    override fun onActivityStarted(activity: Activity) = Unit

    override fun onActivityResumed(activity: Activity) = Unit

    override fun onActivityPaused(activity: Activity) = Unit

    override fun onActivitySaveInstanceState(activity: Activity, state: Bundle) = Unit

    override fun onActivityDestroyed(activity: Activity) = Unit
}
