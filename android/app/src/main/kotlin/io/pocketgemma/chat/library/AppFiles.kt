package io.pocketgemma.chat.library

import io.pocketgemma.chat.model.ExpectedFile
import io.pocketgemma.chat.model.ModelException
import io.pocketgemma.chat.model.ModelFile
import io.pocketgemma.chat.model.ModelManifest
import io.pocketgemma.chat.model.ModelProblem
import java.io.File
import java.io.IOException
import java.io.InputStream

/**
 * Models and adapters that came with the app: in the APK, or pushed next to it if they are too large for it. Worker threads only.
 *
 * @param appName name of a model without a name of its own.
 */
internal class AppFiles(private val folders: AppFolders, private val appName: String, freeBytes: (File) -> Long) {
    private val copies by lazy { ModelFile(File(folders.own, "bundled"), freeBytes) }
    private val manifestText by lazy { text(AppAssets.MANIFEST) }
    val manifest: ModelManifest by lazy { ModelManifest.parse(manifestText.orEmpty(), appName) }
    val sampleQuestions: List<String> by lazy { text(AppAssets.QUESTIONS)?.let(ModelManifest::parseQuestions).orEmpty() }

    private val modelInside by lazy { isAsset(AppAssets.MODEL) }
    private val baseInside by lazy { isAsset(AppAssets.BASE) }
    private val modelId get() = manifest.sha256 ?: UNNAMED
    val pushedFile: File get() = pushed(PushedFiles.MODEL)

    /** The model that the app was built for; also one that is yet to be pushed. */
    fun model(): ModelEntry? {
        val pushed = pushedFile.takeIf { !modelInside && it.isFile }
        if (pushed == null && manifestText == null && !modelInside) return null
        // A pushed file can differ from the one that the APK expects, so its own header counts.
        val header = pushed?.let(::headerOf)
        return ModelEntry(
            id = modelId,
            name = manifest.name,
            bytes = pushed?.length() ?: manifest.bytes ?: 0,
            origin = if (modelInside) Origin.APP else Origin.PUSHED,
            adapterRank = if (header != null) header.adapterRank else manifest.adapterRank,
            baseDigest = if (header != null) header.baseDigest else manifest.baseDigest,
            manifest = manifest,
        )
    }

    /** Its base, if available; the app works without it. */
    fun base(): ModelEntry? = manifest.baseModel?.takeIf { baseInside || pushed(PushedFiles.BASE).isFile }?.let {
        val origin = if (baseInside) Origin.APP else Origin.PUSHED
        ModelEntry(it.sha256, manifest.facts.base ?: BASE_NAME, it.bytes ?: 0, origin, isBase = true)
    }

    fun adapters(): List<AdapterEntry> = manifest.adapters.filter { isAsset(AppAssets.adapter(it.sha256)) }
        .map { AdapterEntry(it.sha256, it.name, it.bytes ?: 0, Origin.APP, it.rank, it.baseDigest) }

    /** Memory in bytes that one of these models needs, if the pipeline has calculated it. */
    fun memoryBytes(id: String): Long? = when (id) {
        modelId -> manifest.memoryBytes
        manifest.baseModel?.sha256 -> manifest.baseModel?.memoryBytes
        else -> null
    }

    /** The verified file of a model. [onProgress] receives the copied share, 0 to 1. */
    fun modelFile(entry: ModelEntry, onProgress: (Double) -> Unit): File = when {
        entry.isBase && baseInside -> copied(AppAssets.BASE, ExpectedFile(entry.id, manifest.baseModel?.bytes), MODEL_EXTENSION, onProgress)
        entry.isBase -> copies.pushed(pushed(PushedFiles.BASE), ExpectedFile(entry.id, manifest.baseModel?.bytes))
        modelInside -> copied(AppAssets.MODEL, ExpectedFile(manifest.sha256, manifest.bytes), MODEL_EXTENSION, onProgress)
        else -> copies.pushed(pushedFile, ExpectedFile(manifest.sha256, manifest.bytes))
    }

    fun adapterFile(entry: AdapterEntry): File =
        copied(AppAssets.adapter(entry.id), ExpectedFile(entry.id, entry.bytes), ADAPTER_EXTENSION) {}

    /** Deletes copies that an earlier version of the app has left. */
    fun sweep() = copies.keepOnly(
        listOfNotNull(
            (ExpectedFile(manifest.sha256, manifest.bytes) to MODEL_EXTENSION).takeIf { modelInside },
            manifest.baseModel?.let { ExpectedFile(it.sha256, it.bytes) to MODEL_EXTENSION },
        ) + manifest.adapters.map { ExpectedFile(it.sha256, it.bytes) to ADAPTER_EXTENSION },
    )

    private fun copied(asset: String, expected: ExpectedFile, extension: String, onProgress: (Double) -> Unit): File =
        folders.asset(asset)?.use { copies.copied(it, expected, extension, onProgress) } ?: throw ModelException(ModelProblem.Missing(asset))

    private fun pushed(name: String) = File(folders.pushed ?: folders.own, name)

    private fun headerOf(file: File): ModelHeader? = try {
        val start = ByteArray(ModelHeader.MAX_BYTES)
        val length = file.inputStream().use { it.readFully(start) }
        ModelHeader.read(start, length, file.length())
    } catch (_: IOException) {
        null
    } catch (_: ModelException) {
        null
    }

    private fun text(asset: String): String? = try {
        folders.asset(asset)?.use { it.readBytes().toString(Charsets.UTF_8) }
    } catch (_: IOException) {
        null
    }

    private fun isAsset(name: String): Boolean = folders.asset(name)?.use { true } ?: false

    private companion object {
        const val BASE_NAME = "Gemma"

        /** Id of a model whose SHA-256 is unknown. */
        const val UNNAMED = "app"
    }
}

/** Fills [target] as far as there are bytes, and returns their number. */
internal fun InputStream.readFully(target: ByteArray): Int {
    var length = 0
    while (length < target.size) {
        val count = read(target, length, target.size - length)
        if (count < 0) break
        length += count
    }
    return length
}
