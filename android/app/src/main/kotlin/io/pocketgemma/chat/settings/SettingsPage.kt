package io.pocketgemma.chat.settings

import android.app.AlertDialog
import android.text.InputType
import android.view.LayoutInflater
import android.view.View
import android.view.ViewGroup
import android.widget.TextView
import io.pocketgemma.chat.R
import io.pocketgemma.chat.library.LibraryEvent
import io.pocketgemma.chat.library.LibraryState
import io.pocketgemma.chat.model.ModelStore
import io.pocketgemma.chat.store.Store
import io.pocketgemma.chat.ui.Page
import io.pocketgemma.chat.ui.Screen
import io.pocketgemma.chat.ui.SettingLabels
import io.pocketgemma.chat.ui.Shell
import io.pocketgemma.chat.ui.Texts
import io.pocketgemma.chat.ui.Watch
import io.pocketgemma.chat.ui.dismissWith
import io.pocketgemma.chat.ui.header
import kotlin.math.roundToInt

/** The stores that the settings page shows and changes. */
interface SettingsPageStores {
    val model: ModelStore
    val library: Store<LibraryState, LibraryEvent>
    val settings: Store<SettingsState, SettingsEvent>
}

/** All settings, each with an explanation. */
class SettingsPage(parent: ViewGroup, private val stores: SettingsPageStores, private val shell: Shell) : Page {
    override val view: View = LayoutInflater.from(parent.context).inflate(R.layout.settings, parent, false)

    private val context = view.context
    private val inflater = LayoutInflater.from(context)
    private val texts = Texts(context)
    private val watch = Watch()
    private val sections: ViewGroup = view.findViewById(R.id.settings_sections)

    private val running = section(R.string.settings_running)
    private val model = inflater.inflate(R.layout.setting_model, running, false).also(running::addView)
    private val backend = BackendSetting(running) { change { copy(backend = it) } }
    private val threads = SliderSetting(
        running,
        SettingLabels(R.id.set_threads, R.string.set_threads, R.string.set_threads_meaning),
        steps = Settings.THREADS.map { it.toDouble() },
        words = { if (it < 1) context.getString(R.string.set_threads_automatic) else count(R.plurals.set_threads_count, it) },
        read = { it.threads.toDouble() },
    ) { change { copy(threads = it.roundToInt()) } }

    private val words = section(R.string.settings_words)
    private val ownSampling = SwitchSetting(
        words,
        SettingLabels(R.id.set_sampling, R.string.set_sampling, R.string.set_sampling_meaning),
        read = { it.ownSampling },
    ) { change { copy(ownSampling = it) } }
    private val sampling = listOf(
        SliderSetting(
            words,
            SettingLabels(R.id.set_temperature, R.string.set_temperature, R.string.set_temperature_meaning),
            steps = evenly(Settings.MAX_TEMPERATURE.toDouble()),
            words = { texts.number(it) },
            read = { it.sampling.temperature.toDouble() },
        ) { change { copy(sampling = sampling.copy(temperature = it.toFloat())) } },
        SliderSetting(
            words,
            SettingLabels(R.id.set_top_k, R.string.set_top_k, R.string.set_top_k_meaning),
            steps = TOP_K_STEPS,
            words = { count(R.plurals.set_top_k_count, it) },
            read = { it.sampling.topK.toDouble() },
        ) { change { copy(sampling = sampling.copy(topK = it.roundToInt())) } },
        SliderSetting(
            words,
            SettingLabels(R.id.set_top_p, R.string.set_top_p, R.string.set_top_p_meaning),
            steps = evenly(1.0),
            words = { texts.percent(it) },
            read = { it.sampling.topP.toDouble() },
        ) { change { copy(sampling = sampling.copy(topP = it.toFloat())) } },
        FieldSetting(
            words,
            SettingLabels(R.id.set_seed, R.string.set_seed, R.string.set_seed_meaning),
            hint = R.string.set_seed_random,
            inputType = InputType.TYPE_CLASS_NUMBER,
            longest = SEED_DIGITS,
            read = { if (it.sampling.seed == 0) "" else it.sampling.seed.toString() },
        ) { change { copy(sampling = sampling.copy(seed = it.toIntOrNull() ?: 0)) } },
    )

    private val replies = section(R.string.settings_replies)
    private val replyTokens = SliderSetting(
        replies,
        SettingLabels(R.id.set_reply_tokens, R.string.set_reply_tokens, R.string.set_reply_tokens_meaning),
        steps = REPLY_STEPS,
        words = { texts.tokens(it.roundToInt()) },
        read = { it.replyTokens.toDouble() },
    ) { change { copy(replyTokens = it.roundToInt()) } }
    private val systemPrompt = FieldSetting(
        replies,
        SettingLabels(R.id.set_system_prompt, R.string.set_system_prompt, R.string.set_system_prompt_meaning),
        hint = R.string.set_system_prompt_hint,
        inputType = InputType.TYPE_CLASS_TEXT or InputType.TYPE_TEXT_FLAG_MULTI_LINE or InputType.TYPE_TEXT_FLAG_CAP_SENTENCES,
        longest = Settings.MAX_SYSTEM_PROMPT,
        read = { it.systemPrompt },
    ) { change { copy(systemPrompt = it) } }
    private val metrics = SwitchSetting(
        replies,
        SettingLabels(R.id.set_numbers, R.string.set_numbers, R.string.set_numbers_meaning),
        read = { it.showMetrics },
    ) { change { copy(showMetrics = it) } }

    private val privacy = section(R.string.settings_privacy)
    private val backup = SwitchSetting(
        privacy,
        SettingLabels(R.id.set_backup, R.string.set_backup, R.string.set_backup_meaning),
        read = { it.backUp },
    ) { change { copy(backUp = it) } }

    private val controls = listOf(backend, threads, ownSampling) + sampling + listOf(replyTokens, systemPrompt, metrics, backup)

    init {
        view.header(Screen.SETTINGS, shell)
        model.setOnClickListener { shell.open(Screen.MODELS) }
        val reset = inflater.inflate(R.layout.settings_reset, sections, false)
        reset.setOnClickListener { confirmReset() }
        sections.addView(reset)
    }

    override fun show() {
        watch.on(stores.settings, ::render)
        watch.on(stores.library) { renderModel() }
        watch.on(stores.model, backend::render)
    }

    override fun hide() = watch.close()

    private fun render(state: SettingsState) {
        // A change before the settings are loaded would overwrite the stored ones.
        sections.visibility = if (state.loaded) View.VISIBLE else View.INVISIBLE
        controls.forEach { it.render(state.settings) }
        sampling.forEach { it.view.visibility = if (state.settings.ownSampling) View.VISIBLE else View.GONE }
        renderModel()
    }

    private fun renderModel() {
        val library = stores.library.state
        model.findViewById<TextView>(R.id.set_model_name).text = texts.selectionName(library, library.present(stores.settings.state.settings.selection))
    }

    private fun change(change: Settings.() -> Settings) =
        stores.settings.dispatch(SettingsEvent.Change(stores.settings.state.settings.change()))

    private fun confirmReset() {
        AlertDialog.Builder(context)
            .setTitle(R.string.reset_title)
            .setMessage(R.string.reset_text)
            .setNegativeButton(R.string.cancel, null)
            .setPositiveButton(R.string.reset_confirm) { _, _ -> stores.settings.dispatch(SettingsEvent.Reset) }
            .show().dismissWith(context)
    }

    private fun section(title: Int): ViewGroup {
        val section = inflater.inflate(R.layout.section, sections, false)
        section.findViewById<TextView>(R.id.section_title).setText(title)
        sections.addView(section)
        return section.findViewById(R.id.section_body)
    }

    private fun count(plural: Int, value: Double): String =
        context.resources.getQuantityString(plural, value.roundToInt(), texts.number(value.roundToInt()))

    private companion object {
        const val PER_UNIT = 20

        /** Finer steps where they matter more. */
        val TOP_K_STEPS = listOf(1, 2, 3, 4, 5, 8, 10, 16, 20, 32, 40, 64, 96, 128, 192, 256).map { it.toDouble() }
        val REPLY_STEPS = listOf(16, 32, 64, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048, 3072, 4096).map { it.toDouble() }
        const val SEED_DIGITS = 9

        /** From 0 to [most] in steps of 0.05. */
        fun evenly(most: Double): List<Double> = (0..(most * PER_UNIT).roundToInt()).map { it.toDouble() / PER_UNIT }
    }
}
