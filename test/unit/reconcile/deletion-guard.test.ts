import { describe, expect, it } from 'vitest'
import { isDavitError } from '../../../src/model/errors.ts'
import {
  type DeletionWindow,
  guardDeletions,
  parseMaxDelete,
  quietMs,
} from '../../../src/reconcile/deletion-guard.ts'

const half = { fraction: 0.5, atLeast: 10 }
const nowMs = 1_000_000_000

function guard(deletions: number, filesTotal: number, window: DeletionWindow | null = null, at = nowMs) {
  return guardDeletions({ side: 'local', window, deletions, filesTotal, maxDelete: half, nowMs: at })
}

describe('the deletion guard', () => {
  it('halts when more than the share and more than the number would go', () => {
    expect(guard(50, 100).kind).toBe('allowed')
    expect(guard(51, 100)).toMatchObject({ kind: 'halted', window: null })
    expect(guard(10, 10).kind).toBe('allowed')
    expect(guard(11, 11).kind).toBe('halted')
  })

  it('says what would happen', () => {
    expect(guard(51, 100)).toMatchObject({
      reason: 'This would delete 51 of 100 files in the workspace, more than 50 % (50); nothing was deleted.',
    })
    expect(guard(12, 12)).toMatchObject({ reason: expect.stringContaining('more than 10;') })
  })

  it('counts a slow deletion in pieces against the files there were at first', () => {
    let [window, files, at, passed]: [DeletionWindow | null, number, number, number] = [null, 100, nowMs, 0]
    for (; files > 0; files -= 10, at += quietMs - 1) {
      const verdict = guard(10, files, window, at)
      if (verdict.kind === 'halted') break
      window = verdict.window
      passed += 10
    }
    expect(passed).toBe(50)
  })

  it('begins anew after ten quiet minutes, and after an approval', () => {
    const window = { deletions: 50, filesAtStart: 100, lastAtMs: nowMs }
    expect(guard(1, 50, window, nowMs + quietMs - 1).kind).toBe('halted')
    expect(guard(1, 50, window, nowMs + quietMs)).toEqual({
      kind: 'allowed',
      window: { deletions: 1, filesAtStart: 50, lastAtMs: nowMs + quietMs },
    })
    expect(guard(20, 50, null).kind).toBe('allowed')
  })

  it('does not count what it halted, nor does a batch without deletions keep the window open', () => {
    const window = { deletions: 40, filesAtStart: 100, lastAtMs: nowMs }
    expect(guard(30, 60, window).window).toEqual(window)
    expect(guard(0, 60, window, nowMs + 5).window).toEqual(window)
  })

  it('keeps the window when the clock goes back', () => {
    const window = { deletions: 50, filesAtStart: 100, lastAtMs: nowMs }
    expect(guard(1, 50, window, nowMs - 10 * quietMs).kind).toBe('halted')
  })
})

describe('the setting maxDelete', () => {
  it('is a share of the files, or a number of them', () => {
    expect(parseMaxDelete('50%')).toEqual({ fraction: 0.5, atLeast: 10 })
    expect(parseMaxDelete(' 12.5 % ')).toEqual({ fraction: 0.125, atLeast: 10 })
    expect(parseMaxDelete('200')).toEqual({ fraction: 0, atLeast: 200 })
    expect(parseMaxDelete(0)).toEqual({ fraction: 0, atLeast: 0 })
    const few = {
      side: 'remote',
      window: null,
      filesTotal: 1_000_000,
      maxDelete: parseMaxDelete(200),
      nowMs,
    } as const
    expect(guardDeletions({ ...few, deletions: 200 }).kind).toBe('allowed')
    expect(guardDeletions({ ...few, deletions: 201 }).kind).toBe('halted')
  })

  it.each(['', '%', '101%', '-1', '1.5', 'half', '50%%', 'NaN', '1e3'])('%j is refused', (text) => {
    expect(() => parseMaxDelete(text)).toThrow(
      expect.toSatisfy((e) => isDavitError(e, 'configuration-invalid')),
    )
  })
})
