package io.pocketgemma.chat.settings

import android.view.LayoutInflater
import android.view.View
import android.view.ViewGroup
import android.widget.RadioGroup
import io.pocketgemma.chat.R
import io.pocketgemma.chat.model.Backend
import io.pocketgemma.chat.model.ModelState

/** CPU or GPU, and a message if the GPU was selected but could not be used. */
class BackendSetting(parent: ViewGroup, change: (Backend) -> Unit) : SettingControl {
    override val view: View = LayoutInflater.from(parent.context).inflate(R.layout.setting_backend, parent, false)
    private val group: RadioGroup = view.findViewById(R.id.set_backend)
    private val fellBack: View = view.findViewById(R.id.set_backend_fell_back)
    private var rendering = false

    init {
        for (id in listOf(R.id.backend_cpu, R.id.backend_gpu)) view.findViewById<View>(id).isSaveEnabled = false
        group.setOnCheckedChangeListener { _, id ->
            if (!rendering) change(if (id == R.id.backend_gpu) Backend.GPU else Backend.CPU)
        }
        parent.addView(view)
    }

    override fun render(settings: Settings) {
        rendering = true
        group.check(if (settings.backend == Backend.GPU) R.id.backend_gpu else R.id.backend_cpu)
        rendering = false
    }

    fun render(model: ModelState) {
        fellBack.visibility = if (model is ModelState.Ready && model.fellBack) View.VISIBLE else View.GONE
    }
}
