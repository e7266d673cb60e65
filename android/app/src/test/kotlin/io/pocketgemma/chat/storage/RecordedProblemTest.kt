package io.pocketgemma.chat.storage

import io.pocketgemma.chat.model.ModelProblem
import org.junit.Assert.assertEquals
import org.junit.Test

class RecordedProblemTest {
    @Test
    fun `every problem is read as it was written`() {
        val problems = listOf(
            ModelProblem.Missing("/a \"b\"/model"), ModelProblem.Damaged, ModelProblem.NoSpace(1L shl 40),
            ModelProblem.TooLarge(3, 2, tryAnyway = true), ModelProblem.TooLarge(3, 2, tryAnyway = false), ModelProblem.WrongKind("a zip"),
            ModelProblem.WrongKind(null), ModelProblem.OtherBase, ModelProblem.TakesNoAdapters, ModelProblem.Unreadable("EIO"),
            ModelProblem.Unusable("not found: Straße"),
        )
        assertEquals(problems, problems.map { recordedProblem(it.toRecord()) })
        val kinds = ModelProblem::class.java.declaredClasses.filter { ModelProblem::class.java.isAssignableFrom(it) }.toSet()
        assertEquals("one of each kind", kinds, problems.map { it.javaClass }.toSet())
    }

    @Test
    fun `what another version of the app wrote is a problem all the same`() {
        assertEquals(ModelProblem.Unusable("""{"kind":"too hot"}"""), recordedProblem("""{"kind":"too hot"}"""))
        assertEquals(ModelProblem.Unusable(""), recordedProblem(""))
        assertEquals(ModelProblem.Unusable("[]"), recordedProblem("[]"))
    }
}
