/**
 * How values stand in SQLite: ids and hashes as bytes, JSON as text, an empty object as NULL. Half the size of the
 * texts, which is what an index of a million files is measured by. Encoding is strict: what is not exactly an id or a
 * hash never gets into the database in a form that could be read back as another one.
 */
import { customType } from 'drizzle-orm/sqlite-core'
import { DavitError } from '../model/errors.ts'
import type { Metadata } from '../model/file-state.ts'
import type { JsonValue } from '../model/json.ts'

const uuidPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/
const hashPattern = /^[0-9a-f]{64}$/
const conflictIdPattern = /^[0-9a-f]{32}$/

export function encodeUuid(id: string): Buffer {
  if (!uuidPattern.test(id)) throw invalid('an id', id)
  return Buffer.from(id.replaceAll('-', ''), 'hex')
}

export function decodeUuid(bytes: Buffer): string {
  const hex = bytes.toString('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}

export function encodeHash(hash: string): Buffer {
  if (!hashPattern.test(hash)) throw invalid('a hash', hash)
  return Buffer.from(hash, 'hex')
}

export function decodeHash(bytes: Buffer): string {
  return bytes.toString('hex')
}

/** Paths are stored as UTF-8: a lone surrogate would come back as another path, so it is refused. */
export function encodePath(path: string): string {
  if (!path.isWellFormed()) throw invalid('a path', path)
  return path
}

export function encodeMetadata(metadata: Metadata): string | null {
  for (const _ in metadata) return JSON.stringify(metadata)
  return null
}

export function decodeMetadata(text: string | null): Metadata {
  return text === null ? {} : (JSON.parse(text) as Metadata)
}

function invalid(what: string, value: string): DavitError {
  return new DavitError('internal', `${JSON.stringify(value)} is not ${what}`, { action: 'give-up' })
}

/** A UUID as 16 bytes. */
export const uuidColumn = customType<{ data: string; driverData: Buffer }>({
  dataType: () => 'blob',
  toDriver: encodeUuid,
  fromDriver: decodeUuid,
})

/** A SHA-256 or digest as 32 bytes. */
export const hashColumn = customType<{ data: string; driverData: Buffer }>({
  dataType: () => 'blob',
  toDriver: encodeHash,
  fromDriver: decodeHash,
})

export function encodeConflictId(id: string): Buffer {
  if (!conflictIdPattern.test(id)) throw invalid('the id of a conflict', id)
  return Buffer.from(id, 'hex')
}

/** A conflict's id as 16 bytes. */
export const conflictIdColumn = customType<{ data: string; driverData: Buffer }>({
  dataType: () => 'blob',
  toDriver: encodeConflictId,
  fromDriver: (bytes) => bytes.toString('hex'),
})

/** Bytes as they are. */
export const bytesColumn = customType<{ data: Uint8Array; driverData: Buffer }>({
  dataType: () => 'blob',
  toDriver: (bytes) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength),
})

/** A path as UTF-8 text. SQLite's BINARY collation orders it by bytes, as `comparePaths` does. */
export const pathColumn = customType<{ data: string; driverData: string }>({
  dataType: () => 'text',
  toDriver: encodePath,
})

/** JSON as text. SQL NULL and JSON `null` are two things. */
export const jsonColumn = customType<{ data: JsonValue; driverData: string }>({
  dataType: () => 'text',
  toDriver: (value) => JSON.stringify(value),
  fromDriver: (text) => JSON.parse(text) as JsonValue,
})
