import { describe, expect, it } from 'vitest'
import { mergeTextBytesMax } from '../../../src/model/limits.ts'
import { diffLines, splitLines } from '../../../src/reconcile/diff-lines.ts'
import { textMerger } from '../../../src/reconcile/merge-text.ts'

const bytes = (text: string) => new TextEncoder().encode(text)

function merge(base: string | null, local: string, remote: string): string | null {
  const from = base === null ? null : bytes(base)
  const result = textMerger.merge({ path: 'a', base: from, local: bytes(local), remote: bytes(remote) })
  return result.kind === 'merged' ? Buffer.from(result.content).toString() : null
}

describe('merging texts', () => {
  it('takes the changes of both sides in different lines', () => {
    expect(merge('a\nb\nc\nd\n', 'A\nb\nc\nd\n', 'a\nb\nc\nD\n')).toBe('A\nb\nc\nD\n')
    expect(merge('a\nb\nc\n', 'new\na\nb\nc\n', 'a\nb\n')).toBe('new\na\nb\n')
  })

  it('refuses changes of one line, of lines that touch, and insertions at one place', () => {
    expect(merge('a\nb\n', 'x\nb\n', 'y\nb\n')).toBeNull()
    expect(merge('a\nb\nc\n', 'x\nb\nc\n', 'a\ny\nc\n')).toBeNull()
    expect(merge('a\nb\n', 'a\nx\nb\n', 'a\ny\nb\n')).toBeNull()
    expect(merge('a\n', 'a\nmine\n', 'a\ntheirs\n')).toBeNull()
  })

  it('takes once what both sides added alike', () => {
    expect(merge('a\nb\nc\n', 'a\nnew\nb\nc\n', 'a\nnew\nb\nC\n')).toBe('a\nnew\nb\nC\n')
  })

  it('merges nothing without a base', () => {
    expect(merge(null, 'x', 'y')).toBeNull()
    expect(merge(null, 'x', 'x')).toBe('x')
  })

  it('keeps line ends as each line has them', () => {
    expect(merge('a\r\nb\r\nc\n', 'A\r\nb\r\nc\n', 'a\r\nb\r\nc\r\n')).toBe('A\r\nb\r\nc\r\n')
    expect(merge('a\nb\nc\n', 'a\nb\nC\n', 'a\r\nb\nc\n')).toBe('a\r\nb\nC\n')
    expect(merge('a\nb\n', 'a\r\nb\r\n', 'a\nB\n')).toBeNull()
  })

  it('keeps the last line without an end where it is so, or where a side made it so', () => {
    expect(merge('a\nb\nc', 'A\nb\nc', 'a\nb\nc\n')).toBe('A\nb\nc\n')
    expect(merge('a\nb\nc\n', 'A\nb\nc\n', 'a\nb\nc')).toBe('A\nb\nc')
  })

  it('keeps the byte order mark as the side that changed it', () => {
    const mark = '\uFEFF'
    expect(merge(`${mark}a\nb\n`, 'a\nb\n', `${mark}A\nb\n`)).toBe('A\nb\n')
    expect(merge('a\nb\n', `${mark}a\nb\n`, 'A\nb\n')).toBe(`${mark}A\nb\n`)
  })

  it('refuses what is not text: other encodings, NUL, too large', () => {
    const path = 'a'
    const refused = (base: Uint8Array, local: Uint8Array, remote: Uint8Array) =>
      textMerger.merge({ path, base, local, remote })
    const latin = Uint8Array.from([0x61, 0x0a, 0xe9, 0x0a, 0x62, 0x0a])
    expect(refused(latin, bytes('x\n'), bytes('y\n'))).toMatchObject({ reason: 'it is not UTF-8 text' })
    expect(refused(bytes('a\n'), latin, bytes('y\n')).kind).toBe('conflict')
    expect(refused(bytes('a\nb\nc\n'), bytes('A\nb\nc\n'), bytes('a\nb\nc\0\n')).kind).toBe('conflict')
    const large = new Uint8Array(mergeTextBytesMax + 1).fill(0x61)
    expect(refused(large, bytes('a'), bytes('b'))).toMatchObject({ kind: 'conflict' })
  })

  it('never writes markers, and joins no two lines into one', () => {
    expect(merge('a\nb', 'a\nb\nx\n', 'a\nb\ny\n')).toBeNull()
  })
})

describe('comparing lines', () => {
  it('finds two far changes in a long text without comparing all pairs', () => {
    const lines = Array.from({ length: 200_000 }, (_, index) => `line ${index}\n`)
    const changed = [...lines]
    changed[0] = 'first\n'
    changed[199_999] = 'last\n'
    expect(diffLines(lines, changed)).toEqual([
      { start: 0, end: 1, lines: ['first\n'] },
      { start: 199_999, end: 200_000, lines: ['last\n'] },
    ])
  })

  it('calls a piece replaced as a whole when it would cost too much', () => {
    const blank = (count: number) => ['x\n', ...Array.from({ length: count }, () => '\n'), 'y\n']
    const other = ['z\n', ...blank(6_000), 'w\n']
    expect(diffLines(blank(5_000), other)).toHaveLength(3)
    const worst = Array.from({ length: 6_000 }, (_, index) => (index % 2 === 0 ? '\n' : ' \n'))
    const turned = ['+\n', ...worst.slice(1), '\n', '+\n']
    expect(diffLines(worst, turned)).toEqual([{ start: 0, end: worst.length, lines: turned }])
  })

  it('splits into lines that join to the text again', () => {
    expect(splitLines('a\r\n\nb\rc')).toEqual(['a\r\n', '\n', 'b\rc'])
    expect(splitLines('')).toEqual([])
  })
})
