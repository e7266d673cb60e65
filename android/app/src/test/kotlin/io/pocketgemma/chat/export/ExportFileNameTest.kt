package io.pocketgemma.chat.export

import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test

class ExportFileNameTest {
    private fun name(title: String) = exportFileName(title, "md")

    @Test
    fun `an ordinary title is the name`() {
        assertEquals("Größe von 東京 – ein Vergleich.md", name("Größe von 東京 – ein Vergleich"))
        assertEquals("What is Fe.md", name("What is Fe?"))
        assertEquals("می\u200Cخواهم 👩\u200D🔬.md", name("می\u200Cخواهم 👩\u200D🔬"))
    }

    @Test
    fun `a title cannot leave the folder, hide the file or write its name backwards`() {
        assertEquals("etc passwd.md", name("../../etc/passwd"))
        assertEquals("C Windows x.md", name("C:\\Windows\\x"))
        assertEquals("hidden.md", name(".hidden"))
        assertEquals("gpj.exe.md", name("\u202Egpj.exe"))
        assertEquals("a b c.md", name("a\u0000b\n\r\tc\u007F"))
        assertEquals("a b c d e f.md", name("a*b\"c<d>e|f"))
        assertEquals("x.md", name("\uD83Dx\uDE00"))
    }

    @Test
    fun `a title of which nothing is left is a chat`() {
        for (title in listOf("", " ", "...", "/", "???", "\u200E", ". . .", "\uDE00")) assertEquals("chat.md", name(title))
    }

    @Test
    fun `names of devices are avoided, with any extension and case`() {
        for (device in listOf("CON", "nul", "Aux", "com1", "LPT9", "COM¹", "con.txt", "prn.tar.gz")) {
            assertEquals("chat $device.md", name(device))
        }
        for (harmless in listOf("Conrad", "com10", "console.log", "nullable")) assertEquals("$harmless.md", name(harmless))
        assertEquals("chat con.md", name(".con. "))
    }

    @Test
    fun `a long title is cut to 80 characters that fit into 255 bytes, never within a character and with nothing loose at the end`() {
        assertEquals("x".repeat(77) + ".md", name("x".repeat(500)))
        assertEquals("x".repeat(75) + ".md", name("x".repeat(75) + " ." + "y".repeat(10)))
        for (title in listOf("東".repeat(200), "😀".repeat(200), "a" + "😀".repeat(200))) {
            val name = name(title)
            assertTrue(name.length <= 80)
            assertTrue(name.toByteArray().size <= 255)
            assertTrue("\uFFFD" !in String(name.toByteArray()))
            assertEquals(name, String(name.toByteArray()))
        }
    }
}
