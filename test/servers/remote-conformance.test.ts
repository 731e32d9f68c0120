/** The store's conformance suite over HTTP against each real server: every test in a folder of its own. */
import { afterAll, beforeAll } from 'vitest'
import { openUndiciTransport } from '../../src/remote/undici-transport.ts'
import { withRetry } from '../../src/remote/with-retry.ts'
import { runRemoteSuite } from '../conformance/remote-suite.ts'
import { createImpatientClock } from '../support/real-clock.ts'
import { describeServers, type RunningServer, serverKinds } from '../support/servers.ts'
import { createSeededRandom } from '../support/virtual-clock.ts'

describeServers(serverKinds, (kind, start) => {
  let server: RunningServer
  let stores = 0

  beforeAll(async () => {
    server = await start()
  })

  afterAll(async () => {
    await server.stop()
  })

  runRemoteSuite(kind, async () => {
    stores += 1
    const url = `${server.url}/stores/${stores}`
    const clock = createImpatientClock()
    const random = createSeededRandom(stores)
    return {
      connect: () =>
        withRetry(openUndiciTransport({ url, timeoutMs: 10_000, concurrency: 4, clock, random }), {
          attempts: 3,
          baseMs: 10,
          maxMs: 100,
          clock,
          random,
        }),
      clock,
      random,
      run: (work) => work,
      cleanUp: async () => {},
    }
  })
})
