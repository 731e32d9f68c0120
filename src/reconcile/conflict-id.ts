/** The id of a conflict, derived so that every instance that meets the same conflict computes the same one. */
import { createHash } from 'node:crypto'
import type { ConflictAspect, ConflictId, ConflictKind } from '../model/conflict.ts'
import type { ContentHash, FileId, FilePath } from '../model/file-state.ts'
import { canonicalJson, type JsonValue } from '../model/json.ts'

/**
 * The first 32 hexadecimal characters of the SHA-256 of `[key, aspect, base]` as canonical JSON. The key is the file's
 * id; for two creations at one path it is the path, because their files had no common id. `base` is the hash of what
 * both sides started from.
 */
export function conflictId(of: {
  readonly fileId: FileId
  readonly path: FilePath
  readonly kind: ConflictKind
  readonly aspect: ConflictAspect
  readonly base: ContentHash | null
}): ConflictId {
  const key = of.kind === 'create' ? ['path', of.path] : ['file', of.fileId]
  return sha256(canonicalJson([key, of.aspect, of.base])).slice(0, 32)
}

/** What a conflict says of a metadata value: the hash and the length in bytes of its canonical JSON, and itself. */
export function valueContent(value: JsonValue): {
  readonly hash: ContentHash
  readonly size: number
  readonly value: JsonValue
} {
  const text = canonicalJson(value)
  return { hash: sha256(text), size: Buffer.byteLength(text), value }
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
