import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { foldPath, portabilityProblems } from '../../../src/reconcile/portable-path.ts'

describe('a path is portable', () => {
  it.each([
    'a',
    'dir/name.txt',
    'console',
    'com',
    'com10',
    'null.txt',
    '.hidden',
    'ü ñ 漢',
    'a.b.c',
    'nul_x',
  ])('%j', (path) => expect(portabilityProblems(path)).toEqual([]))
})

describe('a path is reported', () => {
  it.each([
    ['CON', 'device name'],
    ['dir/nul', 'device name'],
    ['aux.txt', 'device name'],
    ['Com1 .tar.gz', 'device name'],
    ['lpt³', 'device name'],
    ['conin$', 'device name'],
    ['dir./file', 'ends in a dot or a space'],
    ['name ', 'ends in a dot or a space'],
    ['a:b', 'contains :'],
    ['a?', 'contains ?'],
    ['back\\slash', 'contains \\'],
    ['line\nbreak', 'control character'],
    ['\u007f', 'control character'],
    ['ü'.repeat(128), 'longer than 255 bytes'],
    [`${'d/'.repeat(120)}f`, 'Windows may take no more'],
    ['\ud800', 'not well-formed'],
  ])('%j: %s', (path, reason) => {
    expect(portabilityProblems(path).join(' ')).toContain(reason)
  })

  it('once for each reason, however often it occurs', () => {
    expect(portabilityProblems('nul/nul')).toHaveLength(1)
    expect(portabilityProblems('nul/a:b')).toHaveLength(2)
  })
})

describe('folded paths', () => {
  it.each([
    ['Readme', 'README'],
    ['é', 'e\u0301'],
    ['É', 'e\u0301'],
    ['straße', 'STRASSE'],
    ['σας', 'ΣΑΣ'],
    ['ﬁle', 'FILE'],
    ['ẞ', 'ß'],
  ])('%j and %j are one name', (left, right) => expect(foldPath(left)).toBe(foldPath(right)))

  it.each([
    ['a', 'b'],
    ['e', 'é'],
    ['a/b', 'a-b'],
  ])('%j and %j are two names', (left, right) => expect(foldPath(left)).not.toBe(foldPath(right)))

  it('stay what they are when folded again, and take in case and form', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 8 }), (path) => {
        expect(foldPath(foldPath(path))).toBe(foldPath(path))
        expect(foldPath(path.normalize('NFD'))).toBe(foldPath(path.normalize('NFC')))
        expect(foldPath(path.toUpperCase())).toBe(foldPath(path))
      }),
      { numRuns: 3_000 },
    )
  })
})
