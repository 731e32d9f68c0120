/**
 * Holds each simulated server against the recorded row of the real one: measured in the same way, it must nowhere be
 * kinder. Where it is worse, what is shown on it holds all the more.
 */
import { describe, expect, it } from 'vitest'
import { probeServer } from '../../src/remote/probe/probe-server.ts'
import type { Transport } from '../../src/remote/transport.ts'
import { type ProfileName, profiles } from '../simulator/profiles.ts'
import { createSimulatedServer } from '../simulator/server.ts'
import { type ServerKind, serverKinds } from '../support/servers.ts'
import { createSeededRandom, createVirtualClock } from '../support/virtual-clock.ts'
import { measuredGuarantees, type RecordedGuarantees, recordedGuarantees } from './recorded-guarantees.ts'

type Measured = ReturnType<typeof measuredGuarantees>
type Fact = keyof RecordedGuarantees

/** From the kindest on; what is not among these must be the same. */
const orders: Partial<Readonly<Record<Fact, readonly unknown[]>>> = {
  cutNew: ['nothing', 'whole', 'part'],
  cutOld: ['kept', 'replaced', 'gone', 'part'],
  names: ['full', 'nearly', 'short'],
  cacheAnswers: [false, true],
}
const commonOrders: readonly (readonly unknown[])[] = [
  ['never', 'may'],
  [true, false],
]

const slow = 'only while an upload takes its time, which the fault slowUpload brings about'
const cut = 'connections are cut by the faults cutRead and lostReply, whatever the profile'

/** In what a profile is kinder than the row when it is asked without faults, and why that tells nothing wrong. */
const known: Partial<Readonly<Record<ServerKind, Partial<Readonly<Record<Fact, string>>>>>> = {
  rclone: { replacedShowsPart: slow, replacedShowsNothing: slow, replacedBreaksOff: cut },
  xnet: { replacedShowsPart: slow, replacedBreaksOff: cut },
  sabre: { replacedShowsPart: slow, replacedBreaksOff: cut },
  phodav: {
    renameFalseFailure: cut,
    renameLoserStatuses: cut,
    replacedBreaksOff: cut,
    oddNames: 'no name in a store has a percent sign or a hash in it',
  },
}

/** Names of the facts in which the simulated server is kinder than the row, or just otherwise. */
function kinderIn(row: RecordedGuarantees, measured: Measured): Fact[] {
  return (Object.keys(row) as Fact[]).filter((name) => !isNoBetter(name, row[name], measured[name]))
}

function isNoBetter(name: Fact, recorded: unknown, simulated: unknown): boolean {
  if (name === 'renameLoserStatuses')
    return (recorded as number[]).every((status) => (simulated as number[]).includes(status))
  if (name === 'oddNames') {
    const fates = simulated as Record<string, unknown>
    return Object.entries(recorded as object).every(([odd, fate]) => fates[odd] === fate)
  }
  // No answer at all is worse than any.
  if (typeof recorded === 'number' && simulated === null) return true
  const order = orders[name] ?? commonOrders.find((each) => each.includes(recorded))
  if (order?.includes(recorded) && order.includes(simulated))
    return order.indexOf(simulated) >= order.indexOf(recorded)
  return JSON.stringify(recorded) === JSON.stringify(simulated)
}

async function measure(profile: ProfileName): Promise<Measured> {
  const clock = createVirtualClock()
  const random = createSeededRandom(5)
  const latencyMs = { min: 1, max: 5 }
  const server = createSimulatedServer({ profile: profiles[profile], clock, random, latencyMs })
  const { facts } = await clock.run(
    probeServer({
      connect: () => decoding(server.connect({ name: 'probe', clock })),
      clock,
      random,
      owner: { tag: `${'0'.repeat(16)}-1-1`, isGone: () => null },
      effort: {
        raceRounds: 200,
        visibilityRounds: 5,
        replaceRounds: 100,
        bodyBytesMax: 64 * 1024,
        latencySamples: 1,
      },
    }),
  )
  return measuredGuarantees(facts)
}

/** The store's own names need no escaping, and the simulated server knows none. */
function decoding(wire: Transport): Transport {
  return {
    ...wire,
    request: (request) =>
      wire.request({
        ...request,
        name: decodeURIComponent(request.name),
        ...(request.destination === undefined
          ? {}
          : { destination: decodeURIComponent(request.destination) }),
      }),
  }
}

describe.each(serverKinds)('the simulated %s', (kind) => {
  it('has a profile of its name, which is nowhere kinder than the real server', async () => {
    expect(profiles[kind].name).toBe(kind)
    const kinder = kinderIn(recordedGuarantees[kind], await measure(kind))
    expect(kinder).toEqual(Object.keys(known[kind] ?? {}))
  })
})

describe('a profile that is kinder than its row', () => {
  it('is told by what it does better', async () => {
    const kinder = kinderIn(recordedGuarantees.rclone, await measure('ideal'))
    for (const name of ['cutNew', 'cutOld', 'replacedShowsPart', 'mkcolExisting', 'renameLoserStatuses'])
      expect(kinder).toContain(name)
  })
})
