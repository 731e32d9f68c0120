/** What must hold behind a proxy, a cache or a bad line: on the server in memory, and on each real one. */
import { runProxiedSuite } from '../conformance/proxied-suite.ts'
import { serveMemoryDav } from '../support/http-server.ts'
import { createMemoryDav } from '../support/memory-dav.ts'
import { describeServers, serverKinds } from '../support/servers.ts'

runProxiedSuite('a server in memory', async () => {
  const server = await serveMemoryDav(createMemoryDav())
  return { url: server.origin, folder: '/dav/store', stop: () => server.close() }
})

describeServers(serverKinds, (kind, start) => {
  runProxiedSuite(kind, start)
})
