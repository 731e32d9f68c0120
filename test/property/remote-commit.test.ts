import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type ChainPoint, emptyStorePoint } from '../../src/model/changeset.ts'
import type { Remote } from '../../src/remote/remote.ts'
import { openWebdavRemote } from '../../src/remote/webdav-remote.ts'
import { withRetry } from '../../src/remote/with-retry.ts'
import { createCommitter } from '../support/committer.ts'
import { type Faults, withCopyingMove, withFaults } from '../support/faulty-transport.ts'
import { createMemoryDav } from '../support/memory-dav.ts'
import { createSeededRandom, createVirtualClock } from '../support/virtual-clock.ts'

const probability = fc.constantFrom(0, 0, 0.02, 0.1, 0.25)
const faultsArbitrary: fc.Arbitrary<Faults> = fc.record({
  lostRequest: probability,
  lostReply: probability,
  late: probability,
  duplicate: probability,
  tornUpload: probability,
  tornDownload: probability,
  oddStatus: probability,
  falseSuccess: fc.constantFrom(0, 0.5, 1),
  falseMissing: fc.constantFrom(0, 0, 0.05),
  staleListing: fc.constantFrom(0, 0, 0.1),
  delayMs: fc.constantFrom(0, 50, 3_000),
})

async function chainOf(remote: Remote): Promise<ChainPoint[]> {
  const listing = await remote.listHeads()
  if (listing.kind !== 'one') throw new Error(`one head was expected, not ${listing.kind}`)
  const reading = await remote.readChain(emptyStorePoint, listing.head, () => null)
  if (reading.kind !== 'extends') throw new Error('the chain does not begin at version 0')
  const points: ChainPoint[] = []
  for await (const changeset of reading.changesets) points.push(changeset.point)
  return points
}

function setUp(
  seed: number,
  instances: number,
  wrap: (
    transport: ReturnType<ReturnType<typeof createMemoryDav>['connect']>,
    clock: ReturnType<typeof createVirtualClock>,
    random: ReturnType<typeof createSeededRandom>,
  ) => ReturnType<ReturnType<typeof createMemoryDav>['connect']>,
) {
  const server = createMemoryDav()
  const clock = createVirtualClock()
  const random = createSeededRandom(seed)
  const found = { forks: 0 }
  const plain = openWebdavRemote({
    transport: server.connect(),
    clock,
    random,
    instance: () => ({ id: random.uuid(), name: 'observer' }),
  })
  const committers = Array.from({ length: instances }, () => {
    const id = random.uuid()
    const remote = openWebdavRemote({
      transport: wrap(server.connect(), clock, random),
      clock,
      random,
      instance: () => ({ id, name: 'racer' }),
      readAhead: 3,
      onFork: () => {
        found.forks++
      },
    })
    return createCommitter(remote, id, clock, random)
  })
  return { server, clock, plain, committers, found }
}

describe('racing commits', () => {
  it('under faults of every kind exactly one child of each parent is acknowledged, it is in the chain, and all get through', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 2 ** 31 }),
        fc.integer({ min: 1, max: 5 }),
        faultsArbitrary,
        fc.boolean(),
        async (seed, instances, faults, retries) => {
          const { clock, plain, committers, found } = setUp(seed, instances, (transport, time, random) => {
            const faulty = withFaults(transport, faults, time, random)
            return retries
              ? withRetry(faulty, { attempts: 3, baseMs: 50, maxMs: 500, clock: time, random })
              : faulty
          })
          await clock.run(
            (async () => {
              await plain.createStore()
              await Promise.all(committers.map((committer) => committer.work(3)))
              // Late requests still arrive; they change nothing.
              await clock.sleep(60_000)
              const chain = await chainOf(plain)
              const won = committers.flatMap((committer) => committer.won)
              expect(won.sort((left, right) => left.version - right.version)).toEqual(chain)
              expect(found.forks).toBe(0)
            })(),
          )
        },
      ),
      { numRuns: 120, seed: 20260101 },
    )
  })

  it('on a server whose MOVE copies and deletes, forks are found and healed to one chain, and no changeset is lost', async () => {
    let forks = 0
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 2 ** 31 }),
        fc.integer({ min: 2, max: 4 }),
        fc.constantFrom(0, 0.1),
        async (seed, instances, crashes) => {
          const { clock, plain, committers, server, found } = setUp(
            seed,
            instances,
            (transport, time, random) =>
              withCopyingMove(
                withFaults(transport, { delayMs: 200, lostReply: 0.05 }, time, random),
                time,
                random,
                crashes,
              ),
          )
          await clock.run(
            (async () => {
              await plain.createStore()
              await Promise.all(committers.map((committer) => committer.work(2)))
              await clock.sleep(60_000)
              const listing = await plain.listHeads()
              if (listing.kind === 'several') await plain.healHeads(listing.heads)
              const chain = await chainOf(plain)
              expect(chain.map((point) => point.version)).toEqual(chain.map((_, index) => index + 1))
              for (const point of committers.flatMap((committer) => committer.won))
                expect(await plain.hasChangeset(point)).toBe(true)
              forks += found.forks
            })(),
          )
          expect([...server.files.keys()].filter((name) => name.includes('/version/'))).toHaveLength(1)
        },
      ),
      { numRuns: 40, seed: 20260102 },
    )
    expect(forks).toBeGreaterThan(0)
  })
})
