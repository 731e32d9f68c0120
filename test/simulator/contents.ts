/**
 * Texts whose lines tell who wrote them. Every line that carries meaning is a mark that is given once, so that what
 * became of an edit can be told from the texts that are left. Between the marks lie fixed lines, far enough apart for
 * edits of two marks to be merged.
 */
import { createHash } from 'node:crypto'

const slots = 3
const filling = ['', 'one line of text', 'and another one', '']

/** A mark, such as `w17-ann`: the edit that put it there. */
export type Mark = string

export function newText(mark: Mark): string {
  return textOf(Array.from({ length: slots }, (_, slot) => `${mark}.${slot}`))
}

/** The text with one of its marks replaced; a text without marks becomes a new one. */
export function editedText(text: string, slot: number, mark: Mark): string {
  const lines = text.split('\n')
  const places = lines.flatMap((line, index) => (isMark(line) ? [index] : []))
  const place = places[slot % Math.max(1, places.length)]
  if (place === undefined) return newText(mark)
  return lines.with(place, `${mark}.${slot}`).join('\n')
}

/** Both texts one after the other: what a person does who wants to keep everything. */
export function joinedText(texts: readonly string[], mark: Mark): string {
  return [`${mark}.0`, ...filling, ...texts].join('\n')
}

export function marksOf(text: string): Set<Mark> {
  return new Set(text.split('\n').filter(isMark))
}

/** Whether every line of a text was given out here: nothing torn, nothing invented. */
export function isWhole(text: string): boolean {
  return text.split('\n').every((line) => isMark(line) || filling.includes(line))
}

function isMark(line: string): boolean {
  return /^w\d+-[a-z0-9]+\.\d$/.test(line)
}

function textOf(marks: readonly string[]): string {
  return `${marks.map((mark) => [mark, ...filling].join('\n')).join('\n')}\n`
}

export function hashOfText(text: string | Uint8Array): string {
  return createHash('sha256').update(text).digest('hex')
}
