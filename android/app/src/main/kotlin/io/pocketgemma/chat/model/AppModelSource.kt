package io.pocketgemma.chat.model

import android.content.Context
import io.pocketgemma.chat.R
import io.pocketgemma.chat.chat.ModelSource
import io.pocketgemma.chat.runtime.LiteRtLm
import java.io.File
import java.io.FileNotFoundException

/** The model that came with the app: inside the APK's assets, or pushed beside it. */
class AppModelSource(private val context: Context) : ModelSource {
    override fun manifest(): ModelManifest = ModelManifest.parse(asset("manifest.json") ?: "", context.getString(R.string.app_name))

    override fun sampleQuestions(): List<String> = asset("questions.json")?.let(ModelManifest::parseQuestions).orEmpty()

    override fun load(manifest: ModelManifest, onProgress: (Double) -> Unit): LanguageModel {
        val file = ModelFile(
            privateFolder = File(context.noBackupFilesDir, "model"),
            pushFolder = context.getExternalFilesDir(null),
            openAsset = { open("model.litertlm") },
        ).locate(manifest, onProgress)
        LiteRtLm.setLogLevel(LiteRtLm.LOG_ERRORS)
        // More threads than big cores slow the decoding down, and phones have two to four of those.
        val threads = Runtime.getRuntime().availableProcessors().coerceIn(1, MOST_THREADS)
        return LiteRtLm(file.path, context.cacheDir.path, threads)
    }

    private fun open(name: String) = try {
        context.assets.open(name)
    } catch (_: FileNotFoundException) {
        null
    }

    private fun asset(name: String): String? = open(name)?.use { it.readBytes().toString(Charsets.UTF_8) }

    private companion object {
        const val MOST_THREADS = 4
    }
}
