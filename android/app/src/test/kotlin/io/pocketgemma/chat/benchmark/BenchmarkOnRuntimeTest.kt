package io.pocketgemma.chat.benchmark

import io.pocketgemma.chat.fake.RuntimeFixture
import io.pocketgemma.chat.model.Backend
import org.junit.After
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNull
import org.junit.Assert.assertTrue
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder

class BenchmarkOnRuntimeTest {
    @get:Rule
    val folder = TemporaryFolder()
    private val world by lazy { RuntimeFixture(folder.root) }

    @After
    fun close() = world.close()

    @Test
    fun `every run reads the whole prompt, which fits a short context, and writes as much as it may`() {
        world.settings.change { it.copy(selection = world.endless) }
        val store = BenchmarkStore(world.host, world.inference)
        store.dispatch(BenchmarkEvent.SetRuns(3))
        store.dispatch(BenchmarkEvent.Start)
        world.until { !store.state.running }
        assertNull(store.state.problem)
        val results = store.state.results
        assertEquals(3, results.size)
        assertEquals(1, results.map { it.promptTokens }.toSet().size)
        assertTrue("${results[0].promptTokens} tokens", results[0].promptTokens in 100..200)
        assertEquals(listOf(64, 64, 64), results.map { it.tokens })
        assertTrue(results.all { it.tokensPerSecond > 0 && it.promptTokensPerSecond > 0 && it.secondsToFirstToken > 0 })
        assertEquals(Backend.CPU, store.state.backend)
        assertEquals(1, store.state.threads)
    }
}
