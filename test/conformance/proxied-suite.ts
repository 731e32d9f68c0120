/**
 * What must hold when a proxy, a cache or a bad line stands between the store and its clients. Run behind the fault
 * proxy against every server. The direct suite (`remote-suite.ts`) counts requests and expects success; here requests
 * fail, and what counts is that
 *
 * - a commit that was acknowledged is in the one chain, once, and nothing else is (cuts, lost answers, repeated
 *   deliveries, torsos, pages and 404s in the server's place, caches),
 * - a content that was acknowledged is whole, and one that is read is the right one or none,
 * - a server that asks for a pause gets it, from every request,
 * - what cannot work (a body limit, a compressing proxy, a cache that obeys nobody) is told and never believed.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type ChainPoint, emptyStorePoint } from '../../src/model/changeset.ts'
import type { Clock, Random } from '../../src/model/clock.ts'
import { DavitError, isDavitError } from '../../src/model/errors.ts'
import { changesetName } from '../../src/remote/layout.ts'
import type { Remote } from '../../src/remote/remote.ts'
import { openUndiciTransport } from '../../src/remote/undici-transport.ts'
import { openWebdavRemote } from '../../src/remote/webdav-remote.ts'
import { withRetry } from '../../src/remote/with-retry.ts'
import { collectingSink, encodeChain, sha256Of, sourceOf } from '../support/changesets.ts'
import { createCommitter } from '../support/committer.ts'
import { htmlPage, type ProxyRule, startProxy, type TestProxy } from '../support/proxy.ts'
import { createImpatientClock } from '../support/real-clock.ts'
import { createSeededRandom } from '../support/virtual-clock.ts'

export interface ProxiedServer {
  /** Scheme, host and port. */
  readonly url: string
  /** The path of a folder that stores can be made in, without a slash at the end; the server's own root by default. */
  readonly folder?: string
  stop(): Promise<void>
}

/** More rounds of everything that is raced, for a longer look. */
const { DAVIT_PROXIED_COMMITS: asked } = process.env
const commits = asked === undefined ? 3 : Number(asked)

/** All that goes wrong on a bad line, again and again, at different periods. */
const storm: readonly ProxyRule[] = [
  { method: 'MOVE', every: 3, fault: { kind: 'drop-reply' } },
  { method: 'MOVE', every: 4, fault: { kind: 'duplicate' } },
  { method: 'MOVE', every: 5, fault: { kind: 'replay' } },
  { method: 'MOVE', every: 7, fault: { kind: 'drop-request' } },
  { method: 'PUT', every: 4, fault: { kind: 'cut-request', bytes: 100 } },
  { method: 'PUT', every: 5, fault: { kind: 'keep-torso', bytes: 100 } },
  { method: 'PUT', every: 7, fault: { kind: 'drop-reply' } },
  { method: 'GET', every: 5, fault: { kind: 'cut-response', bytes: 50 } },
  { method: 'GET', every: 7, fault: { kind: 'answer', status: 404 } },
  { method: 'PROPFIND', every: 6, fault: { kind: 'cut-response', bytes: 150 } },
  { method: 'PROPFIND', every: 11, fault: htmlPage },
  { every: 13, fault: { kind: 'answer', status: 503, headers: { 'retry-after': '1' } } },
  { every: 17, fault: { kind: 'answer', status: 502, body: 'bad gateway' } },
  { every: 3, fault: { kind: 'delay', ms: 1 } },
]

export function runProxiedSuite(name: string, start: () => Promise<ProxiedServer>): void {
  describe(`remote over ${name} behind a proxy`, () => {
    let server: ProxiedServer
    let proxy: TestProxy
    let clock: Clock & { readonly slept: number[] }
    let random: Random
    let stores = 0
    let opened: Remote[] = []

    beforeAll(async () => {
      server = await start()
      proxy = await startProxy(server.url)
    })

    beforeEach(() => {
      proxy.heal()
      proxy.forget()
      stores++
      clock = createImpatientClock()
      random = createSeededRandom(stores)
      return async () => {
        for (const remote of opened) await remote.close()
        opened = []
      }
    })

    afterAll(async () => {
      await proxy?.stop()
      await server?.stop()
    })

    /** A client of this test's store, through the proxy or beside it. `sentAt`: its requests, by its clock. */
    function connect(base: string, sentAt: number[] = []): Remote {
      const plain = openUndiciTransport({
        url: `${base}${server.folder ?? ''}/proxied-${stores}`,
        timeoutMs: 10_000,
        concurrency: 4,
        clock,
        random,
      })
      const noted = {
        ...plain,
        request: (request: Parameters<typeof plain.request>[0]) => {
          sentAt.push(clock.monotonic())
          return plain.request(request)
        },
      }
      const id = random.uuid()
      const remote = openWebdavRemote({
        transport: withRetry(noted, { attempts: 4, baseMs: 10, maxMs: 100, clock, random }),
        clock,
        random,
        instance: () => ({ id, name: 'laptop' }),
      })
      opened.push(remote)
      return remote
    }

    async function newStore(): Promise<Remote> {
      const direct = connect(server.url)
      await direct.createStore()
      return direct
    }

    function spoil(rules: readonly ProxyRule[]): void {
      for (const rule of rules) proxy.spoil(rule)
    }

    async function chainOf(remote: Remote): Promise<ChainPoint[]> {
      const listing = await remote.listHeads()
      if (listing.kind !== 'one') throw new Error(`one head was expected, not ${listing.kind}`)
      const reading = await remote.readChain(emptyStorePoint, listing.head, () => null)
      if (reading.kind !== 'extends') throw new Error('the chain does not begin at version 0')
      const points: ChainPoint[] = []
      for await (const { point } of reading.changesets) points.push(point)
      return points
    }

    async function raceThrough(writers: number, rules: readonly ProxyRule[]): Promise<void> {
      const direct = await newStore()
      spoil(rules)
      const committers = Array.from({ length: writers }, () =>
        createCommitter(connect(proxy.url), random.uuid(), clock, random),
      )
      await Promise.all(committers.map((committer) => committer.work(commits)))
      proxy.heal()
      const won = committers.flatMap((committer) => committer.won)
      expect(await chainOf(direct)).toEqual(won.sort((left, right) => left.version - right.version))
    }

    it('of racing commits through a bad line exactly the acknowledged ones are the chain', async () => {
      await raceThrough(3, storm)
    })

    it('a cache that does not answer when it is told not to changes nothing', async () => {
      await raceThrough(3, [{ fault: { kind: 'shared-cache', obeys: true } }])
    })

    it('contents through a bad line are whole when they are acknowledged, and right when they are read', async () => {
      const direct = await newStore()
      const through = connect(proxy.url)
      const contents = [0, 1, 101, 70_000, 300_000].map((size) =>
        new Uint8Array(size).map((_, index) => (index * 31 + size) & 255),
      )
      spoil(storm)
      const written: { name: string; bytes: Uint8Array }[] = []
      for (const bytes of [...contents, ...contents]) {
        const name = await persistently(() => through.writeContent(sha256Of(bytes), sourceOf(bytes)))
        written.push({ name, bytes })
      }
      for (const { name, bytes } of written) {
        const [hash, size] = [sha256Of(bytes), bytes.length]
        const whole = collectingSink()
        await direct.readContent(name, { hash, size }, whole)
        expect(sha256Of(whole.bytes())).toBe(hash)
        await persistently(async () => {
          const sink = collectingSink()
          await through.readContent(name, { hash, size }, sink)
          expect(sha256Of(sink.bytes())).toBe(hash)
        })
      }
    })

    it('a torso that the server took for a whole file is never relied on', async () => {
      const direct = await newStore()
      const through = connect(proxy.url)
      const bytes = new Uint8Array(5_000).fill(7)
      spoil([{ method: 'PUT', times: 1, fault: { kind: 'keep-torso', bytes: 2_000 } }])
      const name = await through.writeContent(sha256Of(bytes), sourceOf(bytes))
      const puts = proxy.log.filter(({ method, path }) => method === 'PUT' && path.includes(sha256Of(bytes)))
      const torso =
        puts
          .find(({ status }) => status === 0)
          ?.path.split('/')
          .slice(-2)
          .join('/') ?? ''
      expect([torso === name, await direct.hasContent(torso, 5_000)]).toEqual([false, false])
      expect(await direct.hasContent(name, 5_000)).toBe(true)

      const [one] = encodeChain(1, random)
      proxy.heal()
      spoil([{ method: 'PUT', times: 1, fault: { kind: 'keep-torso', bytes: 20 } }])
      await persistently(() => through.writeChangeset(one!.point, one!.bytes))
      expect(await direct.hasChangeset(one!.point)).toBe(true)
    })

    it('a commit whose answer is lost, late or repeated is found out and acknowledged once', async () => {
      const direct = await newStore()
      const through = connect(proxy.url)
      const chain: ChainPoint[] = []
      for (const kind of ['drop-reply', 'duplicate', 'replay', 'drop-request'] as const) {
        proxy.heal()
        spoil([{ method: 'MOVE', times: 1, fault: { kind } }])
        const [next] = encodeChain(1, random, chain)
        await through.writeChangeset(next!.point, next!.bytes)
        const outcome = await through.commit(chain.at(-1) ?? emptyStorePoint, next!.point)
        expect(outcome, kind).toEqual({ kind: 'won', head: next!.point })
        chain.push(next!.point)
      }
      expect(await chainOf(direct)).toEqual(chain)
    })

    it('a server that asks for a pause gets it, from every request', async () => {
      await newStore()
      const sentAt: number[] = []
      const through = connect(proxy.url, sentAt)
      await through.check(emptyStorePoint)
      const before = sentAt.length
      spoil([{ times: 1, fault: { kind: 'answer', status: 503, headers: { 'retry-after': '40' } } }])
      const answers = [await through.check(emptyStorePoint)]
      answers.push(...(await Promise.all([1, 2, 3].map(() => through.check(emptyStorePoint)))))
      expect(answers).toEqual(Array(4).fill('unchanged'))
      const [refused, ...later] = sentAt.slice(before)
      expect(later).toHaveLength(4)
      for (const moment of later) expect(moment - (refused as number)).toBeGreaterThanOrEqual(40_000)
    })

    it('a cache that answers whatever it is told is never believed about a commit', async () => {
      const direct = await newStore()
      const through = connect(proxy.url)
      const [mine, theirs] = [encodeChain(1, random)[0]!, encodeChain(1, random)[0]!]
      spoil([{ fault: { kind: 'shared-cache', obeys: false } }])
      expect((await through.listHeads()).kind).toBe('one')
      await through.writeChangeset(mine.point, mine.bytes)
      await direct.writeChangeset(theirs.point, theirs.bytes)
      expect((await direct.commit(emptyStorePoint, theirs.point)).kind).toBe('won')
      // The listing that is kept says that nobody has committed yet.
      await expect(through.commit(emptyStorePoint, mine.point)).rejects.toBeInstanceOf(DavitError)
      expect(await chainOf(direct)).toEqual([theirs.point])
      proxy.heal()
      expect(await through.commit(emptyStorePoint, mine.point)).toEqual({ kind: 'lost', head: theirs.point })
    })

    it('a body limit refuses the large content with a reason at once, and nothing else', async () => {
      const direct = await newStore()
      const through = connect(proxy.url)
      spoil([{ method: 'PUT', fault: { kind: 'body-limit', bytes: 50_000 } }])
      const [small, large] = [new Uint8Array(50_000), new Uint8Array(50_001)]
      const before = proxy.count('PUT')
      await expect(through.writeContent(sha256Of(large), sourceOf(large))).rejects.toMatchObject({
        code: 'remote-too-large',
      })
      expect(proxy.count('PUT') - before).toBe(1)
      const name = await through.writeContent(sha256Of(small), sourceOf(small))
      expect(await direct.hasContent(name, small.length)).toBe(true)
    })

    it('what a proxy compresses is refused and never inflated', async () => {
      await newStore()
      const through = connect(proxy.url)
      const bytes = new TextEncoder().encode('text that compresses well '.repeat(200))
      const [one] = encodeChain(1, random)
      const hash = sha256Of(bytes)
      const name = await through.writeContent(hash, sourceOf(bytes))
      await through.writeChangeset(one!.point, one!.bytes)
      spoil([{ method: 'GET', fault: { kind: 'gzip' } }])
      const sink = collectingSink()
      await expect(through.readContent(name, { hash, size: bytes.length }, sink)).rejects.toBeInstanceOf(
        Error,
      )
      expect(sink.bytes()).toHaveLength(0)
      await expect(through.readChangeset(one!.point)).rejects.toBeInstanceOf(Error)
      expect(proxy.log.some(({ path }) => path.endsWith(changesetName(one!.point)))).toBe(true)
      proxy.heal()
      expect((await through.readChangeset(one!.point)).point).toEqual(one!.point)
    })

    /** Until it works: on a bad line any single call may fail, with an error that says so. */
    async function persistently<T>(act: () => Promise<T>): Promise<T> {
      for (let attempt = 1; ; attempt++) {
        try {
          return await act()
        } catch (error) {
          const mayWork = isDavitError(error) && (error.action === 'retry' || error.code === 'remote-damaged')
          if (!mayWork || attempt >= 30) throw error
        }
      }
    }
  })
}
