import { describe, expect, it } from 'vitest'
import type { Io } from '../../../src/cli/io.ts'
import { coloured, formatBytes, formatDuration, printable, table } from '../../../src/cli/output.ts'

const silent = { write: () => true }
function anIo(change: Partial<Io>): Io {
  return {
    stdout: silent,
    stderr: silent,
    isTerminal: false,
    columns: 40,
    environment: {},
    cwd: '/',
    onSignal: () => () => {},
    exit: () => {},
    ...change,
  }
}
const rows = [['1', 'a/very/long/path/that/goes/on/and/on/to/the/end.md', 'edit']]

describe('output', () => {
  it('cuts the start of what is widest to fit a terminal, and nothing elsewhere', () => {
    const lines = table(
      anIo({ isTerminal: true, environment: { NO_COLOR: '1' } }),
      ['id', 'path', 'kind'],
      rows,
    ).split('\n')
    expect(lines.map((line) => line.length <= 40)).toEqual([true, true])
    expect(lines[1]).toMatch(/^1 {3}….*\/the\/end\.md {2}edit$/)
    expect(table(anIo({}), ['id', 'path', 'kind'], rows)).toContain(rows[0]?.[1])
  })
  it('colours on a terminal only, unless NO_COLOR is set', () => {
    expect(coloured(anIo({ isTerminal: true }), 'red', 'x')).toBe('\u001b[31mx\u001b[0m')
    expect(coloured(anIo({ isTerminal: true, environment: { NO_COLOR: '1' } }), 'red', 'x')).toBe('x')
    expect(coloured(anIo({}), 'red', 'x')).toBe('x')
  })
  it('shows nothing that a terminal would obey', () => {
    expect(printable('a\u001b]0;x\u0007\n\u202eb')).toBe('a\\u{1b}]0;x\\u{7}\\u{a}\\u{202e}b')
    expect(printable('grün 東京.md')).toBe('grün 東京.md')
  })
  it('writes sizes and times for people', () => {
    expect([0, 999, 1000, 1_234_567].map(formatBytes)).toEqual(['0 bytes', '999 bytes', '1.0 kB', '1.2 MB'])
    expect([5, 1500, 75_000].map(formatDuration)).toEqual(['5 ms', '1.5 s', '1 min 15 s'])
  })
})
