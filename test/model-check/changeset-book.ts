/** Every changeset that any writer has ever made, in any branch: what the judge reads, and readers are given. */
import type { ChainPoint, Changeset } from '../../src/model/changeset.ts'
import { emptyStorePoint } from '../../src/model/changeset.ts'
import { changesetName, headName, parseHead } from '../../src/remote/layout.ts'

export interface BookEntry {
  readonly changeset: Changeset
  /** Such as `2A`: version and author; a prime for each further one. */
  readonly label: string
  /** What it does to the state that users see, as `path field=value`, once for each. */
  readonly edits: readonly string[]
}

export class ChangesetBook {
  private readonly byHash = new Map<string, BookEntry>()
  private readonly byName = new Map<string, BookEntry>()
  private readonly labels = new Map<string, string>([[headName(emptyStorePoint), '0']])
  private readonly chains = new Map<string, readonly BookEntry[]>()
  /** A writer made the same bytes twice without a restart: in the real world the nonce would differ. */
  repeated = 0

  add(author: string, changeset: Changeset): void {
    const { point } = changeset
    if (this.byHash.has(point.hash)) return
    let label = `${point.version}${author}`
    const taken = new Set(this.labels.values())
    while (taken.has(label)) label += "'"
    const entry = { changeset, label, edits: editsOf(changeset) }
    this.byHash.set(point.hash, entry)
    this.byName.set(changesetName(point), entry)
    this.labels.set(headName(point), label)
    this.labels.set(changesetName(point), label)
  }

  find(point: ChainPoint): BookEntry | null {
    return this.byHash.get(point.hash) ?? null
  }

  named(name: string): BookEntry | null {
    return this.byName.get(name) ?? null
  }

  /** A short word for the name of a head or a changeset. */
  label(name: string): string {
    return this.labels.get(name) ?? name
  }

  /** From version 1 to the head; `null` where a parent is none of ours. */
  chainOf(head: string): readonly BookEntry[] | null {
    const known = this.chains.get(head)
    if (known !== undefined) return known
    let point = parseHead(head.slice('version/'.length))
    const chain: BookEntry[] = []
    while (point !== null && point.version > 0) {
      const entry = this.byHash.get(point.hash)
      if (entry === undefined) return null
      chain.unshift(entry)
      point = { version: point.version - 1, hash: entry.changeset.header.parent }
    }
    this.chains.set(head, chain)
    return chain
  }
}

function editsOf({ operations }: Changeset): string[] {
  return operations.flatMap((operation) => {
    if (operation.kind === 'delete') return [`${operation.before.path} deleted`]
    if (operation.kind === 'conflict' || operation.kind === 'resolve') return [`${operation.kind}`]
    if (operation.kind !== 'put') return []
    const { before, after } = operation
    const created = before === null ? [`${after.path} created`] : []
    const moved = before?.path === undefined ? [] : [`${after.path} moved`]
    const old = before === null ? {} : (before.metadata ?? after.metadata)
    const fields = Object.keys({ ...old, ...after.metadata })
      .filter((field) => JSON.stringify(old[field]) !== JSON.stringify(after.metadata[field]))
      .map((field) => `${after.path} ${field}=${JSON.stringify(after.metadata[field] ?? null)}`)
    return [...created, ...moved, ...fields]
  })
}
