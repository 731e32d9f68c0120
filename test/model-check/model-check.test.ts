/** A small part of the model check; the rest is run by `node scripts/model-check.mjs`. */
import { describe, expect, it } from 'vitest'
import { check } from './main.ts'
import { scenarios } from './scenarios.ts'

const quick = ['plain', 'polls', 'late-first-head']

describe('every interleaving of two writers', () => {
  it.each(scenarios.filter(({ name }) => quick.includes(name)))(
    'keeps what was acknowledged and ends in agreement: $about',
    async (scenario) => {
      const report = await check(scenario, { seconds: 55 })
      expect(report.violation).toBeNull()
      expect(report.isComplete).toBe(true)
      expect(report.agreed).toBeGreaterThan(0)
    },
  )
})
