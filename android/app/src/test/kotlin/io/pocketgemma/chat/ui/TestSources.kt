package io.pocketgemma.chat.ui

import io.pocketgemma.chat.chat.ModelSource
import io.pocketgemma.chat.model.LanguageModel
import io.pocketgemma.chat.model.ModelException
import io.pocketgemma.chat.model.ModelManifest
import io.pocketgemma.chat.model.ModelProblem
import io.pocketgemma.chat.model.ReplyEnd
import io.pocketgemma.chat.model.Turn
import io.pocketgemma.chat.runtime.LiteRtLm
import java.io.File
import java.nio.file.Files
import java.util.concurrent.LinkedBlockingQueue
import java.util.concurrent.TimeUnit

/** A real model file behind the real runtime, told as [manifest] says. */
class FileSource(
    private val file: File,
    private val manifest: ModelManifest,
    private val questions: List<String> = emptyList(),
    private val maxReplyTokens: Int = LiteRtLm.DEFAULT_REPLY_TOKENS,
) : ModelSource {
    override fun manifest() = manifest

    override fun sampleQuestions() = questions

    override fun load(manifest: ModelManifest, onProgress: (Double) -> Unit): LanguageModel {
        LiteRtLm.setLogLevel(LiteRtLm.LOG_NOTHING)
        val cache = Files.createTempDirectory("cache").toFile().apply { deleteOnExit() }
        return LiteRtLm(file.path, cache.path, threads = 2, maxReplyTokens = maxReplyTokens)
    }
}

/** A model that writes a line whenever [more] is called, and ends with [end]. */
class ScriptedSource : ModelSource {
    private val lines = LinkedBlockingQueue<String>()

    fun more(line: String) = lines.put(line)

    fun end() = lines.put(END)

    override fun manifest() = ModelManifest("Scripted")

    override fun sampleQuestions() = emptyList<String>()

    override fun load(manifest: ModelManifest, onProgress: (Double) -> Unit): LanguageModel = object : LanguageModel {
        override fun begin(history: List<Turn>) = Unit

        override fun reply(question: String, onText: (String) -> Unit): ReplyEnd {
            generateSequence { lines.poll(30, TimeUnit.SECONDS) }.takeWhile { it != END }.forEach { onText("$it\n") }
            return ReplyEnd.Complete(null)
        }

        override fun cancel() = end()

        override fun close() = Unit
    }

    private companion object {
        const val END = "\u0000"
    }
}

/** No model, for the reason given. */
class NoSource(private val problem: ModelProblem) : ModelSource {
    override fun manifest() = ModelManifest("PocketGemma")

    override fun sampleQuestions() = emptyList<String>()

    override fun load(manifest: ModelManifest, onProgress: (Double) -> Unit): LanguageModel = throw ModelException(problem)
}
