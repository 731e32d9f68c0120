/**
 * Hostile bytes, handed to each decoder. A short run with each `npm test`; any number with `node scripts/fuzz.mjs`,
 * which drives this file by environment variables.
 */
import { expect, test } from 'vitest'
import { Chance } from './chance.ts'
import { decoderKinds } from './kinds.ts'
import { kindOf, run } from './run.ts'
import { keep, progressNote, settingsFor, shown } from './settings.ts'

const settings = settingsFor(12_000)

test('a seed and a number give the same object each time', async () => {
  const [first, second] = [decoderKinds(), decoderKinds()]
  try {
    for (let number = 0; number < 300; number++) {
      const [one, two] = [first, second].map((kinds) =>
        kindOf(kinds, 9, number).generate(new Chance(9, number).after()),
      )
      expect(Buffer.from(one as Uint8Array).equals(two as Uint8Array), `number ${number}`).toBe(true)
    }
  } finally {
    for (const kind of [...first, ...second]) await kind.close?.()
  }
})

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
