/**
 * Stands for the collection of garbage, which is not part of format 1 yet, in the two phases of its design, reduced to
 * what it collects among changesets. First a drop is committed on top of the head: whatever was tried on an older
 * parent can never win afterwards. Then, while the drop is in the chain of the one head, what it names is deleted, by
 * requests of which each may be late for ever. When the real collection exists it takes this actor's place as a writer.
 */
import { createHash } from 'node:crypto'
import type { ChangesetHeader } from '../../src/model/changeset.ts'
import { decodeChangeset, encodeChangeset } from '../../src/remote/changeset-format.ts'
import { changesetName, headName } from '../../src/remote/layout.ts'
import type { BookEntry, ChangesetBook } from './changeset-book.ts'
import type { Store } from './store.ts'

const letter = 'Z'
const id = '01900000-0000-7000-8000-00000000000f'

/** Changesets of the store that the chain of its one head does not hold; `null` when there is not one head. */
export function garbageIn(book: ChangesetBook, store: Store): readonly string[] | null {
  const chain = chainOf(book, store)
  if (chain === null) return null
  const held = new Set(chain.map((entry) => changesetName(entry.changeset.point)))
  return [...store.objects.keys()].filter((name) => !held.has(name)).sort()
}

/** The drop, as a changeset on top of the head that changes nothing else: its name as head and as object. */
export function dropOn(
  book: ChangesetBook,
  store: Store,
  garbage: readonly string[],
): { readonly head: string; readonly object: string } | null {
  const chain = chainOf(book, store)
  const parent = chain?.at(-1)?.changeset
  if (chain === null || parent === undefined) return null
  const header: ChangesetHeader = {
    ...parent.header,
    version: parent.point.version + 1,
    parent: parent.point.hash,
    instance: { id, name: letter, incarnation: 'collector' },
    nonce: createHash('sha256').update(garbage.join()).digest('hex').slice(0, 32),
    operations: 0,
    ancestors: chain.map((entry) => entry.changeset.point.hash).reverse(),
    adopts: [],
  }
  const { point, bytes } = encodeChangeset(header, [])
  book.add(letter, decodeChangeset(point, bytes))
  return { head: headName(point), object: changesetName(point) }
}

/** Whether the drop still stands: it is in the chain of the one head. */
export function stands(book: ChangesetBook, store: Store, drop: string): boolean {
  return chainOf(book, store)?.some((entry) => headName(entry.changeset.point) === drop) ?? false
}

function chainOf(book: ChangesetBook, { heads }: Store): readonly BookEntry[] | null {
  const [head] = heads
  return heads.length !== 1 || head === undefined ? null : book.chainOf(head)
}
