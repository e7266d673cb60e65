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
            "There’s no model yet. Import one, or copy one from a computer to: /files/model.litertlm",
            "The model file is damaged: it’s incomplete or was changed. Import it again. If it came with the app, reinstall the app.",
            "Not enough storage: the model needs 280 MB of free space. Free up space and try again.",
            "Not enough free memory: the model needs about 1.2 GB, and 800 MB is available. Close other apps " +
                "and try again. You can also load the model anyway, but Android might close the app.",
            "The model needs about 9.0 GB of memory, which is more than this phone can provide (800 MB is available). Choose a smaller model.",
            "This file is neither a model nor an adapter. Choose another model.",
            "This file (PDF) is neither a model nor an adapter. Choose another model.",
            "This adapter was trained for a different base model. Choose the model that it belongs to, or use no adapter.",
            "This model doesn’t support adapters. Use it without an adapter, or choose another model.",
            "Couldn’t read or write the model file. Try again. If that doesn’t help, import the model again. (EIO)",
            "This model file doesn’t work on this phone. Choose another model, or import a newer file. (code 3)",
        ),
        problems.map(texts::whyNoAnswer),
    )

    @Test
    @Config(qualifiers = "de")
    fun `why no answer comes, in German`() = assertEquals(
        listOf(
            "Es gibt noch kein Modell. Importiere eines oder kopiere eines von einem Computer nach: /files/model.litertlm",
            "Die Modelldatei ist beschädigt: Sie ist unvollständig oder wurde verändert. Importiere " +
                "sie noch einmal. Wenn sie in der App enthalten war, installiere die App neu.",
            "Nicht genügend Speicherplatz: Das Modell benötigt 280 MB. Gib Speicherplatz frei und versuche es noch einmal.",
            "Nicht genügend freier Arbeitsspeicher: Das Modell benötigt etwa 1,2 GB, verfügbar sind 800 MB. Schließe andere Apps und " +
                "versuche es noch einmal. Du kannst das Modell auch trotzdem laden, aber möglicherweise schließt Android dann die App.",
            "Das Modell benötigt etwa 9,0 GB Arbeitsspeicher, mehr als dieses Handy " +
                "bereitstellen kann (verfügbar sind 800 MB). Wähle ein kleineres Modell aus.",
            "Diese Datei ist weder ein Modell noch ein Adapter. Wähle ein anderes Modell aus.",
            "Diese Datei (PDF) ist weder ein Modell noch ein Adapter. Wähle ein anderes Modell aus.",
            "Dieser Adapter wurde für ein anderes Basismodell trainiert. Wähle das zugehörige Modell aus oder verwende keinen Adapter.",
            "Dieses Modell unterstützt keine Adapter. Verwende es ohne Adapter oder wähle ein anderes Modell aus.",
            "Die Modelldatei konnte nicht gelesen oder geschrieben werden. Versuche es noch " +
                "einmal. Wenn das nicht hilft, importiere das Modell noch einmal. (EIO)",
            "Diese Modelldatei funktioniert auf diesem Handy nicht. Wähle ein anderes Modell aus oder importiere eine neuere Datei. (code 3)",
        ),
        problems.map { texts.whyNoAnswer(it).plainSpaces() },
    )

    @Test
    @Config(qualifiers = "en-rUS")
    fun `why a file was refused, in English`() = assertEquals(
        listOf(
            "This file is no longer available. Choose it again.",
            "This file is damaged: it’s incomplete or was changed. Download or copy it again, then import it.",
            "Not enough storage: this file needs 280 MB of free space. Free up space, then import it again.",
            "This model needs about 1.2 GB of memory, which is more than this phone can provide (800 MB is available). Import a smaller model.",
            "This model needs about 9.0 GB of memory, which is more than this phone can provide (800 MB is available). Import a smaller model.",
            "This file is neither a model (.litertlm) nor an adapter. Choose another file.",
            "This file (PDF) is neither a model (.litertlm) nor an adapter. Choose another file.",
            "The base model for this adapter isn’t on this phone. Import the base model first, then import the adapter again.",
            "This file is an adapter, but none of your models supports adapters. Import its base model first, then import the adapter again.",
            "Couldn’t open this file. Copy it to this phone’s storage, then import it again. (EIO)",
            "This file doesn’t work on this phone. Import a newer file. (code 3)",
        ),
        problems.map(texts::whyRefused),
    )

    @Test
    @Config(qualifiers = "de")
    fun `why a file was refused, in German`() = assertEquals(
        listOf(
            "Diese Datei ist nicht mehr verfügbar. Wähle sie noch einmal aus.",
            "Diese Datei ist beschädigt: Sie ist unvollständig oder wurde verändert. Lade sie " +
                "noch einmal herunter oder kopiere sie erneut und importiere sie dann.",
            "Nicht genügend Speicherplatz: Diese Datei benötigt 280 MB. Gib Speicherplatz frei und importiere sie dann noch einmal.",
            "Dieses Modell benötigt etwa 1,2 GB Arbeitsspeicher, mehr als dieses Handy " +
                "bereitstellen kann (verfügbar sind 800 MB). Importiere ein kleineres Modell.",
            "Dieses Modell benötigt etwa 9,0 GB Arbeitsspeicher, mehr als dieses Handy " +
                "bereitstellen kann (verfügbar sind 800 MB). Importiere ein kleineres Modell.",
            "Diese Datei ist weder ein Modell (.litertlm) noch ein Adapter. Wähle eine andere Datei aus.",
            "Diese Datei (PDF) ist weder ein Modell (.litertlm) noch ein Adapter. Wähle eine andere Datei aus.",
            "Das Basismodell für diesen Adapter ist nicht auf diesem Handy. Importiere zuerst das Basismodell und dann noch einmal den Adapter.",
            "Diese Datei ist ein Adapter, aber keines deiner Modelle unterstützt Adapter. " +
                "Importiere zuerst das zugehörige Basismodell und dann noch einmal den Adapter.",
            "Diese Datei konnte nicht geöffnet werden. Kopiere sie in den Speicher dieses Handys und importiere sie dann noch einmal. (EIO)",
            "Diese Datei funktioniert auf diesem Handy nicht. Importiere eine neuere Datei. (code 3)",
        ),
        problems.map { texts.whyRefused(it).plainSpaces() },
    )

    /** German uses a non-breaking space between number and unit. */
    private fun String.plainSpaces() = replace('\u00a0', ' ')
}
