/**
 * Which parts of Davit a set of seeds has run through, told by V8's own block counters: nothing in the product has to
 * know that it is watched. A place is named by a text that stands in it.
 */
import fs from 'node:fs'
import { Session } from 'node:inspector/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

export interface Place {
  readonly name: string
  /** Below `src/`, with `.js`. */
  readonly file: string
  /** Offset in the compiled file. */
  readonly offset: number
}

const sourceFolder = path.join(path.dirname(fileURLToPath(import.meta.url)), '..', '..', 'src')

/** Every mention of a decision rule in `reconcile/`, and each named branch. */
export function placesToReach(
  branches: readonly (readonly [name: string, file: string, text: string])[],
): Place[] {
  const places: Place[] = []
  const folder = path.join(sourceFolder, 'reconcile')
  for (const name of fs.readdirSync(folder).filter((each) => each.endsWith('.js'))) {
    const text = fs.readFileSync(path.join(folder, name), 'utf8')
    const seen = new Map<string, number>()
    for (const match of text.matchAll(/'(R\d+-[a-z-]+)'/g)) {
      const rule = match[1] as string
      const number = (seen.get(rule) ?? 0) + 1
      seen.set(rule, number)
      places.push({ name: `${rule} in ${name} (${number})`, file: `reconcile/${name}`, offset: match.index })
    }
  }
  for (const [name, file, needle] of branches) {
    const text = fs.readFileSync(path.join(sourceFolder, file), 'utf8')
    const offset = text.indexOf(needle)
    if (offset < 0) throw new Error(`${file} has no '${needle}' any more`)
    if (text.includes(needle, offset + 1)) throw new Error(`${file} has '${needle}' more than once`)
    places.push({ name, file, offset })
  }
  return places
}

interface Range {
  readonly startOffset: number
  readonly endOffset: number
  readonly count: number
}

/**
 * That of the innermost range. What follows a conditional expression within the code behind an `if` that returns is in
 * no range of its own: V8 ends that code's range where the expression's begins. Then it is that one's count.
 */
export function countAt(ranges: readonly Range[], text: string, offset: number): number {
  const sizeOf = ({ startOffset, endOffset }: Range) => endOffset - startOffset
  const around = ranges.filter(({ startOffset, endOffset }) => startOffset <= offset && offset < endOffset)
  const innermost = around.reduce<Range | null>(
    (best, range) => (best === null || sizeOf(range) <= sizeOf(best) ? range : best),
    null,
  )
  if (innermost === null) return 0
  const isBetween = (from: number, to: number) => from >= to || text.slice(from, to).trim() === ''
  const inside = ranges
    .filter((range) => range.startOffset > innermost.startOffset && range.endOffset <= offset)
    .sort((left, right) => right.endOffset - left.endOffset || sizeOf(right) - sizeOf(left))
  let next = inside[0]
  if (next === undefined || !isExpression(text, next)) return innermost.count
  while (next !== undefined && isExpression(text, next)) {
    const start: number = next.startOffset
    next = inside.find(({ endOffset }) => endOffset <= start && isBetween(endOffset, start))
  }
  return next === undefined ? innermost.count : Math.min(innermost.count, next.count)
}

/** Part of a conditional expression, or of one with `&&`, `||` or `??`. */
function isExpression(text: string, { startOffset }: Range): boolean {
  return /^\s*(\?|:|&&|\|\|)/.test(text.slice(startOffset, startOffset + 20))
}

export interface CoverageCounter {
  /** How often each place was run through since the start. */
  take(places: readonly Place[]): Promise<Map<string, number>>
}

/** Before the code to be counted is loaded. */
export async function startCounting(): Promise<CoverageCounter> {
  const session = new Session()
  session.connect()
  await session.post('Profiler.enable')
  await session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true })
  return {
    async take(places) {
      const { result } = await session.post('Profiler.takePreciseCoverage')
      const counts = new Map<string, number>()
      const files = new Set(places.map(({ file }) => file))
      for (const script of result) {
        if (!script.url.startsWith('file:')) continue
        const file = path.relative(sourceFolder, fileURLToPath(script.url))
        if (!files.has(file)) continue
        const ranges = script.functions.flatMap((each) => each.ranges)
        const text = fs.readFileSync(path.join(sourceFolder, file), 'utf8')
        for (const place of places) {
          if (place.file !== file) continue
          counts.set(place.name, (counts.get(place.name) ?? 0) + countAt(ranges, text, place.offset))
        }
      }
      return counts
    },
  }
}
