package io.pocketgemma.chat.benchmark

/**
 * The prompt of every run: about eighty words, so that prefill takes long enough to be measured, and a topic to write about. The words are
 * simple, because a model with a small vocabulary needs several tokens for a rare word and may have a short context.
 */
internal const val BENCHMARK_PROMPT =
    "Read this and then write a long text about it. " +
        "The sun gives light and heat to the earth. Water in the sea gets warm and goes up into the air. " +
        "There it gets cold and makes clouds. When the drops in a cloud are big, they fall as rain. " +
        "The rain makes rivers, and the rivers go back to the sea. So the same water goes round and round. " +
        "What would the land be without rain? Write as much as you can."

/** Maximum reply length of a run, in tokens: long enough for a steady speed, short enough for a slow phone. */
internal const val BENCHMARK_REPLY_TOKENS = 64
