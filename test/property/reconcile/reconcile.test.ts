import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { changedAspects, equalStates } from '../../../src/model/compare-states.ts'
import { dirtiness } from '../../../src/model/dirtiness.ts'
import type { FileState } from '../../../src/model/file-state.ts'
import type { Decision, RuleId } from '../../../src/reconcile/decision.ts'
import { type ReconcileInput, reconcile } from '../../../src/reconcile/reconcile.ts'
import { act, anyInput, hashOf, tripleOf, unrelatedInput } from '../../support/three-trees.ts'

const runs = { numRuns: 4_000 }
const everyInput = fc.oneof(anyInput, unrelatedInput)

/** Decides; a merge that is asked for succeeds with a content of its own, or fails. */
function settle(input: ReconcileInput, mergeable: boolean): Decision {
  const decision = reconcile(input)
  if (decision.needsMerge === null) return decision
  const merge = mergeable
    ? ({ kind: 'merged', hash: hashOf('merged'), size: 6 } as const)
    : ({ kind: 'conflict' } as const)
  return reconcile({ ...input, merge })
}

function hashes(...states: readonly (FileState | null)[]): string[] {
  return states.flatMap((state) => (state === null || state.hash === null ? [] : [state.hash]))
}

describe('reconcile, for any three trees', () => {
  it('always decides, and names at least one rule', () => {
    fc.assert(
      fc.property(everyInput, (input) => {
        const decision = reconcile(input)
        expect(decision.rules.length).toBeGreaterThan(0)
        expect(new Set(decision.rules).size).toBe(decision.rules.length)
      }),
      runs,
    )
  })

  it('asks for a merge at most once', () => {
    fc.assert(
      fc.property(everyInput, fc.boolean(), (input, mergeable) => {
        expect(settle(input, mergeable).needsMerge).toBeNull()
      }),
      runs,
    )
  })

  it('leaves nothing to do once it was acted on', () => {
    fc.assert(
      fc.property(everyInput, fc.boolean(), (input, mergeable) => {
        const after = act(input, settle(input, mergeable))
        expect(dirtiness(tripleOf(after), after.conflicts, after.instance.id)).toBe('clean')
        const again = reconcile(after)
        expect(again.rules).toSatisfy((rules: RuleId[]) =>
          rules.every((rule) => rule === 'R1-clean' || rule === 'R17-conflict-held'),
        )
        expect(again).toMatchObject({
          local: after.local,
          synced: after.synced,
          remote: after.remote,
          conflicts: [],
          notices: [],
          copy: null,
          needsMerge: null,
        })
      }),
      runs,
    )
  })

  it('makes the trees equal but for what waits in a conflict', () => {
    fc.assert(
      fc.property(everyInput, fc.boolean(), (input, mergeable) => {
        const decision = settle(input, mergeable)
        const after = act(input, decision)
        expect(decision.synced).toEqual(decision.remote)
        for (const aspect of changedAspects(decision.local, decision.remote)) {
          const waiting = aspect === 'mtime' ? 'content' : aspect
          const open = after.conflicts.find((conflict) => conflict.aspect === waiting)
          expect(open?.candidates.some(({ instance }) => instance === input.instance.id)).toBe(true)
        }
      }),
      runs,
    )
  })

  it('keeps every content that somebody changed to, unless a rule or a policy says otherwise', () => {
    const mayLose: RuleId[] = ['R8-deletion-wins', 'R20-policy', 'R10-merge-content']
    fc.assert(
      fc.property(everyInput, fc.boolean(), (input, mergeable) => {
        const decision = settle(input, mergeable)
        const after = act(input, decision)
        const kept = new Set([
          ...hashes(decision.local, decision.remote, decision.copy?.state ?? null),
          ...after.conflicts.flatMap(({ candidates }) => candidates.map(({ hash }) => hash)),
        ])
        const agreed = hashes(input.synced)
        for (const hash of hashes(input.local, input.remote)) {
          if (kept.has(hash) || agreed.includes(hash)) continue
          expect(decision.rules).toSatisfy((rules: RuleId[]) => rules.some((rule) => mayLose.includes(rule)))
          // Even then the committed content is in the history; the local one goes only by a policy that says so.
          if (hash === input.local?.hash) {
            expect(['local', 'remote', 'newest', 'merge']).toContain(input.policy)
          }
        }
      }),
      runs,
    )
  })

  it('loses no content under the policies manual and both', () => {
    fc.assert(
      fc.property(everyInput, fc.constantFrom('manual', 'both'), (drawn, policy) => {
        const input = { ...drawn, policy } as ReconcileInput
        const decision = reconcile(input)
        const after = act(input, decision)
        const kept = [
          ...hashes(decision.local, decision.remote, decision.copy?.state ?? null, input.synced),
          ...after.conflicts.flatMap(({ candidates }) => candidates.map(({ hash }) => hash)),
        ]
        for (const hash of hashes(input.local, input.remote)) expect(kept).toContain(hash)
      }),
      runs,
    )
  })

  it('deletes only what one side deleted', () => {
    fc.assert(
      fc.property(everyInput, fc.boolean(), (input, mergeable) => {
        const decision = settle(input, mergeable)
        if (decision.local !== null && decision.remote !== null) return
        expect(decision.local).toBeNull()
        expect(decision.remote).toBeNull()
        expect(input.local === null || input.remote === null).toBe(true)
        if (input.local !== null || input.remote !== null) expect(input.synced).not.toBeNull()
      }),
      runs,
    )
  })

  it('never touches the candidates of other instances, except by a deletion', () => {
    fc.assert(
      fc.property(everyInput, fc.boolean(), (input, mergeable) => {
        const decision = settle(input, mergeable)
        if (decision.local === null) return
        const others = (of: ReconcileInput) =>
          of.conflicts.flatMap(({ id, candidates }) =>
            candidates.filter(({ instance }) => instance !== of.instance.id).map(({ hash }) => [id, hash]),
          )
        expect(others(act(input, decision))).toEqual(expect.arrayContaining(others(input)))
      }),
      runs,
    )
  })

  it('says the same of a change whichever side made it, as long as only one did', () => {
    fc.assert(
      fc.property(anyInput, (input) => {
        const mirrored = { ...input, local: input.remote, remote: input.local, conflicts: [] }
        const straight = reconcile({ ...input, conflicts: [], remote: input.synced })
        const reverse = reconcile({ ...mirrored, local: input.synced })
        expect(equalStates(straight.remote, reverse.remote)).toBe(true)
        expect(equalStates(straight.local, input.local)).toBe(true)
      }),
      runs,
    )
  })

  it('lets equal changes of both sides pass without a conflict', () => {
    fc.assert(
      fc.property(anyInput, (drawn) => {
        const input = { ...drawn, remote: drawn.local, conflicts: [] }
        const decision = reconcile(input)
        expect(decision.conflicts).toEqual([])
        expect(decision.local).toEqual(input.local)
        expect(decision.remote).toEqual(input.local)
      }),
      runs,
    )
  })
})
