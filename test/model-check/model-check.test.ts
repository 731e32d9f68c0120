/** A small part of the model check; the rest is run by `node scripts/model-check.mjs`. */
import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { check } from './main.ts'
import { rules } from './rules.ts'
import type { Scenario } from './scenario.ts'
import { scenarios } from './scenarios.ts'

/** Never reached: how long it takes is the machine's matter. */
const patience = { seconds: 600 }

function scenario(name: string): Scenario {
  const found = scenarios.find((one) => one.name === name)
  if (found === undefined) throw new Error(`there is no scenario ${name}`)
  return found
}

describe('every interleaving of two writers keeps what was acknowledged and can end in agreement', () => {
  it.each(['plain', 'polls', 'uploads'].map((name) => [scenario(name).about, scenario(name)] as const))(
    '%s',
    async (_, explored) => {
      const report = await check(explored, patience)
      expect(report.violation).toBeNull()
      expect(report.isComplete).toBe(true)
      expect(report.agreed).toBeGreaterThan(0)
      expect(report.repeated).toBe(0)
    },
    600_000,
  )
})

describe('the check notices', () => {
  it('an acknowledged commit that is gone, and tells by which steps', async () => {
    // A first head that comes back is more than the protocol promises to survive without a fork.
    const { violation } = await check({ ...scenario('late-first-head'), forks: false }, patience)
    expect(violation?.what).toMatch(/^commit 1[AB] was acknowledged and is not in the chain of 1[AB]$/)
    expect(violation?.trace).toContain('late: PUT 0')
  }, 600_000)

  it('garbage that is deleted without having been dropped first', async () => {
    const { violation } = await check({ ...scenario('collection'), collectsAtOnce: true }, patience)
    expect(violation?.what).toMatch(/^changeset 2[AB] of the chain of 2[AB] is missing$/)
  }, 600_000)
})

describe('every rule that the check has to miss', () => {
  const here = path.dirname(fileURLToPath(import.meta.url))
  const patches = readdirSync(path.join(here, 'without'))

  it('has one patch, and every patch its rule', () => {
    expect(patches.sort()).toEqual(rules.map(({ name }) => `${name}.patch`).sort())
  })

  it.each(patches)('can still be taken out of the code: %s', (patch) => {
    const file = path.join(here, 'without', patch)
    const { status, stderr } = spawnSync('git', ['apply', '--check', file], {
      cwd: path.join(here, '../..'),
      encoding: 'utf8',
    })
    expect(status, stderr).toBe(0)
  })
})
