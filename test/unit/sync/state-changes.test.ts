import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Database } from '../../../src/database/database.ts'
import type { Operation } from '../../../src/model/changeset.ts'
import type { Candidate, Conflict } from '../../../src/model/conflict.ts'
import { changeDigest, type DigestEntry, emptyDigest } from '../../../src/model/digest.ts'
import type { FileState } from '../../../src/model/file-state.ts'
import { digestAfter } from '../../../src/sync/state-changes.ts'
import {
  conflict,
  fileId,
  fillRemote,
  hashOf,
  me,
  openTestDatabase,
  other,
  state,
} from '../../support/database-values.ts'

const at = { version: 4, time: '2026-11-21T00:00:00.000Z' }

/** The shared state as plain values, on which the operations are done one by one. */
class Shared {
  readonly files = new Map<string, FileState>()
  readonly conflicts = new Map<string, Conflict>()
  readonly contents = new Map<string, { readonly size: number; readonly name: string }>()

  static of(database: Database): Shared {
    const shared = new Shared()
    for (const { id, state } of database.trees.remotePage({ limit: 100 })) shared.files.set(id, state)
    for (const open of database.conflicts.page({ limit: 100 })) shared.conflicts.set(open.id, open)
    for (const text of texts) {
      const row = database.contents.find(hashOf(text))
      if (row !== null) shared.contents.set(row.hash, row)
    }
    return shared
  }

  do(operation: Operation): void {
    switch (operation.kind) {
      case 'put':
        this.files.set(operation.id, operation.after)
        break
      case 'delete':
        this.files.delete(operation.id)
        break
      case 'object':
        this.contents.set(operation.hash, operation)
        break
      case 'resolve':
        this.conflicts.delete(operation.id)
        break
      case 'conflict': {
        const open = this.conflicts.get(operation.id)
        const told = [...operation.remove, ...operation.add.map(({ instance }) => ({ instance, hash: null }))]
        const kept = (open?.candidates ?? []).filter(
          (side) =>
            !told.some(
              ({ instance, hash }) => instance === side.instance && (hash === null || hash === side.hash),
            ),
        )
        const candidates = [...kept, ...operation.add]
        const { id, fileId: file, aspect, base, path, conflict: kind } = operation
        const fresh = { id, fileId: file, aspect, base, path, kind, detectedAt: at.time, version: 4 }
        if (candidates.length === 0) this.conflicts.delete(id)
        else this.conflicts.set(id, { ...(open ?? fresh), candidates })
        break
      }
      case 'checkpoint':
        break
    }
  }

  /** Added up from nothing. */
  digest(): string {
    const add: DigestEntry[] = [
      ...[...this.files].map(([id, of]) => ({ kind: 'file' as const, id, state: of })),
      ...[...this.conflicts.values()].map((open) => ({ kind: 'conflict' as const, conflict: open })),
      ...[...this.contents].map(([hash, { size, name }]) => ({ kind: 'content' as const, hash, size, name })),
    ]
    return changeDigest(emptyDigest, { add, remove: [] })
  }
}

const texts = ['one', 'mine', 'theirs', 'new']

const text = fc.constantFrom(...texts)
const id = fc.integer({ min: 1, max: 5 }).map(fileId)
const fileState: fc.Arbitrary<FileState> = fc
  .record({ path: fc.constantFrom('a.md', 'b/c.md', 'd'), text, executable: fc.boolean(), title: fc.nat(2) })
  .map(({ path, text: content, executable, title }) =>
    state(path, content, { executable, metadata: { title } }),
  )
const side: fc.Arbitrary<Candidate> = fc
  .record({ instance: fc.constantFrom(me, other, fileId(99)), text })
  .map(({ instance, text: content }) => ({
    instance,
    name: 'desk',
    hash: hashOf(content),
    size: content.length,
    at: at.time,
  }))
const sides = fc.uniqueArray(side, { selector: ({ instance }) => instance, maxLength: 3 })
/** Of one of three conflicts; the first is open to begin with. */
const aConflict = fc.integer({ min: 1, max: 3 }).map((n) => conflict(n, fileId(1)))

const operation: fc.Arbitrary<Operation> = fc.oneof(
  fc.record({ kind: fc.constant('put' as const), id, before: fc.constant(null), after: fileState }),
  fc.record({ kind: fc.constant('delete' as const), id, before: fileState }),
  fc.record({ open: aConflict, add: sides, remove: sides }).map(({ open, add, remove }) => ({
    kind: 'conflict' as const,
    id: open.id,
    fileId: open.fileId,
    path: open.path,
    conflict: open.kind,
    aspect: open.aspect,
    base: open.base,
    add,
    remove,
  })),
  aConflict.map((open) => ({
    kind: 'resolve' as const,
    id: open.id,
    fileId: open.fileId,
    strategy: 'equal' as const,
    decided: [],
    before: {
      path: open.path,
      conflict: open.kind,
      aspect: open.aspect,
      base: open.base,
      candidates: open.candidates,
      detectedAt: open.detectedAt,
      version: open.version,
    },
  })),
  fc.record({ content: text, n: fc.nat(2) }).map(({ content, n }) => ({
    kind: 'object' as const,
    hash: hashOf(content),
    size: content.length,
    name: `ab/${hashOf(content)}-${n}`,
    before: null,
  })),
)

describe('the digest after operations', () => {
  it('is that of the state that results, whatever happens to one thing however often', () => {
    const database = openTestDatabase()
    fillRemote(database)
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 15 }), (operations) => {
        const shared = Shared.of(database)
        for (const one of operations) shared.do(one)
        expect(digestAfter(database, operations, at)).toBe(shared.digest())
      }),
      { numRuns: 300 },
    )
  })

  it('is the present one when there are none, or what was done is undone', () => {
    const database = openTestDatabase()
    fillRemote(database)
    const now = database.chain.digest()
    const after = state('new.md')
    expect(digestAfter(database, [], at)).toBe(now)
    expect(
      digestAfter(
        database,
        [
          { kind: 'put', id: fileId(9), before: null, after },
          { kind: 'delete', id: fileId(9), before: after },
        ],
        at,
      ),
    ).toBe(now)
  })

  it('of a deletion of what is deleted already, and of a tombstone that comes to life', () => {
    const database = openTestDatabase()
    fillRemote(database)
    const shared = Shared.of(database)
    const after = state('gone.md')
    expect(digestAfter(database, [{ kind: 'delete', id: fileId(3), before: after }], at)).toBe(
      shared.digest(),
    )
    const alive: Operation = { kind: 'put', id: fileId(3), before: null, after }
    shared.do(alive)
    expect(digestAfter(database, [alive], at)).toBe(shared.digest())
  })

  it('is worked out without writing', () => {
    const database = openTestDatabase()
    fillRemote(database)
    const before = Shared.of(database).digest()
    digestAfter(database, [{ kind: 'put', id: fileId(1), before: null, after: state('x') }], at)
    expect(Shared.of(database).digest()).toBe(before)
    expect(database.chain.digest()).toBe(before)
  })
})
