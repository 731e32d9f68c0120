/** What `davit doctor` finds out over real HTTP when something stands between it and the server. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { systemClock, systemRandom } from '../../src/instance/system.ts'
import { judgeServer } from '../../src/remote/probe/findings.ts'
import { probeServer } from '../../src/remote/probe/probe-server.ts'
import { openUndiciTransport } from '../../src/remote/undici-transport.ts'
import { serveMemoryDav, type TestServer } from '../support/http-server.ts'
import { createMemoryDav } from '../support/memory-dav.ts'
import { type ProxyRule, startProxy, type TestProxy } from '../support/proxy.ts'

const dav = createMemoryDav()
let server: TestServer
let proxy: TestProxy

beforeAll(async () => {
  server = await serveMemoryDav(dav)
  proxy = await startProxy(server.origin)
})
afterEach(() => proxy.heal())
afterAll(async () => {
  await proxy.stop()
  await server.close()
})

/** Findings that are not as they should be, of a probe that goes through the proxy. */
async function worst(...rules: readonly ProxyRule[]): Promise<string[]> {
  for (const rule of rules) proxy.spoil(rule)
  const ports = { clock: systemClock, random: systemRandom }
  const { facts, left } = await probeServer({
    connect: () =>
      openUndiciTransport({ url: `${proxy.url}/dav/store`, timeoutMs: 10_000, concurrency: 4, ...ports }),
    ...ports,
    owner: { tag: `${'0'.repeat(16)}-1-1`, isGone: () => null },
    effort: {
      raceRounds: 3,
      visibilityRounds: 1,
      replaceRounds: 1,
      bodyBytesMax: 1024 * 1024,
      latencySamples: 1,
    },
  })
  proxy.heal()
  expect([left, dav.files.size, [...dav.folders]]).toEqual([null, 0, ['', 'dav', 'dav/store']])
  return judgeServer(facts)
    .filter(({ level }) => level === 'missing' || level === 'but')
    .map(({ id, level }) => `${id}: ${level}`)
}

describe('a probe through a proxy', () => {
  it('that only passes on, or is a cache that obeys, finds nothing wrong', async () => {
    expect(await worst()).toEqual([])
    expect(await worst({ fault: { kind: 'shared-cache', obeys: true } })).toEqual([])
  })

  it('finds the cache that obeys nobody', async () => {
    const rule: ProxyRule = {
      method: 'GET',
      path: /first|second/,
      fault: { kind: 'shared-cache', obeys: false },
    }
    expect(await worst(rule)).toContain('visibility: missing')
  })

  it('finds the compression', async () => {
    expect(await worst({ method: 'GET', fault: { kind: 'gzip' } })).toContain('encoding: missing')
  })

  it('finds the body limit', async () => {
    expect(await worst({ method: 'PUT', fault: { kind: 'body-limit', bytes: 400_000 } })).toEqual([
      'body: but',
    ])
  })

  it('finds a server that is busy, and is told what it would have been told otherwise', async () => {
    const fault = { kind: 'answer', status: 503, headers: { 'retry-after': '0' } } as const
    expect(await worst({ method: 'PUT', after: 5, every: 7, fault })).toEqual(['busy: but'])
  })

  it('takes lost and repeated answers for what they are', async () => {
    expect(
      await worst(
        { method: 'GET', every: 9, fault: { kind: 'cut-response', bytes: 3 } },
        { method: 'HEAD', every: 7, fault: { kind: 'drop-reply' } },
        { method: 'MOVE', every: 5, fault: { kind: 'replay' } },
      ),
    ).toEqual([])
  })
})
