package io.pocketgemma.chat.markdown

/** A reply with everything that models write. */
internal object Sample {
    val text = """
        # The iron group

        **Iron** (*Fe*), ~~cobalt~~ and nickel are `metals`. See [the list](https://example.org/metals) or <https://example.org>.
        A line of its own.

        ## Steps

        1. Heat it
           - slowly
           - for *two* hours
        2. Let it cool
        3. Write down:

           ```python
           def cool(t):
               return t - 1  # **not bold**
           ```

        - one
        - two **bold**
        * another list

        | Metal | Symbol | Melts at |
        |:------|:------:|---------:|
        | Iron | Fe | 1538 °C |
        | Nickel | **Ni** | 1455 °C |

        > Everything flows.
        >
        > — Heraclitus

        ---

        Text
        over a line
        ===

        Last words, with <b>HTML</b>, &amp; an ![image](file.png) and 2 * 3 * 4 = 24.
    """.trimIndent()
}
