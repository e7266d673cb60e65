package io.pocketgemma.chat.journey

import java.io.File
import org.json.JSONArray
import org.json.JSONObject

/** Measurements of the app during all tests, collected in the JSON file that pocketgemma.test.figures names. */
internal object Figures {
    private val file = System.getProperty("pocketgemma.test.figures")?.let(::File)

    /** From the launch to the first drawn frame, in milliseconds; a list that includes the first launch of each process. */
    const val ACTIVITY_START = "activity_start_ms"

    /** What [MainThreadMonitor] found; an empty list: it watched and found nothing. */
    const val VIOLATIONS = "main_thread_violations"

    /** Whether file access was watched. */
    const val FILES_WATCHED = "main_thread_files_watched"

    fun put(key: String, value: Any) = change { it.put(key, value) }

    /** Adds those that the list does not contain yet. */
    fun addNew(key: String, values: List<Any>) = change { figures ->
        val known = figures.optJSONArray(key) ?: JSONArray().also { figures.put(key, it) }
        val before = (0 until known.length()).map(known::get)
        values.filter { it !in before }.forEach(known::put)
    }

    fun add(key: String, value: Any) = change { figures ->
        (figures.optJSONArray(key) ?: JSONArray().also { figures.put(key, it) }).put(value)
    }

    private fun change(change: (JSONObject) -> Unit) {
        val target = file ?: return
        val figures = if (target.exists()) JSONObject(target.readText()) else JSONObject()
        change(figures)
        target.writeText(figures.toString(1))
    }
}
