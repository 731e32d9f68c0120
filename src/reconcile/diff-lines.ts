/**
 * How a text was changed, line by line. Lines that occur once on both sides are matched first and cut the text into
 * pieces; only the pieces are compared in full. So the cost stays bounded for any text, hostile ones included.
 */
import { diffIndices } from 'node-diff3'
import { mergeComparisonsMax } from '../model/limits.ts'

/** The lines `start` to `end` (exclusive) of the base were replaced by `lines`; with start = end it is an insertion. */
export interface Hunk {
  readonly start: number
  readonly end: number
  readonly lines: readonly string[]
}

/** Lines with their terminators: joined they are the text again, byte for byte. The last one may lack its `\n`. */
export function splitLines(text: string): string[] {
  return text === '' ? [] : text.split(/(?<=\n)/)
}

/** Hunks in ascending order; between two of them at least one line of the base is unchanged. */
export function diffLines(base: readonly string[], changed: readonly string[]): Hunk[] {
  const budget = { comparisons: mergeComparisonsMax }
  const hunks: Hunk[] = []
  let at: Pair = { base: 0, changed: 0 }
  for (const anchor of [...anchors(base, changed), { base: base.length, changed: changed.length }]) {
    diffPiece(base, changed, at, anchor, budget, hunks)
    at = { base: anchor.base + 1, changed: anchor.changed + 1 }
  }
  return hunks
}

interface Pair {
  readonly base: number
  readonly changed: number
}

/** Compares the lines from `from` up to `to` (exclusive). */
function diffPiece(
  base: readonly string[],
  changed: readonly string[],
  from: Pair,
  to: Pair,
  budget: { comparisons: number },
  hunks: Hunk[],
): void {
  let [start, changedStart, end, changedEnd] = [from.base, from.changed, to.base, to.changed]
  while (start < end && changedStart < changedEnd && base[start] === changed[changedStart]) {
    start++
    changedStart++
  }
  while (start < end && changedStart < changedEnd && base[end - 1] === changed[changedEnd - 1]) {
    end--
    changedEnd--
  }
  if (start === end && changedStart === changedEnd) return
  const before = base.slice(start, end)
  const after = changed.slice(changedStart, changedEnd)
  const cost = before.length * after.length
  // Replaced as a whole is always a true statement about a piece, only a coarser one.
  if (cost === 0 || cost > budget.comparisons) {
    hunks.push({ start, end, lines: after })
    return
  }
  budget.comparisons -= cost
  for (const part of diffIndices(before, after)) {
    const [offset, length] = part.buffer1
    const [changedOffset, changedLength] = part.buffer2
    hunks.push({
      start: start + offset,
      end: start + offset + length,
      lines: after.slice(changedOffset, changedOffset + changedLength),
    })
  }
}

/** The longest ascending series of lines that occur exactly once on both sides. */
function anchors(base: readonly string[], changed: readonly string[]): Pair[] {
  const places = uniquePlaces(changed)
  const pairs: Pair[] = []
  for (const [line, place] of uniquePlaces(base)) {
    const other = places.get(line)
    if (place >= 0 && other !== undefined && other >= 0) pairs.push({ base: place, changed: other })
  }
  return longestAscending(pairs)
}

/** Line → index, or -1 when it occurs more than once; in order of first occurrence. */
function uniquePlaces(lines: readonly string[]): Map<string, number> {
  const places = new Map<string, number>()
  for (const [index, line] of lines.entries()) places.set(line, places.has(line) ? -1 : index)
  return places
}

/** `pairs` ascend in `base`; the result ascends in both. Patience sorting, n log n. */
function longestAscending(pairs: readonly Pair[]): Pair[] {
  interface Link {
    readonly pair: Pair
    readonly previous: Link | undefined
  }
  const tops: Link[] = []
  for (const pair of pairs) {
    let [low, high] = [0, tops.length]
    while (low < high) {
      const middle = (low + high) >>> 1
      const top = tops[middle]
      if (top !== undefined && top.pair.changed < pair.changed) low = middle + 1
      else high = middle
    }
    tops[low] = { pair, previous: low > 0 ? tops[low - 1] : undefined }
  }
  const series: Pair[] = []
  for (let link = tops.at(-1); link !== undefined; link = link.previous) series.push(link.pair)
  return series.reverse()
}
