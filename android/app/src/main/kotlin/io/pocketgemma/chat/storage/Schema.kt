package io.pocketgemma.chat.storage

/**
 * The tables, step by step: a file of version n has gone through the first n steps. A released step is never changed; new columns and
 * tables are added by a new step.
 */
internal val SCHEMA: List<List<String>> = listOf(
    listOf(
        """
        CREATE TABLE conversation (
            id INTEGER PRIMARY KEY,
            title TEXT NOT NULL,
            carried TEXT NOT NULL,
            draft TEXT NOT NULL,
            scroll_message INTEGER,
            scroll_offset_dp INTEGER,
            changed_millis INTEGER NOT NULL,
            deleted INTEGER NOT NULL DEFAULT 0
        )
        """,
        // `folded` is the text in its form for searches; it is the last column, so that reading a message skips it.
        """
        CREATE TABLE message (
            conversation INTEGER NOT NULL REFERENCES conversation(id) ON DELETE CASCADE,
            position INTEGER NOT NULL,
            role TEXT NOT NULL,
            status TEXT,
            detail TEXT,
            answered_by TEXT,
            seconds_to_first_token REAL,
            prompt_tokens INTEGER,
            prompt_tokens_per_second REAL,
            tokens INTEGER,
            tokens_per_second REAL,
            memory_bytes INTEGER,
            text TEXT NOT NULL,
            folded TEXT NOT NULL,
            PRIMARY KEY (conversation, position)
        )
        """,
        "CREATE TABLE last_open (row INTEGER PRIMARY KEY CHECK (row = 0), conversation INTEGER NOT NULL)",
    ),
)

/** A conversation `c` without content. */
internal const val EMPTY =
    "trim(c.draft, ' ' || char(9, 10, 13)) = '' AND c.carried = '' AND NOT EXISTS (SELECT 1 FROM message m WHERE m.conversation = c.id)"
