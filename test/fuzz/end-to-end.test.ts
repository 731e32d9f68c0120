/** Hostile objects in a store that a whole instance syncs with. As `decoders.test.ts`, driven by the same script. */
import { expect, test } from 'vitest'
import { storeKinds } from './kinds-store.ts'
import { run } from './run.ts'
import { keep, progressNote, settingsFor, shown } from './settings.ts'

const settings = settingsFor(100)

test(
  'an instance loses nothing to an object in the store, writes nowhere else, and goes on once it is gone',
  async () => {
    const all = storeKinds()
    const kinds = all.filter(({ name }) => settings.only.length === 0 || settings.only.includes(name))
    try {
      const { findings } = await run(kinds, { ...settings, onObject: progressNote(), onFinding: keep })
      expect(findings.map(shown)).toEqual([])
    } finally {
      for (const kind of all) await kind.close?.()
    }
  },
  settings.isLong ? 24 * 3_600_000 : 60_000,
)
