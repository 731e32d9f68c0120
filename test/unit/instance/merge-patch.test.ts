import { expect, it } from 'vitest'
import { mergePatch } from '../../../src/instance/merge-patch.ts'
import type { JsonValue } from '../../../src/model/json.ts'

it.each<[JsonValue, JsonValue, JsonValue]>([
  [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
  [{ a: 'b' }, { b: 'c' }, { a: 'b', b: 'c' }],
  [{ a: 'b' }, { a: null }, {}],
  [{ a: 'b', b: 'c' }, { a: null }, { b: 'c' }],
  [{ a: ['b'] }, { a: 'c' }, { a: 'c' }],
  [{ a: 'c' }, { a: ['b'] }, { a: ['b'] }],
  [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
  [{ a: [{ b: 'c' }] }, { a: [1] }, { a: [1] }],
  [
    ['a', 'b'],
    ['c', 'd'],
    ['c', 'd'],
  ],
  [{ a: 'b' }, ['c'], ['c']],
  [{ a: 'foo' }, null, null],
  [{ a: 'foo' }, 'bar', 'bar'],
  [{ e: null }, { a: 1 }, { e: null, a: 1 }],
  [[1, 2], { a: 'b', c: null }, { a: 'b' }],
  [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
])('the appendix of RFC 7396: %j patched with %j is %j', (target, patch, result) => {
  expect(mergePatch(target, patch)).toEqual(result)
})

it('neither the target nor the patch is changed', () => {
  const target = { a: { b: 1 }, c: [1] }
  const patch = { a: { b: null, d: 2 }, c: null }
  mergePatch(target, patch)
  expect([target, patch]).toEqual([
    { a: { b: 1 }, c: [1] },
    { a: { b: null, d: 2 }, c: null },
  ])
})

it('fields keep their order, and new ones come last', () => {
  expect(Object.keys(mergePatch({ z: 1, a: 1, m: 1 }, { b: 1, a: 2 }) as object)).toEqual([
    'z',
    'a',
    'm',
    'b',
  ])
})

it('a field named __proto__ is a field like the others', () => {
  const merged = mergePatch(JSON.parse('{"a": 1}'), JSON.parse('{"__proto__": {"isAdmin": true}}'))
  expect(JSON.stringify(merged)).toBe('{"a":1,"__proto__":{"isAdmin":true}}')
  expect((merged as { isAdmin?: boolean }).isAdmin).toBeUndefined()
  expect(({} as { isAdmin?: boolean }).isAdmin).toBeUndefined()
})

it('a field is looked for in the target itself, not in what every object has', () => {
  const patch = JSON.parse('{"constructor": {"name": null}, "__proto__": {"a": null}}')
  expect(JSON.stringify(mergePatch({}, patch))).toBe('{"constructor":{},"__proto__":{}}')
})
