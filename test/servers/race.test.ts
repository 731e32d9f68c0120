/**
 * Eight instances commit at once: every acknowledged change is in one linear chain and everywhere, and nobody starves.
 * `scripts/race.mjs` runs it for longer and shows each instance's share.
 */
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { emptyStorePoint } from '../../src/model/changeset.ts'
import { openUndiciTransport } from '../../src/remote/undici-transport.ts'
import { openWebdavRemote } from '../../src/remote/webdav-remote.ts'
import { createImpatientClock } from '../support/real-clock.ts'
import { type RealInstance, type RealInstances, realInstances } from '../support/real-instances.ts'
import { describeServers, type RunningServer, type ServerKind, serverKinds } from '../support/servers.ts'
import { createSeededRandom } from '../support/virtual-clock.ts'

const { DAVIT_RACE_SECONDS: asked } = process.env
const racers = 8
const seconds = Number(asked ?? '5')
/** What anybody may wait for one commit, in commits that the others make meanwhile. */
const passedByMax = 400

interface Share {
  readonly name: string
  readonly acknowledged: string[]
  longestMs: number
  /** Commits of others between two of its own, at most. */
  passedBy: number
}

/** Writes a file and syncs, again and again. */
async function race(one: RealInstance, until: number): Promise<Share> {
  const share: Share = { name: one.name, acknowledged: [], longestMs: 0, passedBy: 0 }
  while (performance.now() < until) {
    const path = `${one.name}-${share.acknowledged.length}.txt`
    const before = one.instance.status().localVersion
    const startedMs = performance.now()
    writeFileSync(join(one.folder, path), `${path} of ${one.name}`)
    await one.sync()
    share.longestMs = Math.max(share.longestMs, performance.now() - startedMs)
    share.passedBy = Math.max(share.passedBy, one.instance.status().localVersion - before)
    share.acknowledged.push(path)
  }
  return share
}

/** The instances that committed files, in the order of the chain; rejects when it is not one chain. */
async function authorsOf(url: string): Promise<string[]> {
  const [clock, random] = [createImpatientClock(), createSeededRandom(5)]
  const transport = openUndiciTransport({ url, timeoutMs: 30_000, concurrency: 4, clock, random })
  const remote = openWebdavRemote({
    transport,
    clock,
    random,
    instance: () => ({ id: random.uuid(), name: 'x' }),
  })
  try {
    const listing = await remote.listHeads()
    if (listing.kind !== 'one') throw new Error(`version/ holds ${listing.kind}`)
    const reading = await remote.readChain(emptyStorePoint, listing.head, () => null)
    if (reading.kind !== 'extends') throw new Error('the chain does not begin with the empty store')
    const authors: string[] = []
    for await (const { header, operations } of reading.changesets) {
      // Checkpoints are commits of nobody's change.
      if (operations.some(({ kind }) => kind === 'put')) authors.push(header.instance.name)
    }
    return authors
  } finally {
    await remote.close()
  }
}

/** Three that are made in different ways; `scripts/race.mjs` takes any of them, for as long as one likes. */
const raced: readonly ServerKind[] = asked === undefined ? ['apache', 'rclone', 'embedded'] : serverKinds

describeServers(raced, (kind, start) => {
  let server: RunningServer
  let instances: RealInstances

  beforeAll(async () => {
    server = await start()
    instances = realInstances()
  })

  afterAll(async () => {
    await instances.close()
    await server.stop()
  })

  it(
    `${racers} instances that commit at once all get through, in one chain`,
    async () => {
      const url = `${server.url}/store`
      const all: RealInstance[] = []
      for (let index = 0; index < racers; index++) {
        all.push(await instances.open(`racer-${index}`, url))
        await all[index]?.sync()
      }
      const until = performance.now() + seconds * 1_000
      const shares = await Promise.all(all.map((one) => race(one, until)))
      if (asked !== undefined) process.stdout.write(`${table(kind, shares)}\n`)

      for (const one of all) await one.sync()
      const acknowledged = shares.flatMap((share) => share.acknowledged)
      expect(new Set(acknowledged).size).toBe(acknowledged.length)
      for (const one of all)
        expect(acknowledged.filter((path) => !existsSync(join(one.folder, path)))).toEqual([])
      const authors = await authorsOf(url)
      for (const { name, acknowledged: own } of shares)
        expect(authors.filter((author) => author === name)).toHaveLength(own.length)
      expect(authors).toHaveLength(acknowledged.length)
      const digests = all.map(({ instance }) => instance.status().localVersion)
      expect(new Set(digests).size).toBe(1)
      for (const { acknowledged: own, passedBy } of shares) {
        expect(own.length).toBeGreaterThan(0)
        expect(passedBy).toBeLessThanOrEqual(passedByMax)
      }
    },
    (seconds + 120) * 1_000,
  )
})

function table(kind: string, shares: readonly Share[]): string {
  const total = shares.reduce((sum, { acknowledged }) => sum + acknowledged.length, 0)
  const rows = shares.map(
    ({ name, acknowledged, longestMs, passedBy }) =>
      `  ${name}  ${String(acknowledged.length).padStart(5)} commits  ${((100 * acknowledged.length) / total).toFixed(1).padStart(5)} %  longest wait ${Math.round(longestMs)} ms, ${passedBy} versions`,
  )
  return [
    `${kind}: ${total} commits in ${seconds} s, ${(total / seconds).toFixed(1)} a second`,
    ...rows,
  ].join('\n')
}
