import { expect, it } from 'vitest'
import { type ChainPoint, type Changeset, emptyStorePoint } from '../../../src/model/changeset.ts'
import { readChain } from '../../../src/remote/chain-reader.ts'
import { decodeChangeset, encodeChangeset } from '../../../src/remote/changeset-format.ts'
import { encodeChain, headerAfter } from '../../support/changesets.ts'
import { createSeededRandom } from '../../support/virtual-clock.ts'

const random = createSeededRandom(9)

function storeOf(encoded: readonly { point: ChainPoint; bytes: Uint8Array }[]) {
  const objects = new Map(encoded.map((each) => [each.point.hash, each.bytes]))
  const store = {
    requests: 0,
    atOnce: 0,
    atOnceMax: 0,
    async read(point: ChainPoint): Promise<Changeset> {
      store.requests++
      store.atOnceMax = Math.max(store.atOnceMax, ++store.atOnce)
      await new Promise((resolve) => setImmediate(resolve))
      store.atOnce--
      return decodeChangeset(point, objects.get(point.hash) as Uint8Array)
    },
  }
  return store
}

async function pointsOf(changesets: AsyncIterable<Changeset>): Promise<ChainPoint[]> {
  const points: ChainPoint[] = []
  for await (const changeset of changesets) points.push(changeset.point)
  return points
}

const encoded = encodeChain(120, random)
const chain = encoded.map((each) => each.point)
const nothing = () => null

it.each([0, 1, 2, 31, 32, 33, 64, 100, 120])(
  'a reader %i versions behind makes as many requests',
  async (behind) => {
    const store = storeOf(encoded)
    const known = chain.at(-1 - behind) ?? emptyStorePoint
    const reading = await readChain({
      known,
      head: chain.at(-1)!,
      knownHash: nothing,
      read: store.read,
      readAhead: 8,
    })
    if (reading.kind !== 'extends') throw new Error('an extension was expected')
    expect(reading.count).toBe(behind)
    expect(await pointsOf(reading.changesets)).toEqual(behind === 0 ? [] : chain.slice(-behind))
    expect(store.requests).toBe(behind)
    expect(store.atOnceMax).toBeLessThanOrEqual(8)
  },
)

it('a chain that does not contain the known point diverges at the newest point that both have', async () => {
  const store = storeOf([...encoded, ...encodeChain(5, random, chain.slice(0, 50))])
  const other = encodeChain(5, random, chain.slice(0, 50)).map((each) => each.point)
  const own = [...chain.slice(0, 50), ...other]
  const knownHash = (version: number) => own[version - 1]?.hash ?? null
  const reading = await readChain({
    known: other.at(-1)!,
    head: chain.at(-1)!,
    knownHash,
    read: store.read,
    readAhead: 8,
  })
  expect(reading).toEqual({ kind: 'diverges', ancestor: chain[49], head: chain.at(-1) })
  const blind = await readChain({
    known: other.at(-1)!,
    head: chain.at(-1)!,
    knownHash: nothing,
    read: store.read,
    readAhead: 8,
  })
  expect(blind).toMatchObject({ kind: 'diverges', ancestor: null })
})

it('a head that is older than what is known diverges, with itself as the ancestor when it is known', async () => {
  const store = storeOf(encoded)
  const knownHash = (version: number) => chain[version - 1]?.hash ?? null
  const reading = await readChain({
    known: chain[99]!,
    head: chain[59]!,
    knownHash,
    read: store.read,
    readAhead: 8,
  })
  expect(reading).toEqual({ kind: 'diverges', ancestor: chain[59], head: chain[59] })
})

it('a header that contradicts its descendants is damage, at the point where it is read', async () => {
  const liar = encodeChangeset(
    {
      ...headerAfter(chain.slice(0, 40), random),
      ancestors: chain
        .slice(8, 40)
        .reverse()
        .map((point, index) => (index === 3 ? 'f'.repeat(64) : point.hash)),
    },
    [],
  )
  const next = encodeChangeset(headerAfter([...chain.slice(0, 40), liar.point], random), [])
  const store = storeOf([...encoded, liar, next])
  const reading = await readChain({
    known: chain[30]!,
    head: next.point,
    knownHash: nothing,
    read: store.read,
    readAhead: 4,
  })
  if (reading.kind !== 'extends') throw new Error('an extension was expected')
  await expect(pointsOf(reading.changesets)).rejects.toMatchObject({ code: 'remote-damaged' })
})

it('a reader that stops early stops the reading ahead', async () => {
  const store = storeOf(encoded)
  const reading = await readChain({
    known: chain[0]!,
    head: chain[30]!,
    knownHash: nothing,
    read: store.read,
    readAhead: 4,
  })
  if (reading.kind !== 'extends') throw new Error('an extension was expected')
  for await (const changeset of reading.changesets) if (changeset.point.version === 3) break
  expect(store.requests).toBeLessThanOrEqual(1 + 2 + 4)
})
