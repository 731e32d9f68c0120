import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ancestorsOf } from '../../../src/model/path.ts'
import { type LocalChange, orderSteps } from '../../../src/reconcile/order-steps.ts'
import { foldPath } from '../../../src/reconcile/portable-path.ts'
import { ToyDisk } from '../../support/toy-disk.ts'

const path = fc
  .array(fc.constantFrom('a', 'b', 'c', 'A'), { minLength: 1, maxLength: 3 })
  .map((segments) => segments.join('/'))
const place = fc.option(path, { freq: 4 })
const drafts = fc.array(
  fc.record({
    kind: fc.constantFrom('file', 'file', 'file', 'folder'),
    from: place,
    to: place,
    stays: fc.boolean(),
    content: fc.boolean(),
  }),
  { minLength: 1, maxLength: 12 },
)

type Fold = (of: string) => string

/** One tree: what it says already, and whether a path still fits: nothing there, no file above, nothing below. */
class Shape {
  private readonly all = new Set<string>()
  private readonly fold: Fold

  constructor(fold: Fold) {
    this.fold = fold
  }

  fits(path: string): boolean {
    const folded = this.fold(path)
    return (
      !this.all.has(folded) &&
      !ancestorsOf(folded).some((folder) => this.all.has(folder)) &&
      ![...this.all].some((other) => other.startsWith(`${folded}/`))
    )
  }

  add(path: string): void {
    this.all.add(this.fold(path))
  }
}

/** Changes whose present and intended paths each fit one tree; a folder entry stands for an empty folder. */
function changesOf(
  drawn: typeof drafts extends fc.Arbitrary<infer T> ? T : never,
  fold: Fold,
): LocalChange[] {
  const before = new Shape(fold)
  const after = new Shape(fold)
  return drawn.flatMap(({ kind, from: drawnFrom, to: drawnTo, stays, content }, index) => {
    const from = drawnFrom !== null && before.fits(drawnFrom) ? drawnFrom : null
    const wanted = stays && from !== null ? from : drawnTo
    const to = wanted !== null && after.fits(wanted) ? wanted : null
    if (from === null && to === null) return []
    if (from !== null) before.add(from)
    if (to !== null) after.add(to)
    return [{ id: `${index}`, kind: kind === 'folder' ? 'folder' : 'file', from, to, content }] as const
  })
}

function treeOf(changes: readonly LocalChange[], which: 'from' | 'to', fold: Fold): ToyDisk {
  const entries = changes.flatMap((change) =>
    change.kind === 'folder' && change.to !== null ? [change.to] : [],
  )
  const disk = new ToyDisk({ fold, kept: entries })
  for (const change of changes) {
    const path = change[which]
    if (path === null) continue
    if (change.kind === 'file') disk.addFile(change.id, path)
    else disk.addFolder(path)
  }
  return disk
}

describe.each<[string, Fold]>([
  ['tells case apart', (of) => of],
  ['ignores case', foldPath],
])('ordered steps, on a disk that %s', (_, fold) => {
  it('lead from any tree to any other, whatever the order of the changes', () => {
    const shuffled = drafts.chain((drawn) => {
      const changes = changesOf(drawn, fold)
      return fc.tuple(
        fc.constant(changes),
        fc.shuffledSubarray(changes, { minLength: changes.length, maxLength: changes.length }),
      )
    })
    fc.assert(
      fc.property(shuffled, ([changes, mixed]) => {
        const steps = orderSteps(mixed)
        expect(steps).toEqual(orderSteps(changes))
        const disk = treeOf(changes, 'from', fold)
        for (const step of steps) disk.run(step)
        expect(disk.tree()).toEqual(treeOf(changes, 'to', fold).tree())
      }),
      { numRuns: 6_000 },
    )
  })

  it('touch each file once but for cycles, and place each new content once', () => {
    fc.assert(
      fc.property(drafts, (drawn) => {
        const changes = changesOf(drawn, fold)
        const steps = orderSteps(changes)
        for (const { id, kind, from, to, content } of changes) {
          const own = steps.filter((step) => 'id' in step && step.id === id).map((step) => step.kind)
          if (kind === 'folder') continue
          expect(own.filter((of) => of === 'place')).toHaveLength(
            to !== null && (content || from === null) ? 1 : 0,
          )
          expect(own.filter((of) => of === 'remove')).toHaveLength(to === null ? 1 : 0)
          const moved = from !== null && to !== null && from !== to
          expect(own.filter((of) => of === 'move' || of === 'unpark')).toHaveLength(moved ? 1 : 0)
        }
      }),
      { numRuns: 1_000 },
    )
  })
})

describe('ordering many steps', () => {
  it('is done for a renamed folder and a long chain in one go', () => {
    const changes = Array.from({ length: 20_000 }, (_, index): LocalChange => {
      const path = index % 2 === 0 ? [`old/${index}`, `new/${index}`] : [`c${index}`, `c${index + 2}`]
      return { id: `${index}`, kind: 'file', from: path[0] ?? '', to: path[1] ?? '', content: false }
    })
    const disk = treeOf(changes, 'from', (of) => of)
    const steps = orderSteps(changes)
    expect(steps.filter(({ kind }) => kind === 'move')).toHaveLength(20_000)
    for (const step of steps.filter(({ kind }) => kind === 'move')) disk.run(step)
    expect(disk.tree()).toContain('new/0 0')
  })
})
