import fc from 'fast-check'
import { expect, it } from 'vitest'
import { activePollMs, nextPollDelayMs, retryDelayMs } from '../../../src/sync/retry-delay.ts'

const policy = { baseMs: 500, maxMs: 60_000 }

it.each([
  [0, 0, 250],
  [0, 1, 500],
  [1, 1, 1_000],
  [6, 1, 32_000],
  [7, 1, 60_000],
  [1_000_000, 1, 60_000],
])('after attempt %i, by a chance of %d, it waits %i ms', (attempt, fraction, ms) => {
  expect(retryDelayMs(attempt, policy, fraction, undefined)).toBe(ms)
})

it('it never waits less than the server asked for, be it more than the most', () => {
  expect(retryDelayMs(0, policy, 0, 120_000)).toBe(120_000)
  expect(retryDelayMs(0, policy, 1, 10)).toBe(500)
})

it('whatever the attempt and the chance, it waits some time and at most the most', () => {
  const attempt = fc.nat({ max: 10_000 })
  const fraction = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
  fc.assert(
    fc.property(attempt, fraction, (n, chance) => {
      const ms = retryDelayMs(n, policy, chance, undefined)
      expect(ms).toBeGreaterThanOrEqual(policy.baseMs / 2)
      expect(ms).toBeLessThanOrEqual(policy.maxMs)
    }),
  )
})

it('polls slow down while nothing happens, to the longest pause and no further', () => {
  const pauses = [activePollMs]
  while (pauses.length < 12) pauses.push(nextPollDelayMs(pauses.at(-1) ?? 0, 5_000))
  expect(pauses.slice(0, 4)).toEqual([250, 375, 563, 845])
  expect(pauses.slice(-2)).toEqual([5_000, 5_000])
  expect(nextPollDelayMs(250, 100)).toBe(100)
})
