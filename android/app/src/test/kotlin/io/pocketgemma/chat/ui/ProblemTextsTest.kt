package io.pocketgemma.chat.ui

import android.app.Application
import io.pocketgemma.chat.model.ModelProblem
import org.junit.Assert.assertEquals
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.annotation.Config

@RunWith(RobolectricTestRunner::class)
@Config(sdk = [35], application = Application::class)
class ProblemTextsTest {
    private val texts get() = ProblemTexts(RuntimeEnvironment.getApplication())

    private val problems = listOf(
        ModelProblem.Missing("/files/model.litertlm"),
        ModelProblem.Damaged,
        ModelProblem.NoSpace(280_000_000),
        ModelProblem.TooLarge(1_200_000_000, 800_000_000, tryAnyway = true),
        ModelProblem.TooLarge(9_000_000_000, 800_000_000, tryAnyway = false),
        ModelProblem.WrongKind(null),
        ModelProblem.WrongKind("PDF"),
        ModelProblem.OtherBase,
        ModelProblem.TakesNoAdapters,
        ModelProblem.Unreadable("EIO"),
        ModelProblem.Unusable("code 3"),
    )

    @Test
    @Config(qualifiers = "en-rUS")
    fun `why no answer comes, in English`() = assertEquals(
        listOf(
            "There is no model yet. Import one, or put it here from a computer: /files/model.litertlm",
            "The model file is damaged: it is cut short or was changed. Import it again; if it came with the app, install the app again.",
            "The model needs 280 MB of free space, and there is less. Free some space and try again.",
            "The model needs about 1.2 GB of memory, and 800 MB are free just now. Close other apps and try again. " +
                "You can also load it anyway: it may work, or Android may close the app.",
            "The model needs about 9.0 GB of memory, more than this phone can give (800 MB are free). Choose a smaller model.",
            "The file is neither a model nor an adapter. Choose another model.",
            "The file is neither a model nor an adapter, but this: PDF. Choose another model.",
            "The adapter was trained on another base model. Choose the model that it belongs to, or no adapter.",
            "This model takes no adapters. Choose it without one, or choose another model.",
            "The model file could not be read or written. Try again; if that does not help, import the model again. (EIO)",
            "The model file does not work on this phone. Choose another model, or import a newer file. (code 3)",
        ),
        problems.map(texts::whyNoAnswer),
    )

    @Test
    @Config(qualifiers = "de")
    fun `why no answer comes, in German`() = assertEquals(
        listOf(
            "Hier ist noch kein Modell. Importiere eines, oder lege es vom Computer aus hierhin: /files/model.litertlm",
            "Die Modelldatei ist beschädigt: Sie ist abgeschnitten oder wurde verändert. Importiere sie noch einmal; kam sie mit der App, " +
                "installiere die App neu.",
            "Das Modell braucht 280 MB freien Speicherplatz, und so viel ist nicht da. Schaffe Platz und versuche es noch einmal.",
            "Das Modell braucht etwa 1,2 GB Arbeitsspeicher, und im Moment sind 800 MB frei. Schließe andere Apps und versuche es noch einmal. " +
                "Du kannst es auch trotzdem laden: Vielleicht geht es, vielleicht beendet Android die App.",
            "Das Modell braucht etwa 9,0 GB Arbeitsspeicher, mehr als dieses Handy hergibt (frei sind 800 MB). Wähle ein kleineres Modell.",
            "Die Datei ist weder ein Modell noch ein Adapter. Wähle ein anderes Modell.",
            "Die Datei ist weder ein Modell noch ein Adapter, sondern dies: PDF. Wähle ein anderes Modell.",
            "Der Adapter wurde auf einem anderen Basismodell trainiert. Wähle das Modell, zu dem er gehört, oder keinen Adapter.",
            "Dieses Modell nimmt keine Adapter. Wähle es ohne Adapter, oder wähle ein anderes Modell.",
            "Die Modelldatei ließ sich nicht lesen oder schreiben. Versuche es noch einmal; hilft das nicht, importiere das Modell neu. (EIO)",
            "Die Modelldatei funktioniert auf diesem Handy nicht. Wähle ein anderes Modell, oder importiere eine neuere Datei. (code 3)",
        ),
        problems.map { texts.whyNoAnswer(it).plainSpaces() },
    )

    @Test
    @Config(qualifiers = "en-rUS")
    fun `why a file was refused, in English`() = assertEquals(
        listOf(
            "The file is no longer there. Choose it again.",
            "The file is damaged: it is cut short or was changed. Get it once more, then import it again.",
            "It needs 280 MB of free space, and there is less. Free some space, then import it again.",
            "It needs about 1.2 GB of memory, more than this phone can give (800 MB are free). Import a smaller model.",
            "It needs about 9.0 GB of memory, more than this phone can give (800 MB are free). Import a smaller model.",
            "It is neither a model (.litertlm) nor an adapter for one. Choose another file.",
            "It is neither a model (.litertlm) nor an adapter for one, but this: PDF. Choose another file.",
            "It is an adapter for another base than any model here. Import its base model first, then the adapter again.",
            "It is an adapter, and no model here takes adapters. Import its base model first, then the adapter again.",
            "The file could not be read. Copy it to this phone's own storage, then import it again. (EIO)",
            "The file does not work on this phone. Get a newer one, then import that. (code 3)",
        ),
        problems.map(texts::whyRefused),
    )

    @Test
    @Config(qualifiers = "de")
    fun `why a file was refused, in German`() = assertEquals(
        listOf(
            "Die Datei ist nicht mehr da. Wähle sie noch einmal aus.",
            "Die Datei ist beschädigt: Sie ist abgeschnitten oder wurde verändert. Besorge sie dir neu und importiere sie dann noch einmal.",
            "Sie braucht 280 MB freien Speicherplatz, und so viel ist nicht da. Schaffe Platz und importiere sie dann noch einmal.",
            "Sie braucht etwa 1,2 GB Arbeitsspeicher, mehr als dieses Handy hergibt (frei sind 800 MB). Importiere ein kleineres Modell.",
            "Sie braucht etwa 9,0 GB Arbeitsspeicher, mehr als dieses Handy hergibt (frei sind 800 MB). Importiere ein kleineres Modell.",
            "Sie ist weder ein Modell (.litertlm) noch ein Adapter für eines. Wähle eine andere Datei.",
            "Sie ist weder ein Modell (.litertlm) noch ein Adapter für eines, sondern dies: PDF. Wähle eine andere Datei.",
            "Sie ist ein Adapter für eine andere Basis als alle Modelle hier. Importiere zuerst sein Basismodell, dann noch einmal den Adapter.",
            "Sie ist ein Adapter, und kein Modell hier nimmt Adapter. Importiere zuerst sein Basismodell, dann noch einmal den Adapter.",
            "Die Datei ließ sich nicht lesen. Kopiere sie in den eigenen Speicher dieses Handys und importiere sie dann noch einmal. (EIO)",
            "Die Datei funktioniert auf diesem Handy nicht. Besorge dir eine neuere und importiere diese. (code 3)",
        ),
        problems.map { texts.whyRefused(it).plainSpaces() },
    )

    /** German puts a space between number and unit at which no line is broken. */
    private fun String.plainSpaces() = replace('\u00a0', ' ')
}
