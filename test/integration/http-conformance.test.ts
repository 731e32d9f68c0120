import { openUndiciTransport } from '../../src/remote/undici-transport.ts'
import { withRetry } from '../../src/remote/with-retry.ts'
import { runRemoteSuite } from '../conformance/remote-suite.ts'
import { serveMemoryDav } from '../support/http-server.ts'
import { createMemoryDav } from '../support/memory-dav.ts'
import { createImpatientClock } from '../support/real-clock.ts'
import { createSeededRandom } from '../support/virtual-clock.ts'

runRemoteSuite('HTTP', async () => {
  const server = await serveMemoryDav(createMemoryDav())
  const clock = createImpatientClock()
  const random = createSeededRandom(11)
  return {
    connect: () =>
      withRetry(
        openUndiciTransport({
          url: `${server.origin}/dav/store`,
          timeoutMs: 10_000,
          concurrency: 4,
          clock,
          random,
        }),
        { attempts: 3, baseMs: 10, maxMs: 100, clock, random },
      ),
    clock,
    random,
    run: (work) => work,
    cleanUp: () => server.close(),
  }
})
