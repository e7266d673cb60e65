package io.pocketgemma.chat.runtime

import io.pocketgemma.chat.model.Backend
import io.pocketgemma.chat.model.ConversationConfig
import io.pocketgemma.chat.model.EngineOptions
import io.pocketgemma.chat.model.LanguageModel
import io.pocketgemma.chat.model.ModelException
import io.pocketgemma.chat.model.ModelProblem
import io.pocketgemma.chat.model.ReplyEnd
import io.pocketgemma.chat.model.ReplyMetrics
import io.pocketgemma.chat.model.Role
import io.pocketgemma.chat.model.Sampling
import io.pocketgemma.chat.model.Turn
import java.io.File
import kotlin.random.Random

/**
 * The only access to LiteRT-LM: one loaded model with one conversation at a time.
 *
 * @param model a .litertlm file.
 * @param cacheFolder where the runtime may store prepared data (its weights repacked for this CPU); created if missing.
 * @throws ModelException the runtime does not accept the file, or the GPU does not accept the model.
 */
class LiteRtLm(
    private val model: File,
    private val cacheFolder: File,
    private val options: EngineOptions = EngineOptions(),
) : LanguageModel {
    override val backend = options.backend

    // Guards the handle: any thread may call cancel() while the worker ends the conversation.
    private val lock = Any()
    private var conversation = 0L

    private val gpuTrial = if (options.backend == Backend.GPU) GpuTrial(cacheFolder) else null
    private var gpuTried = false
    private var engine = load()

    override val contextTokens: Int?

    /** The sampling values in the file; null: none. */
    private val fileSampling: Sampling?

    init {
        val facts = Native.nativeDescribe(model.path.toByteArray())
        contextTokens = facts?.get(0)?.toInt()?.takeIf { it > 0 }
        fileSampling = facts?.let { samplingOf(it) }
    }

    private val adapters = EngineAdapters(model, cacheFolder)

    // Whether the model's template supports a system turn; null: not tried yet.
    private var systemTurns: Boolean? = null

    // A system prompt to prepend to the next question, because the template supports no system turn.
    private var pendingPrompt = ""
    private var measuredReplies = 0

    private fun load(): Long {
        cacheFolder.mkdirs()
        val threads = options.usedThreads
        gpuTrial?.begin()
        val engine = try {
            Native.nativeCreateEngine(model.path.toByteArray(), cacheFolder.path.toByteArray(), options.backend == Backend.GPU, threads)
        } finally {
            gpuTrial?.end()
        }
        return if (engine != 0L) engine else throw ModelException(ModelProblem.Unusable(Native.lastError()))
    }

    override fun begin(config: ConversationConfig, adapter: File?) {
        endConversation()
        if (adapters.isFull) {
            Native.nativeDeleteEngine(engine)
            engine = 0L
            adapters.forget()
        }
        if (engine == 0L) engine = load()
        val prompt = config.systemPrompt.trim()
        pendingPrompt = ""
        val handle = when {
            prompt.isEmpty() || takesSystemTurn(prompt, adapter) -> create(config, adapter, prompt, config.history)
            else -> createWithPromptInQuestion(config, adapter, prompt)
        }
        measuredReplies = 0
        synchronized(lock) { conversation = handle }
    }

    /** Some templates reject a system turn, others drop it silently. */
    private fun takesSystemTurn(prompt: String, adapter: File?): Boolean = systemTurns ?: run {
        val alone = create(ConversationConfig(), adapter, prompt, emptyList())
        val rendered = Native.nativeRender(alone, Messages.question("?"))
        Native.nativeDeleteConversation(alone)
        (rendered != null && prompt in String(rendered, Charsets.UTF_8)).also { systemTurns = it }
    }

    /** In the same way as Gemma's own templates: the prompt and an empty line before the user's first message. */
    private fun createWithPromptInQuestion(config: ConversationConfig, adapter: File?, prompt: String): Long {
        val first = config.history.indexOfFirst { it.role == Role.USER }
        val turns = config.history.mapIndexed { index, turn -> if (index == first) turn.copy(text = "$prompt\n\n${turn.text}") else turn }
        if (first < 0) pendingPrompt = "$prompt\n\n"
        return create(config, adapter, "", turns)
    }

    private fun create(config: ConversationConfig, adapter: File?, systemPrompt: String, turns: List<Turn>): Long {
        val wanted = config.sampling ?: fileSampling
        // The runtime supports one sampler only; top-k 1 gives the most likely token.
        val sampling = if (wanted != null && wanted.temperature <= 0) Sampling(topK = 1, topP = 1f, temperature = 1f) else wanted
        val handle = Native.nativeCreateConversation(
            engine,
            Messages.list(systemPrompt, turns),
            adapters.toName(adapter)?.path?.toByteArray(),
            sampling?.topK ?: 0,
            sampling?.topP ?: 0f,
            sampling?.temperature ?: 0f,
            sampling?.seed?.takeIf { it != 0 } ?: Random.nextInt(1, Int.MAX_VALUE),
            config.replyTokens,
        )
        if (handle != 0L) return handle
        adapters.failed()
        throw ModelException(ModelProblem.Unusable(Native.lastError()))
    }

    override fun reply(question: String, onText: (String) -> Unit): ReplyEnd {
        check(conversation != 0L) { "no conversation was begun" }
        val trial = gpuTrial?.takeUnless { gpuTried }
        trial?.begin()
        val end = try {
            send(pendingPrompt + question, onText)
        } finally {
            trial?.end()
        }
        gpuTried = true
        if (end is ReplyEnd.Complete) pendingPrompt = ""
        if (end is ReplyEnd.Complete || end is ReplyEnd.Stopped) adapters.answered() else adapters.failed()
        return end
    }

    private fun send(question: String, onText: (String) -> Unit): ReplyEnd {
        val sink = ReplySink(onText)
        if (Native.nativeSend(conversation, Messages.question(question), sink) != 0) return failed(Native.lastError())
        val error = sink.await()
        val metrics = metrics(sink.secondsToFirstText)
        return when {
            // If no room is left, the runtime neither measures anything nor reports an error.
            error == null && metrics == null && sink.secondsToFirstText == null -> ReplyEnd.ContextFull
            error == null -> ReplyEnd.Complete(metrics)
            error.startsWith(CANCELLED) -> ReplyEnd.Stopped(metrics)
            else -> failed(error)
        }
    }

    private fun failed(error: String) = if (CONTEXT_FULL.any { it in error }) ReplyEnd.ContextFull else ReplyEnd.Failed(error)

    /** The runtime's measurements of the last reply; null if there are none. */
    private fun metrics(secondsToFirstText: Double?): ReplyMetrics? {
        val (replies, promptTokens, promptSpeed, tokens, speed) = Native.nativeMeasured(conversation) ?: return null
        if (replies.toInt() == measuredReplies) return null
        measuredReplies = replies.toInt()
        return ReplyMetrics(secondsToFirstText ?: 0.0, promptTokens.toInt(), promptSpeed, tokens.toInt(), speed, residentBytes())
    }

    override fun countTokens(text: String): Int {
        val count = Native.nativeCountTokens(engine, text.toByteArray())
        check(count >= 0) { Native.lastError() }
        return count
    }

    override fun cancel() = synchronized(lock) { if (conversation != 0L) Native.nativeCancel(conversation) }

    override fun close() {
        endConversation()
        if (engine != 0L) Native.nativeDeleteEngine(engine)
        engine = 0L
    }

    // Conversations must be deleted before their engine.
    private fun endConversation() = synchronized(lock) {
        if (conversation != 0L) Native.nativeDeleteConversation(conversation)
        conversation = 0L
    }

    companion object {
        /** Log levels of the runtime: 4 errors only, 1000 silent. */
        const val LOG_ERRORS = 4
        const val LOG_NOTHING = 1000

        /** Start of the runtime's message for a canceled reply. */
        private const val CANCELLED = "CANCELLED"

        /** Part of the runtime's message if a question, or a chat with it, exceeds the context. */
        private val CONTEXT_FULL = listOf("Input token ids are too long", "exceeds available state entries")

        /** The runtime's numbers of the samplers that a file can specify. */
        private const val TOP_K = 1
        private const val TOP_P = 2
        private const val GREEDY = 3

        /** Allows the GPU again, although a trial with this cache folder may have crashed the app. */
        fun retryGpu(cacheFolder: File) = GpuTrial(cacheFolder).reset()

        fun setLogLevel(level: Int) = Native.nativeSetLogLevel(level)

        private fun samplingOf(facts: DoubleArray): Sampling? {
            val (_, type, temperature, topK, topP) = facts
            return when (type.toInt()) {
                GREEDY -> Sampling(temperature = 0f)
                TOP_K -> Sampling(temperature.toFloat(), topK.toInt(), topP = 1f)
                TOP_P -> Sampling(temperature.toFloat(), topK.toInt(), topP.toFloat())
                else -> null
            }?.takeIf { it.topK > 0 }
        }
    }
}
