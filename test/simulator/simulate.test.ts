import { spawnSync } from 'node:child_process'
import { expect, test } from 'vitest'

const seeds = process.env['DAVIT_SIMULATE_SEEDS'] ?? '500'

test('no promise is broken in any of the seeds, and each of them leaves one trace', () => {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ['scripts/simulate.mjs', '--seeds', seeds, '--twice', '1'],
    { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 },
  )
  expect(`${stdout.slice(0, 20_000)}${stderr.slice(0, 2_000)}`).toMatch(/: no violation\n/)
  expect(status).toBe(0)
}, 900_000)
