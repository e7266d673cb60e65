package io.pocketgemma.chat.library

/** File extension of models, with its dot. */
internal const val MODEL_EXTENSION = ".litertlm"

/** File extension of adapters, with its dot. */
internal const val ADAPTER_EXTENSION = ".tflite"

/** Names of the APK's assets. The pipeline packs them (pipeline/targets/android/assets.py); these names are in no other Kotlin file. */
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
