package io.pocketgemma.chat.library

import io.pocketgemma.chat.TestModels
import io.pocketgemma.chat.model.ModelProblem
import java.io.ByteArrayInputStream
import java.io.File
import java.io.IOException
import java.io.InputStream

/** A phone's folders below [folder], an app with these [assets], and files of other apps. */
class TestPhone(private val folder: File, val assets: MutableMap<String, ByteArray> = mutableMapOf()) : AppFolders, DocumentReader {
    override val own = File(folder, "own").apply { mkdirs() }
    override val pushed = File(folder, "pushed").apply { mkdirs() }
    override val cache = File(folder, "cache/runtime")
    var memory = Memory(total = 8_000_000_000, free = 4_000_000_000)
    var freeBytes = 1L shl 40

    /** A file of another app, with its reported name and length. */
    class Offer(val content: ByteArray, val name: String?, val bytes: Long?, val stream: (ByteArray) -> InputStream)

    var offer: Offer? = null

    override fun asset(name: String): InputStream? = assets[name]?.let(::ByteArrayInputStream)

    override fun describe(uri: String) = offer?.let { DocumentReader.Description(it.name, it.bytes) } ?: throw IOException("no such file")

    override fun open(uri: String): InputStream = offer?.let { it.stream(it.content) } ?: throw IOException("no such file")

    /** Like after a restart of the app. */
    fun library() = ModelLibrary(this, "PocketGemma", { freeBytes })

    fun import(
        content: ByteArray,
        name: String? = "file.litertlm",
        bytes: Long? = content.size.toLong(),
        library: ModelLibrary = library(),
        cancellation: ImportCancellation = ImportCancellation(),
        stream: (ByteArray) -> InputStream = ::ByteArrayInputStream,
        onProgress: (Import) -> Unit = {},
    ): ImportOutcome {
        offer = Offer(content, name, bytes, stream)
        return FileImport(library, this) { memory }.run("content://files/1", cancellation, onProgress)
    }

    fun taken(content: ByteArray, name: String? = "file.litertlm"): String = when (val outcome = import(content, name)) {
        is ImportOutcome.Taken -> outcome.id.also { check(it == TestModels.sha256(content)) }
        else -> error("not taken: $outcome")
    }

    fun refusal(
        content: ByteArray,
        bytes: Long? = content.size.toLong(),
        stream: (ByteArray) -> InputStream = ::ByteArrayInputStream,
    ): ModelProblem = when (val outcome = import(content, bytes = bytes, stream = stream)) {
        is ImportOutcome.Refused -> outcome.problem
        else -> error("not refused: $outcome")
    }

    /** Every file of the phone, by its path. */
    fun files(): List<String> = folder.walkTopDown().filter { it.isFile }.map { it.relativeTo(folder).path }.sorted().toList()

    /** Puts a model into the app, with its manifest. */
    fun bundle(model: ByteArray?, manifest: String) {
        if (model != null) assets["model.litertlm"] = model
        assets["manifest.json"] = manifest.toByteArray()
    }
}
