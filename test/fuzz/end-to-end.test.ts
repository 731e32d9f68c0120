/** Hostile objects in a store that a whole instance syncs with. As `decoders.test.ts`, driven by the same script. */
import { expect, test } from 'vitest'
import { storeKinds } from './kinds-store.ts'
import { run } from './run.ts'
import { progressNote, report, settingsFor } from './settings.ts'

const settings = settingsFor(100)

test(
  'an instance loses nothing to an object in the store, writes nowhere else, and goes on once it is gone',
  async () => {
    const all = storeKinds()
    const kinds = all.filter(({ name }) => settings.only.length === 0 || settings.only.includes(name))
    try {
      const { findings, tried } = await run(kinds, { ...settings, onObject: progressNote() })
      report(findings, tried)
      const told = findings.map(({ kind, seed, number, complaint, smallest }) => ({
        kind,
        seed,
        number,
        complaint: complaint.slice(0, 1_500),
        smallest: Buffer.from(smallest).toString().slice(0, 600),
      }))
      expect(told).toEqual([])
    } finally {
      for (const kind of all) await kind.close?.()
    }
  },
  settings.isLong ? 24 * 3_600_000 : 60_000,
)
