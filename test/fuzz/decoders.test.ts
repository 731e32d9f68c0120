/**
 * Hostile bytes, handed to each decoder. A short run with each `npm test`; any number with `node scripts/fuzz.mjs`,
 * which drives this file by environment variables.
 */
import { expect, test } from 'vitest'
import { decoderKinds } from './kinds.ts'
import { run } from './run.ts'
import { keep, progressNote, settingsFor, shown } from './settings.ts'

const settings = settingsFor(12_000)

test(
  'no object of any kind crashes, hangs, pollutes or is refused without a name',
  async () => {
    const all = decoderKinds()
    const kinds = all.filter(({ name }) => settings.only.length === 0 || settings.only.includes(name))
    try {
      const { findings, tried } = await run(kinds, { ...settings, onObject: progressNote(), onFinding: keep })
      expect(findings.map(shown)).toEqual([])
      if (!settings.isLong) expect(Object.keys(tried).sort()).toEqual(kinds.map(({ name }) => name).sort())
    } finally {
      for (const kind of all) await kind.close?.()
    }
  },
  settings.isLong ? 24 * 3_600_000 : 60_000,
)
