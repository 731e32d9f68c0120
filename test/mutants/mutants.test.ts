import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

const here = path.dirname(fileURLToPath(import.meta.url))
const patches = readdirSync(here).filter((name) => name.endsWith('.patch'))

// Whether the simulator notices them is told by scripts/mutants.mjs, which takes its time.
describe('the known bugs', () => {
  it('are many', () => {
    expect(patches.length).toBeGreaterThanOrEqual(15)
  })

  it.each(patches)('can still be put into the source, and are described: %s', (patch) => {
    const file = path.join(here, patch)
    expect(readFileSync(file, 'utf8')).toMatch(/^\S[^\n]*\.\n(\S[^\n]*\n)*diff --git a\/src\//)
    const { status, stderr } = spawnSync('git', ['apply', '--check', file], {
      cwd: path.join(here, '../..'),
      encoding: 'utf8',
    })
    expect(status, stderr).toBe(0)
  })
})
