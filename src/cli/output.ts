/** How results look: tables that fit the window, sizes, one JSON document. Never a control character of a file's name. */
import type { Io } from './io.ts'

const colours = { red: 31, green: 32, yellow: 33, dim: 2, bold: 1 } as const

/** Text of others (file names, messages of servers) without what a terminal would obey. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (character) => {
    return `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`
  })
}

/** Colours a text on a terminal; `NO_COLOR` keeps it plain. */
export function coloured(io: Io, colour: keyof typeof colours, text: string): string {
  const isPlain = !io.isTerminal || (io.environment.NO_COLOR ?? '') !== ''
  return isPlain ? text : `\u001b[${colours[colour]}m${text}\u001b[0m`
}

/** One JSON document, and nothing else, on standard output. */
export function printJson(io: Io, value: unknown): void {
  io.stdout.write(`${JSON.stringify(value, null, 2)}\n`)
}

export function print(io: Io, text: string): void {
  io.stdout.write(`${text}\n`)
}

/** 1234 bytes as `1.2 kB`. */
export function formatBytes(bytes: number): string {
  const units = ['bytes', 'kB', 'MB', 'GB', 'TB', 'PB']
  let value = bytes
  let unit = 0
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000
    unit += 1
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`
}

/** 75,000 ms as `1 min 15 s`. */
export function formatDuration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`
  return `${Math.floor(ms / 60_000)} min ${Math.floor((ms % 60_000) / 1000)} s`
}

/** `1 file`, `2 files`. */
export function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`
}

/**
 * Rows in columns. On a terminal the widest column is cut, at its start, until a line fits the window: the end of a
 * path tells more than its beginning. Elsewhere nothing is cut.
 */
export function table(io: Io, heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const gap = 2
  const cells = [heads, ...rows].map((row) => row.map(printable))
  const widths = heads.map((_, column) => Math.max(...cells.map((row) => (row[column] ?? '').length)))
  const room = io.isTerminal ? io.columns : Number.POSITIVE_INFINITY
  const total = () => widths.reduce((sum, width) => sum + width + gap, -gap)
  for (let excess = total() - room; excess > 0; excess = total() - room) {
    const widest = widths.indexOf(Math.max(...widths))
    const cut = Math.max(8, (widths[widest] as number) - excess)
    if (cut >= (widths[widest] as number)) break
    widths[widest] = cut
  }
  const lines = cells.map((row) =>
    row
      .map((cell, column) => {
        const width = widths[column] as number
        const fitted = cell.length > width ? `…${cell.slice(cell.length - width + 1)}` : cell
        return column === row.length - 1 ? fitted : fitted.padEnd(width + gap)
      })
      .join(''),
  )
  return [coloured(io, 'bold', lines[0] ?? ''), ...lines.slice(1)].join('\n')
}
