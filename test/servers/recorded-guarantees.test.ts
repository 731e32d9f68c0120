/**
 * Measures each real server as `davit doctor` does and holds it against its recorded row. DAVIT_PROBE_ROUNDS: rounds of
 * each race, for a longer look (25 by default; 1,000 take some minutes).
 */
import { readdirSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { systemClock, systemRandom } from '../../src/instance/system.ts'
import { judgeServer } from '../../src/remote/probe/findings.ts'
import { type ProbeReport, probeServer } from '../../src/remote/probe/probe-server.ts'
import { openUndiciTransport } from '../../src/remote/undici-transport.ts'
import { createMemoryDav } from '../support/memory-dav.ts'
import { describeServers, type RunningServer, serverKinds } from '../support/servers.ts'
import { createSeededRandom, createVirtualClock } from '../support/virtual-clock.ts'
import {
  differences,
  measuredGuarantees,
  type RecordedGuarantees,
  recordedGuarantees,
} from './recorded-guarantees.ts'

const { DAVIT_PROBE_ROUNDS: asked } = process.env
const rounds = asked === undefined ? 25 : Number(asked)

describeServers(serverKinds, (kind, start) => {
  let server: RunningServer
  let report: ProbeReport

  beforeAll(
    async () => {
      server = await start()
      const ports = { clock: systemClock, random: systemRandom }
      report = await probeServer({
        connect: (above) => {
          const url = above === 0 ? `${server.url}/store` : server.url
          return openUndiciTransport({ url, timeoutMs: 20_000, concurrency: 4, ...ports })
        },
        ...ports,
        owner: { tag: `${'0'.repeat(16)}-1-1`, isGone: () => null },
        effort: {
          raceRounds: rounds,
          visibilityRounds: Math.ceil(rounds / 10),
          replaceRounds: Math.ceil(rounds / 4),
          bodyBytesMax: 2 * 1024 * 1024,
          latencySamples: 4,
        },
      })
    },
    60_000 + rounds * 1_000,
  )

  afterAll(async () => {
    await server.stop()
  })

  it('does what is recorded of it', () => {
    expect(report.facts.failures).toEqual({})
    expect(differences(recordedGuarantees[kind], report.facts)).toEqual([])
  })

  it('has everything that is needed', () => {
    const findings = judgeServer(report.facts).filter(({ level }) => level === 'missing' || level === 'but')
    expect(findings).toEqual([])
  })

  it('is left as it was', () => {
    expect([report.left, readdirSync(server.dataFolder)]).toEqual([null, []])
  })
})

describe('a row', () => {
  it('that says anything else than what was measured differs', async () => {
    const clock = createVirtualClock()
    const random = createSeededRandom(5)
    const dav = createMemoryDav()
    const { facts } = await clock.run(
      probeServer({
        connect: (above) => dav.connect(above),
        clock,
        random,
        owner: { tag: `${'0'.repeat(16)}-1-1`, isGone: () => null },
        effort: {
          raceRounds: 2,
          visibilityRounds: 1,
          replaceRounds: 1,
          bodyBytesMax: 1024,
          latencySamples: 1,
        },
      }),
    )
    const own = measuredGuarantees(facts) as RecordedGuarantees
    expect(differences(own, facts)).toEqual([])
    for (const name of Object.keys(own) as (keyof RecordedGuarantees)[]) {
      const other = { ...own, [name]: name === 'renameLoserStatuses' ? [] : 'something else' }
      expect(differences(other as RecordedGuarantees, facts)).toEqual([expect.stringMatching(`^${name}: `)])
    }
  })
})
