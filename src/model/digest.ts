/**
 * The digest of a state: the sum, modulo 2^256, of the SHA-256 of every entry. Adding and removing entries commutes,
 * so each changeset updates it in proportion to what it changes. Entries are the live files, the open conflicts and
 * the places of contents; tombstones are no entries.
 */
import { createHash } from 'node:crypto'
import type { ObjectName, StateDigest } from './changeset.ts'
import type { Conflict } from './conflict.ts'
import type { ContentHash, FileId, FileState } from './file-state.ts'
import { canonicalJson, type JsonValue } from './json.ts'

const modulus = 1n << 256n

/** The digest of the empty state. */
export const emptyDigest: StateDigest = '0'.repeat(64)

export type DigestEntry =
  | { readonly kind: 'file'; readonly id: FileId; readonly state: FileState }
  | { readonly kind: 'conflict'; readonly conflict: Conflict }
  | { readonly kind: 'content'; readonly hash: ContentHash; readonly size: number; readonly name: ObjectName }

/** SHA-256 of one entry's canonical JSON, as a number. */
export function entryHash(entry: DigestEntry): bigint {
  return BigInt(`0x${createHash('sha256').update(entryText(entry)).digest('hex')}`)
}

function entryText(entry: DigestEntry): string {
  switch (entry.kind) {
    case 'file': {
      const { path, kind, size, hash, executable, mtimeUs, metadata } = entry.state
      return canonicalJson(['file', entry.id, path, kind, size, hash, executable, mtimeUs, metadata])
    }
    case 'conflict': {
      const { id, fileId, kind, aspect, base, candidates } = entry.conflict
      const sides = candidates.map((side) => [side.instance, side.hash]).sort()
      return canonicalJson(['conflict', id, fileId, kind, aspect, base?.hash ?? null, sides as JsonValue])
    }
    case 'content':
      return canonicalJson(['content', entry.hash, entry.size, entry.name])
  }
}

/** The digest after entries came and went. */
export function changeDigest(
  digest: StateDigest,
  change: { readonly add: Iterable<DigestEntry>; readonly remove: Iterable<DigestEntry> },
): StateDigest {
  let sum = BigInt(`0x${digest}`)
  for (const entry of change.add) sum += entryHash(entry)
  for (const entry of change.remove) sum -= entryHash(entry)
  return (((sum % modulus) + modulus) % modulus).toString(16).padStart(64, '0')
}
