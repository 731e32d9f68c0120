import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { diffLines } from '../../../src/reconcile/diff-lines.ts'
import { textMerger } from '../../../src/reconcile/merge-text.ts'

const runs = { numRuns: 2_000 }
const line = fc.constantFrom('a\n', 'b\n', 'c\r\n', '\n', 'd\n', 'e', '\uFEFF', 'ü\n', 'constructor\n')
const text = fc.array(line, { maxLength: 12 }).map((lines) => lines.join(''))
const content = fc.oneof(
  text.map((of) => new Uint8Array(Buffer.from(of))),
  fc.uint8Array({ maxLength: 12 }),
)

function merge(base: Uint8Array | null, local: Uint8Array, remote: Uint8Array): Uint8Array | null {
  const result = textMerger.merge({ path: 'a.txt', base, local, remote })
  return result.kind === 'merged' ? result.content : null
}

describe('merging any contents', () => {
  it('takes the only change there is', () => {
    fc.assert(
      fc.property(content, content, (base, changed) => {
        expect(merge(base, changed, base)).toEqual(changed)
        expect(merge(base, base, changed)).toEqual(changed)
      }),
      runs,
    )
  })

  it('takes equal changes once', () => {
    fc.assert(
      fc.property(fc.option(content), content, (base, both) => {
        expect(merge(base, both, both)).toEqual(both)
      }),
      runs,
    )
  })

  it('comes to the same whichever side is whose', () => {
    fc.assert(
      fc.property(fc.option(content), content, content, (base, left, right) => {
        expect(merge(base, left, right)).toEqual(merge(base, right, left))
      }),
      runs,
    )
  })

  it('has every edit of lines that do not touch exactly once', () => {
    const edit = fc.constantFrom('keep', 'change', 'insert', 'remove')
    fc.assert(
      fc.property(fc.array(fc.tuple(edit, edit), { maxLength: 10 }), (edits) => {
        // Blocks of three lines of their own; each side edits the middle of some, never both sides of one.
        const side = (of: 0 | 1) =>
          edits.map((pair, index) => [`${index} before\n`, ...middle(pair, of, index), `${index} after\n`])
        const middle = (pair: readonly string[], of: 0 | 1 | 2, index: number) => {
          const chosen = of === 1 && pair[0] !== 'keep' ? 'keep' : of === 2 ? 'keep' : pair[of]
          const original = `${index} middle\n`
          if (chosen === 'change') return [`${index} changed by ${of}\n`]
          if (chosen === 'insert') return [original, `${index} added by ${of}\n`]
          return chosen === 'remove' ? [] : [original]
        }
        const base = edits.flatMap((pair, index) => [
          `${index} before\n`,
          ...middle(pair, 2, index),
          `${index} after\n`,
        ])
        const [local, remote] = [side(0), side(1)]
        const expected = edits.flatMap((pair, index) => (pair[0] !== 'keep' ? local : remote)[index] ?? [])
        const bytes = (lines: readonly string[]) => new Uint8Array(Buffer.from(lines.join('')))
        expect(merge(bytes(base), bytes(local.flat()), bytes(remote.flat()))).toEqual(bytes(expected))
      }),
      runs,
    )
  })

  it('describes a change so that making it again gives the changed text', () => {
    const lines = fc.array(line, { maxLength: 14 })
    fc.assert(
      fc.property(lines, lines, (base, changed) => {
        const made: string[] = []
        let at = 0
        for (const hunk of diffLines(base, changed)) {
          expect(hunk.start).toBeGreaterThanOrEqual(at)
          made.push(...base.slice(at, hunk.start), ...hunk.lines)
          at = hunk.end
        }
        expect([...made, ...base.slice(at)]).toEqual(changed)
      }),
      runs,
    )
  })
})
