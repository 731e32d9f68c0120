/** Named states of one file in three trees, random ones that are correlated, and acting on a decision in memory. */
import fc from 'fast-check'
import type { Candidate, Conflict, ConflictPolicy } from '../../src/model/conflict.ts'
import type { FileState, FileTriple, Metadata } from '../../src/model/file-state.ts'
import { labelsField } from '../../src/model/file-state.ts'
import type { JsonValue } from '../../src/model/json.ts'
import { conflictId, valueContent } from '../../src/reconcile/conflict-id.ts'
import type { Decision } from '../../src/reconcile/decision.ts'
import type { ReconcileInput } from '../../src/reconcile/reconcile.ts'

export const fileId = '01900000-0000-7000-8000-000000000001'
export const ownId = '01900000-0000-7000-8000-00000000000a'
export const otherId = '01900000-0000-7000-8000-00000000000b'
export const now = '2026-11-20T14:05:33.123Z'

/** A readable stand-in for a SHA-256. */
export function hashOf(name: string): string {
  return Buffer.from(name).toString('hex').padEnd(64, '0').slice(0, 64)
}

export function file(path: string, content: string, more: Partial<FileState> = {}): FileState {
  const mtimeUs = 1_000
  const rest = { executable: false, mtimeUs, metadata: {}, ...more }
  return { path, kind: 'file', size: content.length, hash: hashOf(content), ...rest }
}

export function folder(path: string, metadata: Metadata = {}): FileState {
  return { path, kind: 'folder', size: 0, hash: null, executable: false, mtimeUs: 0, metadata }
}

export function input(over: Partial<ReconcileInput>): ReconcileInput {
  const trees = { local: null, synced: null, remote: null }
  const instance = { id: ownId, name: 'laptop' }
  return { id: fileId, ...trees, conflicts: [], instance, policy: 'manual', merge: null, now, ...over }
}

export function candidate(instance: string, content: string): Candidate {
  return { instance, name: instance, hash: hashOf(content), size: content.length, at: now }
}

export function contentConflict(candidates: readonly Candidate[], base = 'base'): Conflict {
  const from = { hash: hashOf(base), size: base.length }
  const on = { fileId, path: 'a.txt', kind: 'edit', aspect: 'content' } as const
  const id = conflictId({ ...on, base: from.hash })
  return { id, ...on, base: from, candidates, detectedAt: now, version: 7 }
}

export function fieldCandidate(instance: string, value: JsonValue): Candidate {
  return { instance, name: instance, ...valueContent(value), at: now }
}

export function fieldConflict(
  field: string,
  base: JsonValue | null,
  candidates: readonly Candidate[],
): Conflict {
  const from = base === null ? null : valueContent(base)
  const on = { fileId, path: 'a.txt', kind: 'metadata', aspect: `metadata.${field}` } as const
  const id = conflictId({ ...on, base: from?.hash ?? null })
  return { id, ...on, base: from, candidates, detectedAt: now, version: 7 }
}

/** What the trees and the conflicts are after everything that the decision asks for was done. */
export function act(before: ReconcileInput, decision: Decision): ReconcileInput {
  const conflicts = new Map(before.conflicts.map((conflict) => [conflict.id, conflict]))
  for (const change of decision.conflicts) {
    const open = conflicts.get(change.id)
    if (change.change === 'open' || change.change === 'update') {
      const own = { instance: before.instance.id, name: before.instance.name, at: before.now, ...change.own }
      const others = open?.candidates.filter(({ instance }) => instance !== before.instance.id) ?? []
      conflicts.set(change.id, {
        id: change.id,
        fileId: before.id,
        path: open?.path ?? decision.remote?.path ?? '',
        kind: change.kind,
        aspect: change.aspect,
        base: change.base,
        candidates: [...others, own],
        detectedAt: before.now,
        version: 8,
      })
    } else if (change.change === 'withdraw' && open !== undefined) {
      const left = open.candidates.filter(({ instance }) => instance !== before.instance.id)
      if (left.length === 0) conflicts.delete(change.id)
      else conflicts.set(change.id, { ...open, candidates: left })
    } else {
      conflicts.delete(change.id)
    }
  }
  const { local, synced, remote } = decision
  return { ...before, local, synced, remote, conflicts: [...conflicts.values()], merge: null }
}

export function tripleOf({ id, local, synced, remote }: ReconcileInput): FileTriple {
  return {
    id,
    local: local === null ? null : { id, state: local, stamp: null, racy: false, absence: null },
    synced,
    remote: remote === null ? null : { id, state: remote, version: 1, deletedVersion: null, deletedAt: null },
  }
}

const contents = ['', 'base', 'one', 'two', 'three'].map((text) => fc.constant(text))
// No field says null: an absent one does (see Metadata).
const value = fc.constantFrom<JsonValue>(0, 1, 'x', 'y', ['a'], { k: 1 })
const labels = fc.constantFrom<JsonValue>([], ['a'], ['b', 'a'], ['a', 'c'], ['c', 'b'], 'no set')
const paths = fc.constantFrom('a.txt', 'b.txt', 'dir/a.txt', 'dir/b.txt')

const metadata: fc.Arbitrary<Metadata> = fc
  .record({ [labelsField]: labels, x: value, y: value, z: value }, { requiredKeys: [] })
  .map((fields) => ({ ...fields }))

export const anyFile: fc.Arbitrary<FileState> = fc
  .record({
    path: paths,
    content: fc.oneof(...contents),
    executable: fc.boolean(),
    mtimeUs: fc.nat(3),
    metadata,
  })
  .map(({ path, content, ...more }) => file(path, content, more))

export const anyFolder: fc.Arbitrary<FileState> = fc
  .record({ path: paths, metadata })
  .map((of) => folder(of.path, of.metadata))

/** A state that differs from its base in a few aspects, or is deleted. */
function perturbed(base: FileState): fc.Arbitrary<FileState | null> {
  const source = base.kind === 'file' ? anyFile : anyFolder
  const change = fc.record({
    content: fc.boolean(),
    path: fc.boolean(),
    mode: fc.boolean(),
    mtime: fc.boolean(),
    fields: fc.subarray([labelsField, 'x', 'y', 'z']),
    from: source,
  })
  const changed = change.map(({ content, path, mode, mtime, fields, from }) => {
    const mixed: { [field: string]: JsonValue } = { ...base.metadata }
    for (const field of fields) {
      delete mixed[field]
      const drawn = from.metadata[field]
      if (drawn !== undefined) mixed[field] = drawn
    }
    return {
      ...base,
      ...(content ? { hash: from.hash, size: from.size } : {}),
      ...(path ? { path: from.path } : {}),
      ...(mode ? { executable: from.executable } : {}),
      ...(mtime ? { mtimeUs: from.mtimeUs } : {}),
      metadata: mixed,
    }
  })
  return fc.oneof(
    { arbitrary: changed, weight: 6 },
    { arbitrary: fc.constant(base), weight: 2 },
    { arbitrary: fc.constant(null), weight: 2 },
  )
}

function anyConflicts(states: readonly (FileState | null)[]): fc.Arbitrary<Conflict[]> {
  const drawn = states.flatMap((state) => (state === null || state.hash === null ? [] : [state.hash]))
  const hash = fc.constantFrom(...drawn, hashOf('held'), hashOf('other'))
  const side = hash.map((of) => ({ hash: of, size: 4 }))
  const content = fc
    .record({ own: fc.option(side), other: fc.option(side) })
    .map(({ own, other }) =>
      contentConflict([
        ...(own === null ? [] : [{ instance: ownId, name: 'laptop', at: now, ...own }]),
        ...(other === null ? [] : [{ instance: otherId, name: 'server', at: now, ...other }]),
      ]),
    )
  const field = fc
    .record({ field: fc.constantFrom('x', 'y', 'gone', labelsField), own: fc.option(value), other: value })
    .map(({ field, own, other }) =>
      fieldConflict(field, null, [
        ...(own === null ? [] : [fieldCandidate(ownId, own)]),
        fieldCandidate(otherId, other),
      ]),
    )
  return fc
    .tuple(fc.option(content, { freq: 1 }), fc.uniqueArray(field, { maxLength: 2, selector: ({ id }) => id }))
    .map(([one, fields]) => [...(one === null || one.candidates.length === 0 ? [] : [one]), ...fields])
}

const policies: readonly ConflictPolicy[] = ['manual', 'merge', 'local', 'remote', 'both', 'newest']

const anyTrees = fc.oneof(anyFile, anyFile, anyFile, anyFolder).chain((base) =>
  fc.record({
    local: perturbed(base),
    remote: perturbed(base),
    synced: fc.oneof(
      { arbitrary: fc.constant(base), weight: 4 },
      { arbitrary: fc.constant(null), weight: 1 },
    ),
  }),
)

/** One base, perturbed once on each side; with open conflicts or without. Never an outcome of a merge. */
export const anyInput: fc.Arbitrary<ReconcileInput> = anyTrees.chain((trees) =>
  fc
    .record({
      conflicts: fc.oneof(fc.constant([]), anyConflicts([trees.local, trees.remote, trees.synced])),
      policy: fc.constantFrom(...policies),
    })
    .map((more) => input({ ...trees, ...more })),
)

/** States with nothing in common, of any kinds. */
export const unrelatedInput: fc.Arbitrary<ReconcileInput> = fc
  .record({
    local: fc.option(fc.oneof(anyFile, anyFolder)),
    synced: fc.option(fc.oneof(anyFile, anyFolder)),
    remote: fc.option(fc.oneof(anyFile, anyFolder)),
    policy: fc.constantFrom(...policies),
  })
  .chain((trees) =>
    anyConflicts([trees.local, trees.remote]).map((conflicts) => input({ ...trees, conflicts })),
  )
