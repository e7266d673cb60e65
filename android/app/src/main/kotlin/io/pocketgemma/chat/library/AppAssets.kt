package io.pocketgemma.chat.library

/** Ends the name of every model file, with its dot. */
internal const val MODEL_EXTENSION = ".litertlm"

/** Ends the name of every adapter file, with its dot. */
internal const val ADAPTER_EXTENSION = ".tflite"

/** Names of the APK's assets. The pipeline packs them (pipeline/targets/android/assets.py); no other Kotlin file has these names. */
internal object AppAssets {
    const val MODEL = "model$MODEL_EXTENSION"
    const val BASE = "base$MODEL_EXTENSION"
    const val MANIFEST = "manifest.json"
    const val QUESTIONS = "questions.json"
    const val ADAPTERS_FOLDER = "adapters/"

    /** @param sha256 of the adapter file, in hexadecimal. */
    fun adapter(sha256: String) = "$ADAPTERS_FOLDER$sha256$ADAPTER_EXTENSION"
}

/** Names that `adb push` gives to files too large for the APK, in the app's own folder on the phone. */
internal object PushedFiles {
    const val MODEL = "model$MODEL_EXTENSION"
    const val BASE = "base$MODEL_EXTENSION"
}
