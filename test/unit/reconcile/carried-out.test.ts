import { expect, test } from 'vitest'
import { carriedOut } from '../../../src/reconcile/carried-out.ts'

/** `a → b`, seen there, gone from where it was. */
function leaving(from: string, to: string | null, seen: { hasLeft?: boolean; hasArrived?: boolean } = {}) {
  return { from, to, hasLeft: true, hasArrived: false, ...seen }
}

test('what is found where it was to go was carried out', () => {
  const found = leaving('a', 'b', { hasArrived: true })
  expect(carriedOut([found, leaving('c', 'd')], [])).toEqual([found])
})

test('what still stands where it was did not leave, whatever stands where it was to go', () => {
  expect(carriedOut([leaving('a', 'b', { hasLeft: false, hasArrived: true })], [])).toEqual([])
  expect(carriedOut([leaving('a', 'b', { hasLeft: false })], ['a'])).toEqual([])
})

test('whoever stood where somebody has arrived has left, though it is found nowhere', () => {
  const chain = [leaving('c', 'd'), leaving('b', 'c'), leaving('a', 'b', { hasArrived: true })]
  expect(carriedOut(chain, [])).toEqual(chain)
  const removed = [leaving('b', null), leaving('a', 'b', { hasArrived: true })]
  expect(carriedOut(removed, [])).toEqual(removed)
  expect(carriedOut([leaving('a', 'b')], ['a'])).toEqual([leaving('a', 'b')])
  expect(carriedOut([leaving('a', null)], ['a'])).toEqual([leaving('a', null)])
})

test('a cycle of which one is found went round', () => {
  const cycle = [leaving('b', 'a', { hasArrived: true }), leaving('a', 'b')]
  expect(carriedOut(cycle, [])).toEqual(cycle)
})

test('nothing follows for those in whose place nobody is', () => {
  expect(carriedOut([leaving('a', 'b'), leaving('c', null)], ['d'])).toEqual([])
})
