/**
 * Merges texts line by line from a common base. Bytes that are not changed stay the bytes they were: line ends, the
 * byte order mark and a missing last line end are those of the side that changed them. Never writes markers.
 */
import type { ContentMerger, MergeInput, MergeResult } from '../model/content-merger.ts'
import { mergeTextBytesMax } from '../model/limits.ts'
import { diffLines, type Hunk, splitLines } from './diff-lines.ts'
import { compareThreeWay } from './three-way.ts'

/** For contents that nothing more particular knows how to merge. */
export const textMerger: ContentMerger = { merge: mergeText }

/**
 * `merged` when one side alone changed it, both changed it alike, or all three are text (UTF-8 without NUL) and no two
 * changes touch. Neighbouring lines touch: at least one unchanged line has to stand between two changes.
 */
export function mergeText({ base, local, remote }: MergeInput): MergeResult {
  if (equalBytes(local, remote)) return { kind: 'merged', content: remote }
  if (base === null) return conflict('both sides created it with different contents')
  if (equalBytes(base, local)) return { kind: 'merged', content: remote }
  if (equalBytes(base, remote)) return { kind: 'merged', content: local }
  if ([base, local, remote].some((content) => content.length > mergeTextBytesMax)) {
    return conflict('it is too large to be merged line by line')
  }
  const texts = { base: decode(base), local: decode(local), remote: decode(remote) }
  if (texts.base === null || texts.local === null || texts.remote === null) {
    return conflict('it is not UTF-8 text')
  }
  const lines = mergeLines(texts.base.lines, texts.local.lines, texts.remote.lines)
  if (lines === null) return conflict('both sides changed the same lines, or lines that touch')
  // The mark is one bit: where both changed it, they agree.
  const marks = { base: texts.base.marked, local: texts.local.marked, remote: texts.remote.marked }
  const marked = compareThreeWay(marks) === 'push' ? marks.local : marks.remote
  return { kind: 'merged', content: new TextEncoder().encode((marked ? mark : '') + lines.join('')) }
}

const mark = '\uFEFF'

function decode(content: Uint8Array): { readonly lines: string[]; readonly marked: boolean } | null {
  if (content.includes(0)) return null
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(content)
    const marked = text.startsWith(mark)
    return { lines: splitLines(marked ? text.slice(1) : text), marked }
  } catch (error) {
    if (error instanceof TypeError) return null
    throw error
  }
}

function mergeLines(base: readonly string[], local: readonly string[], remote: readonly string[]) {
  const hunks = joinHunks(diffLines(base, local), diffLines(base, remote))
  if (hunks === null) return null
  const merged: string[] = []
  let at = 0
  for (const hunk of hunks) {
    for (; at < hunk.start; at++) merged.push(base[at] ?? '')
    for (const line of hunk.lines) merged.push(line)
    at = hunk.end
  }
  for (; at < base.length; at++) merged.push(base[at] ?? '')
  // A last line without an end is no line to put another one behind.
  const whole = merged.every((line, index) => line.endsWith('\n') || index === merged.length - 1)
  return whole ? merged : null
}

/** Both lists in one, ascending; equal hunks once. `null` when two different ones overlap or touch. */
function joinHunks(local: readonly Hunk[], remote: readonly Hunk[]): Hunk[] | null {
  const joined: Hunk[] = []
  let [left, right] = [0, 0]
  for (;;) {
    const mine = local[left]
    const theirs = remote[right]
    if (mine === undefined || theirs === undefined) {
      return [...joined, ...local.slice(left), ...remote.slice(right)]
    }
    if (mine.end < theirs.start) {
      joined.push(mine)
      left++
    } else if (theirs.end < mine.start) {
      joined.push(theirs)
      right++
    } else if (equalHunks(mine, theirs)) {
      joined.push(mine)
      left++
      right++
    } else {
      return null
    }
  }
}

function equalHunks(left: Hunk, right: Hunk): boolean {
  return (
    left.start === right.start &&
    left.end === right.end &&
    left.lines.length === right.lines.length &&
    left.lines.every((line, index) => line === right.lines[index])
  )
}

function equalBytes(left: Uint8Array, right: Uint8Array): boolean {
  return Buffer.compare(left, right) === 0
}

function conflict(reason: string): MergeResult {
  return { kind: 'conflict', reason }
}
