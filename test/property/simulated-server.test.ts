/**
 * Several instances commit over the simulated server: every profile, faults of every kind inside the model. What was
 * acknowledged is in one linear chain, nothing else is, and every content that the store was said to hold is there.
 */
import { describe, expect, it } from 'vitest'
import { type ChainPoint, emptyStorePoint } from '../../src/model/changeset.ts'
import type { Remote } from '../../src/remote/remote.ts'
import { openWebdavRemote } from '../../src/remote/webdav-remote.ts'
import { withRetry } from '../../src/remote/with-retry.ts'
import {
  drawFaults,
  drawStates,
  faultKinds,
  faultRules,
  outageKinds,
  type SwarmOptions,
} from '../simulator/faults.ts'
import { type ProfileName, profileNames, profiles } from '../simulator/profiles.ts'
import { createSimulatedServer, type Effect } from '../simulator/server.ts'
import { createWriter } from '../simulator/writer.ts'
import { sha256Of } from '../support/changesets.ts'
import { createSeededRandom, createVirtualClock } from '../support/virtual-clock.ts'

const { DAVIT_SIMULATED_SEEDS: askedSeeds, DAVIT_SIMULATED_FROM: askedFrom } = process.env
/** Seeds for each profile. */
const seeds = Number(askedSeeds ?? '3')
const from = Number(askedFrom ?? '1')
/** How long one swarm of faults lasts, and how many there are for one seed. */
const swarmMs = 200_000
const swarms = 3

async function chainOf(remote: Remote): Promise<ChainPoint[]> {
  const listing = await remote.listHeads()
  if (listing.kind === 'several') await remote.healHeads(listing.heads)
  const healed = await remote.listHeads()
  if (healed.kind !== 'one') throw new Error(`one head was expected, not ${healed.kind}`)
  const reading = await remote.readChain(emptyStorePoint, healed.head, () => null)
  if (reading.kind !== 'extends') throw new Error('the chain does not begin at version 0')
  const points: ChainPoint[] = []
  for await (const changeset of reading.changesets) points.push(changeset.point)
  return points
}

interface Outcome {
  readonly counts: ReadonlyMap<string, number>
  readonly trace: string
  readonly forks: number
}

/** One seed: chaos, then healing, then the checks. */
async function simulate(name: ProfileName, seed: number, swarm: SwarmOptions = {}): Promise<Outcome> {
  const clock = createVirtualClock()
  const random = createSeededRandom(seed * 100 + profileNames.indexOf(name))
  const trace: string[] = []
  const gone = new Set<string>()
  const server = createSimulatedServer({
    profile: profiles[name],
    clock,
    random,
    latencyMs: { min: 1, max: 1 + 60 * random.fraction() },
    onEffect: (effect: Effect) => {
      trace.push(`${Math.round(effect.atMs)} ${effect.kind} ${effect.name} ${effect.target ?? ''}`)
      if (effect.kind === 'renamed' && effect.name.startsWith('version/')) {
        expect(gone).not.toContain(effect.target)
        gone.add(effect.name)
      }
    },
  })
  let forks = 0
  const open = (client: string, id: string) => {
    const transport = server.connect({ name: client, clock, timeoutMs: 20_000 })
    const retried = random.fraction() < 0.7
    return openWebdavRemote({
      transport: retried
        ? withRetry(transport, { attempts: 3, baseMs: 50, maxMs: 2_000, clock, random })
        : transport,
      clock,
      random,
      instance: () => ({ id, name: client }),
      readAhead: 3,
      onFork: () => {
        forks++
      },
    })
  }
  const observer = open('observer', random.uuid())
  const writers = Array.from({ length: 2 + Math.floor(3 * random.fraction()) }, (_, index) => {
    const id = random.uuid()
    return createWriter({ remote: open(`writer ${index}`, id), id, clock, random })
  })
  await clock.run(
    (async () => {
      await observer.createStore()
      let isDone = false
      const distort = () => server.setFaults({ ...drawFaults(random, swarm), ...drawStates(random) })
      distort()
      const working = Promise.all(writers.map((writer) => writer.work(3))).finally(() => {
        isDone = true
      })
      for (let drawn = 1; drawn <= swarms && !isDone; drawn++) {
        await Promise.race([working, clock.sleep(swarmMs)])
        if (drawn < swarms) distort()
      }
      server.setFaults({})
      await working
      // Late requests still arrive; they change nothing.
      server.settle()
      await clock.sleep(60_000)
      const chain = await chainOf(observer)
      const won = writers.flatMap((writer) => writer.won)
      if (profiles[name].move.how === 'rename') {
        expect(won.sort((left, right) => left.version - right.version)).toEqual(chain)
      } else {
        expect(chain.map((point) => point.version)).toEqual(chain.map((_, index) => index + 1))
        for (const point of won) expect(await observer.hasChangeset(point)).toBe(true)
      }
      for (const content of writers.flatMap((writer) => writer.contents))
        expect(sha256Of(server.read(content.name) ?? new Uint8Array())).toBe(content.hash)
    })(),
  )
  return { counts: server.counts, trace: sha256Of(new TextEncoder().encode(trace.join('\n'))), forks }
}

describe('racing commits over a simulated server', () => {
  const totals = new Map<string, number>()

  for (const name of profileNames) {
    it(
      `${name}: whatever goes wrong, acknowledged commits are one linear chain and contents are whole`,
      async () => {
        for (let seed = from; seed < from + seeds; seed++) {
          try {
            // The first seed has faults of every kind at once, the others any few of them.
            const { counts } = await simulate(name, seed, seed === from ? { enabled: 1 } : {})
            for (const [what, times] of counts) totals.set(what, (totals.get(what) ?? 0) + times)
          } catch (error) {
            throw new Error(`${name}, seed ${seed}: ${(error as Error).message}`, { cause: error })
          }
        }
      },
      60_000 + seeds * 20_000,
    )
  }

  it('every kind of fault inside the model has happened', () => {
    const kinds = [
      ...faultKinds.filter((kind) => faultRules[kind].model === 'inside'),
      ...outageKinds.map((kind) => `outage ${kind}`),
      'quota',
      'bodyLimit',
      'dateSkew',
      // What follows from faults and profiles together.
      'given up',
      'killed',
      'busy name',
    ]
    expect(kinds.filter((kind) => (totals.get(kind) ?? 0) === 0)).toEqual([])
  })

  it('the same seed gives the same run', async () => {
    const first = await simulate('rclone', 4)
    const second = await simulate('rclone', 4)
    expect(second).toEqual(first)
  })
})
