import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { expect, test } from 'vitest'
import { unreachable } from './branches.ts'

const seeds = process.env['DAVIT_SIMULATE_SEEDS'] ?? '2000'
/** With fewer seeds it is chance what is reached. */
const coverage = Number(seeds) >= 2_000 ? ['--coverage'] : []

test('no promise is broken in any of the seeds, each of them leaves one trace, and all that can be reached is', () => {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ['scripts/simulate.mjs', '--seeds', seeds, '--twice', '1', ...coverage],
    { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 },
  )
  expect(`${stdout.slice(0, 20_000)}${stderr.slice(0, 2_000)}`).toMatch(/: no violation\n/)
  const unmet = stdout.split('\n').filter((line) => /^(never reached|said to be out of reach)/.test(line))
  expect(unmet).toEqual([])
  expect(status).toBe(0)
}, 1_800_000)

test('what is out of reach is reached by another test', () => {
  for (const [name, { test }] of Object.entries(unreachable)) expect(existsSync(test), name).toBe(true)
})
