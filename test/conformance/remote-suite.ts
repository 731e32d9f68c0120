/**
 * What every store must do, whatever server lies below: run against the server in memory and, through HTTP, against
 * real ones. `setup` makes a fresh, empty folder for each test.
 */
import { afterEach, describe, expect, it } from 'vitest'
import { type ChainPoint, emptyStorePoint } from '../../src/model/changeset.ts'
import type { Clock, Random } from '../../src/model/clock.ts'
import { headName } from '../../src/remote/layout.ts'
import type { Remote } from '../../src/remote/remote.ts'
import type { Transport } from '../../src/remote/transport.ts'
import { openWebdavRemote } from '../../src/remote/webdav-remote.ts'
import {
  collectingSink,
  encodeChain,
  fileOperation,
  headerAfter,
  sha256Of,
  sourceOf,
} from '../support/changesets.ts'

export interface RemoteSuiteStore {
  /** Another client of the same folder. */
  connect(): Transport
  readonly clock: Clock
  readonly random: Random
  /** Lets time pass while the work is done: a virtual clock has to be driven. */
  run<T>(work: Promise<T>): Promise<T>
  cleanUp(): Promise<void>
}

const ids = Array.from(
  { length: 16 },
  (_, index) => `01900000-0000-7000-8000-0000000000${(index + 16).toString(16)}`,
)

export interface RemoteSuiteOptions {
  /** `false` for a server that copies and deletes: racing commits fork there, which other tests are about. */
  readonly moveIsRename?: boolean
}

export function runRemoteSuite(
  name: string,
  setup: () => Promise<RemoteSuiteStore>,
  options: RemoteSuiteOptions = {},
): void {
  describe(`remote over ${name}`, () => {
    const cleanUps: (() => Promise<void>)[] = []
    afterEach(async () => {
      for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp()
    })

    async function open(instances = 1) {
      const store = await setup()
      cleanUps.push(() => store.cleanUp())
      const transports = Array.from({ length: instances }, () => store.connect())
      const remotes = transports.map((transport, index) =>
        openWebdavRemote({
          transport,
          clock: store.clock,
          random: store.random,
          instance: () => ({ id: ids[index] as string, name: `instance ${index}` }),
        }),
      )
      cleanUps.push(async () => {
        for (const remote of remotes) await remote.close()
      })
      return {
        ...store,
        transports,
        remotes,
        remote: remotes[0] as Remote,
        transport: transports[0] as Transport,
      }
    }

    async function publish(remote: Remote, random: Random, count: number, from: ChainPoint[] = []) {
      const chain = [...from]
      for (const { point, bytes } of encodeChain(count, random, from)) {
        await remote.writeChangeset(point, bytes)
        expect((await remote.commit(chain.at(-1) ?? emptyStorePoint, point)).kind).toBe('won')
        chain.push(point)
      }
      return chain
    }

    it('a folder without a store is missing, a new store has the head of version 0, creating it again changes nothing', async () => {
      const { remote, run } = await open()
      await run(
        (async () => {
          expect(await remote.listHeads()).toEqual({ kind: 'missing' })
          await remote.createStore()
          expect(await remote.listHeads()).toEqual({ kind: 'one', head: emptyStorePoint })
          expect(await remote.check(emptyStorePoint)).toBe('unchanged')
          await remote.createStore()
          expect(await remote.listHeads()).toEqual({ kind: 'one', head: emptyStorePoint })
        })(),
      )
    })

    it('several creators at once make one store', async () => {
      const { remotes, remote, run } = await open(4)
      await run(
        (async () => {
          await Promise.all(remotes.map((each) => each.createStore()))
          expect(await remote.listHeads()).toEqual({ kind: 'one', head: emptyStorePoint })
        })(),
      )
    })

    it('a commit costs a PUT, a MOVE and a listing, and the check after it one HEAD', async () => {
      const { remote, random, run } = await open()
      await run(
        (async () => {
          await remote.createStore()
          const first = await publish(remote, random, 1)
          const before = remote.traffic()
          const [second] = encodeChain(1, random, first)
          await remote.writeChangeset(second!.point, second!.bytes)
          expect(await remote.commit(first[0]!, second!.point)).toEqual({ kind: 'won', head: second!.point })
          expect(remote.traffic().requests - before.requests).toBe(3)
          expect(await remote.check(second!.point)).toBe('unchanged')
          expect(remote.traffic().requests - before.requests).toBe(4)
          expect(await remote.check(first[0]!)).toBe('changed')
        })(),
      )
    })

    it('the same commit asked for again after it was won is won again, also when the chain has moved on', async () => {
      const { remote, random, run } = await open()
      await run(
        (async () => {
          await remote.createStore()
          const chain = await publish(remote, random, 3)
          expect(await remote.commit(chain[1]!, chain[2]!)).toEqual({ kind: 'won', head: chain[2] })
          expect(await remote.commit(emptyStorePoint, chain[0]!)).toEqual({ kind: 'won', head: chain[2] })
          const [rival] = encodeChain(1, random)
          expect(await remote.commit(emptyStorePoint, rival!.point)).toEqual({ kind: 'lost', head: chain[2] })
        })(),
      )
    })

    if (options.moveIsRename !== false)
      it('of racing committers exactly one wins each version, and all get through', async () => {
        const { remotes, remote, random, run } = await open(6)
        const won: ChainPoint[] = []
        await run(
          (async () => {
            await remote.createStore()
            await Promise.all(
              remotes.map(async (each, index) => {
                const chain: ChainPoint[] = []
                for (let tries = 0; ; tries++) {
                  expect(tries).toBeLessThan(60)
                  const listing = await each.listHeads()
                  if (listing.kind !== 'one') throw new Error(`unexpected listing ${listing.kind}`)
                  const known = chain.at(-1) ?? emptyStorePoint
                  const reading = await each.readChain(known, listing.head, () => null)
                  if (reading.kind !== 'extends') throw new Error('a chain without forks was expected')
                  for await (const changeset of reading.changesets) chain.push(changeset.point)
                  const header = headerAfter(chain, random, 1, ids[index])
                  const { point, bytes } = each.encodeChangeset(header, [fileOperation(random)])
                  await each.writeChangeset(point, bytes)
                  if ((await each.commit(chain.at(-1) ?? emptyStorePoint, point)).kind !== 'won') continue
                  won.push(point)
                  return
                }
              }),
            )
            const listing = await remote.listHeads()
            expect(listing.kind).toBe('one')
            const head = (listing as { head: ChainPoint }).head
            const reading = await remote.readChain(emptyStorePoint, head, () => null)
            const chain: ChainPoint[] = []
            if (reading.kind === 'extends')
              for await (const changeset of reading.changesets) chain.push(changeset.point)
            expect(won.sort((left, right) => left.version - right.version)).toEqual(chain)
            expect(chain).toHaveLength(remotes.length)
          })(),
        )
      })

    it('a chain is read ascending and whole, with as many requests as there are changesets', async () => {
      const { remote, random, run } = await open()
      await run(
        (async () => {
          await remote.createStore()
          const chain = await publish(remote, random, 5)
          const before = remote.traffic().requests
          const reading = await remote.readChain(chain[0]!, chain[4]!, () => null)
          if (reading.kind !== 'extends') throw new Error('an extension was expected')
          const points: ChainPoint[] = []
          for await (const changeset of reading.changesets) points.push(changeset.point)
          expect(points).toEqual(chain.slice(1))
          expect(reading.count).toBe(4)
          expect(remote.traffic().requests - before).toBe(4)
        })(),
      )
    })

    it('contents of any size come back as they were sent, under names of their own', async () => {
      const { remote, run } = await open()
      await run(
        (async () => {
          await remote.createStore()
          for (const size of [0, 1, 70_000, 1_500_000]) {
            const bytes = new Uint8Array(size).map((_, index) => (index * 31 + size) & 255)
            const hash = sha256Of(bytes)
            const names = [
              await remote.writeContent(hash, sourceOf(bytes)),
              await remote.writeContent(hash, sourceOf(bytes)),
            ]
            expect(names[0]).not.toBe(names[1])
            const sink = collectingSink()
            await remote.readContent(names[1]!, { hash, size }, sink)
            expect(sha256Of(sink.bytes())).toBe(hash)
            expect(await remote.hasContent(names[0]!, size)).toBe(true)
            expect(await remote.hasContent(names[0]!, size + 1)).toBe(false)
          }
        })(),
      )
    })

    it('a content that is not there is damage, one with other bytes than promised is refused on the way up', async () => {
      const { remote, run } = await open()
      const bytes = new TextEncoder().encode('content')
      const hash = sha256Of(bytes)
      await run(
        (async () => {
          await remote.createStore()
          await expect(
            remote.readContent(
              `${hash.slice(0, 2)}/${hash}-${'0'.repeat(24)}`,
              { hash, size: 7 },
              collectingSink(),
            ),
          ).rejects.toMatchObject({ code: 'remote-damaged' })
          await expect(
            remote.writeContent(hash, sourceOf(new TextEncoder().encode('changed'))),
          ).rejects.toMatchObject({ code: 'file-changed' })
        })(),
      )
    })

    it('a changeset that is in the store is found, one that is not is not', async () => {
      const { remote, random, run } = await open()
      await run(
        (async () => {
          await remote.createStore()
          const [one, two] = encodeChain(2, random)
          await remote.writeChangeset(one!.point, one!.bytes)
          await remote.writeChangeset(one!.point, one!.bytes)
          expect(await remote.hasChangeset(one!.point)).toBe(true)
          expect(await remote.hasChangeset(two!.point)).toBe(false)
          expect((await remote.readChangeset(one!.point)).point).toEqual(one!.point)
          await expect(remote.readChangeset(two!.point)).rejects.toMatchObject({ code: 'remote-damaged' })
        })(),
      )
    })

    it('several names in version/ are reported and healed to the highest, by every instance alike', async () => {
      const { remote, transport, random, run } = await open()
      await run(
        (async () => {
          await remote.createStore()
          const chain = await publish(remote, random, 2)
          const orphan = encodeChain(1, random)[0]!
          await remote.writeChangeset(orphan.point, orphan.bytes)
          for (const point of [chain[0]!, orphan.point])
            await (
              await transport.request({ method: 'PUT', name: headName(point), body: new Uint8Array(32) })
            ).discard()
          const listing = await remote.listHeads()
          expect(listing.kind).toBe('several')
          expect(await remote.healHeads(listing.kind === 'several' ? listing.heads : [])).toEqual(chain[1])
          expect(await remote.listHeads()).toEqual({ kind: 'one', head: chain[1] })
          expect(await remote.hasChangeset(orphan.point)).toBe(true)
        })(),
      )
    })

    it('a checkpoint is written, read and copied for people; instances announce themselves once', async () => {
      const { remote, transport, random, run } = await open()
      await run(
        (async () => {
          await remote.createStore()
          const bytes = new TextEncoder().encode('SQLite format 3 and so on')
          const file = { hash: sha256Of(bytes), source: sourceOf(bytes) }
          for (let version = 1; version <= 2; version++) {
            const reference = await remote.writeCheckpoint({ version, hash: 'c'.repeat(64) }, file)
            const sink = collectingSink()
            await remote.readCheckpoint(reference, sink)
            expect(sink.bytes()).toEqual(Buffer.from(bytes))
          }
          const copy = await transport.request({ method: 'GET', name: 'metadata.db' })
          expect(copy.status).toBe(200)
          await copy.discard()
          await remote.writeFormat('{"format":1}\n')
          expect(await remote.listInstances()).toEqual([])
          const me = {
            id: random.uuid(),
            name: 'laptop',
            incarnation: 'x',
            version: 1,
            seenAt: '2026-01-01T00:00:00.000Z',
          }
          await remote.announceInstance(me)
          await remote.announceInstance({ ...me, version: 2, seenAt: '2026-01-01T01:00:00.000Z' })
          expect(await remote.listInstances()).toEqual([
            { ...me, version: 2, seenAt: '2026-01-01T01:00:00.000Z' },
          ])
        })(),
      )
    })

    it('the lock is held by one, renewed by it, and given back', async () => {
      const { remotes, run } = await open(2)
      const [one, two] = remotes as [Remote, Remote]
      await run(
        (async () => {
          await one.createStore()
          const held = await one.acquireLock({ wait: false })
          expect(held).not.toBeNull()
          expect(await two.lockState()).toMatchObject({ kind: 'held', instance: ids[0] })
          expect(await two.acquireLock({ wait: false })).toBeNull()
          expect(await held!.renew()).toBe(true)
          await held!.release()
          expect(await one.lockState()).toEqual({ kind: 'free' })
          const next = await two.acquireLock({ wait: false })
          expect(next).not.toBeNull()
          expect(await held!.renew()).toBe(false)
          await next!.release()
        })(),
      )
    })
  })
}
