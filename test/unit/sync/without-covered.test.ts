import fc from 'fast-check'
import { expect, it } from 'vitest'
import { withoutCovered } from '../../../src/sync/index-workspace.ts'

it.each<[string[], string[]]>([
  [[], []],
  [['a', 'a'], ['a']],
  [['a/b', 'a', 'a/b/c'], ['a']],
  [
    ['a', 'a.md', 'ab', 'a/b'],
    ['a', 'a.md', 'ab'],
  ],
  [
    ['a/b', 'a-b', 'a/b/c', 'a/c'],
    ['a-b', 'a/b', 'a/c'],
  ],
  [['a', '', 'b/c'], ['']],
])('of %j it is enough to look at %j', (paths, kept) => {
  expect(withoutCovered(paths).toSorted()).toEqual(kept.toSorted())
})

it('every path is kept or below a kept one, and no kept one is below another', () => {
  const name = fc.constantFrom('a', 'b', 'a.md', 'a-')
  const path = fc.array(name, { minLength: 1, maxLength: 4 }).map((names) => names.join('/'))
  fc.assert(
    fc.property(fc.array(path, { maxLength: 12 }), (paths) => {
      const kept = withoutCovered(paths)
      const covers = (above: string, below: string) => below.startsWith(`${above}/`)
      expect(new Set(kept).size).toBe(kept.length)
      for (const one of paths) expect(kept.some((other) => other === one || covers(other, one))).toBe(true)
      for (const one of kept) expect(kept.some((other) => covers(other, one))).toBe(false)
    }),
  )
})
