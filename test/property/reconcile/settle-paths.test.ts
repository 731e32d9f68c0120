import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { FileState } from '../../../src/model/file-state.ts'
import { ancestorsOf } from '../../../src/model/path.ts'
import type { Decision } from '../../../src/reconcile/decision.ts'
import { foldPath } from '../../../src/reconcile/portable-path.ts'
import { reconcile } from '../../../src/reconcile/reconcile.ts'
import { settlePaths } from '../../../src/reconcile/settle-paths.ts'
import { type NamedTrees, worldOf } from '../../support/named-trees.ts'
import { file, folder, input, now } from '../../support/three-trees.ts'

const path = fc
  .array(fc.constantFrom('a', 'b', 'A'), { minLength: 1, maxLength: 3 })
  .map((segments) => segments.join('/'))
const state: fc.Arbitrary<FileState> = fc.oneof(
  { arbitrary: fc.tuple(path, fc.constantFrom('one', 'two')).map(([at, text]) => file(at, text)), weight: 4 },
  { arbitrary: path.map((at) => folder(at)), weight: 1 },
)

/** Trees that are possible by themselves: one entry at a path, none below a file. Each id keeps its kind. */
const trees: fc.Arbitrary<NamedTrees> = fc
  .array(
    fc.record({
      base: state,
      moved: path,
      other: path,
      sides: fc.constantFrom(
        'same',
        'local',
        'remote',
        'both',
        'gone here',
        'gone there',
        'new here',
        'new there',
      ),
    }),
    { maxLength: 8 },
  )
  .map((drafts) => {
    const local: Record<string, FileState> = {}
    const synced: Record<string, FileState> = {}
    const remote: Record<string, FileState> = {}
    const add = (tree: Record<string, FileState>, id: string, entry: FileState) => {
      const clash = Object.values(tree).some(
        (other) =>
          other.path === entry.path ||
          (other.kind === 'file' && ancestorsOf(entry.path).includes(other.path)) ||
          (entry.kind === 'file' && ancestorsOf(other.path).includes(entry.path)),
      )
      if (!clash) tree[id] = entry
    }
    for (const [index, { base, moved, other, sides }] of drafts.entries()) {
      const id = `id${index}`
      const edited = base.kind === 'file' ? file(base.path, 'edited') : base
      if (sides !== 'new here' && sides !== 'new there') synced[id] = base
      if (sides !== 'gone here' && sides !== 'new there') {
        const here = sides === 'local' || sides === 'both' ? { ...base, path: moved } : base
        add(local, id, sides === 'gone there' ? edited : here)
      }
      if (sides !== 'gone there' && sides !== 'new here') {
        const there = sides === 'remote' || sides === 'both' ? { ...base, path: other } : base
        add(remote, id, sides === 'gone here' ? edited : there)
      }
    }
    return { local, synced, remote }
  })

function decide({ local, synced, remote }: NamedTrees): Decision[] {
  const ids = [...new Set([local, synced, remote].flatMap((tree) => Object.keys(tree)))].sort()
  return ids.map((id) =>
    reconcile(
      input({
        id,
        local: local[id] ?? null,
        synced: synced[id] ?? null,
        remote: remote[id] ?? null,
        policy: 'both',
      }),
    ),
  )
}

const instance = { name: 'laptop' }

describe('settled paths, for any batch of decisions', () => {
  it('fit one tree, locally and remotely, and nobody is lost', () => {
    fc.assert(
      fc.property(trees, (named) => {
        const before = decide(named)
        const { decisions, blocked } = settlePaths({
          decisions: before,
          world: worldOf(named),
          instance,
          now,
        })
        expect(blocked).toEqual([])
        const live = decisions.flatMap(({ remote, copy }) => [
          ...(remote === null ? [] : [remote]),
          ...(copy === null ? [] : [copy.state]),
        ])
        const paths = live.map((entry) => entry.path)
        expect(new Set(paths).size).toBe(paths.length)
        const files = new Set(live.filter(({ kind }) => kind === 'file').map((entry) => entry.path))
        for (const at of paths) for (const above of ancestorsOf(at)) expect(files).not.toContain(above)
        for (const [index, decision] of decisions.entries()) {
          const { path: from, ...was } = before[index]?.remote ?? { path: null }
          const { path: to, ...is } = decision.remote ?? { path: null }
          expect(is).toEqual(was)
          expect(decision.local?.path ?? null).toBe(to)
          if (from !== to) expect(decision.notices.at(-1)?.rule).toMatch(/^R1[56]-/)
        }
      }),
      { numRuns: 3_000 },
    )
  })

  it('are the same in whatever order the batch comes', () => {
    const shuffled = trees.chain((named) => {
      const decisions = decide(named)
      const length = { minLength: decisions.length, maxLength: decisions.length }
      return fc.tuple(fc.constant(named), fc.shuffledSubarray(decisions, length))
    })
    fc.assert(
      fc.property(shuffled, ([named, decisions]) => {
        const world = worldOf(named)
        const byId = (of: readonly Decision[]) => new Map(of.map((decision) => [decision.id, decision]))
        const mixed = settlePaths({ decisions, world, instance, now })
        const straight = settlePaths({ decisions: decide(named), world, instance, now })
        expect(byId(mixed.decisions)).toEqual(byId(straight.decisions))
      }),
      { numRuns: 1_000 },
    )
  })

  it('never give a name that is taken on a disk that ignores case', () => {
    fc.assert(
      fc.property(trees, (named) => {
        const decisions = decide(named)
        const settled = settlePaths({ decisions, world: worldOf(named), instance, now })
        const old = [named.local, named.synced, named.remote].flatMap((tree) => Object.values(tree))
        const taken = new Set(old.map((entry) => foldPath(entry.path)))
        for (const [index, decision] of settled.decisions.entries()) {
          const at = decision.remote?.path
          if (at === undefined || at === decisions[index]?.remote?.path) continue
          expect(taken).not.toContain(foldPath(at))
          taken.add(foldPath(at))
        }
      }),
      { numRuns: 1_000 },
    )
  })

  it('are reached when what blocks a decision is taken into the batch, step by step', () => {
    fc.assert(
      fc.property(trees, fc.nat(7), (named, first) => {
        const all = decide(named)
        const start = all[first % Math.max(all.length, 1)]
        if (start === undefined) return
        const ids = new Set([start.id])
        for (let round = 0; ; round++) {
          expect(round).toBeLessThanOrEqual(all.length)
          const decisions = all.filter(({ id }) => ids.has(id))
          const { blocked } = settlePaths({ decisions, world: worldOf(named), instance, now })
          if (blocked.length === 0) break
          const size = ids.size
          for (const { by } of blocked) for (const id of by) ids.add(id)
          expect(ids.size).toBeGreaterThan(size)
        }
      }),
      { numRuns: 1_000 },
    )
  })
})
