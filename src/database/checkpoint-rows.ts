/**
 * Rows of a checkpoint made into values, with nothing taken on trust: every column is asked for with its type and its
 * greatest length (a gigabyte in a path is never brought into memory), texts must be UTF-8, numbers in their bounds,
 * JSON without tricks. Paths are data here: whether one may touch a disk is decided where that would happen.
 */
import { z } from 'zod'
import type { ChainPoint } from '../model/changeset.ts'
import type { Conflict } from '../model/conflict.ts'
import { DavitError } from '../model/errors.ts'
import type { FileState, Metadata, RemoteFile } from '../model/file-state.ts'
import { isInstant } from '../model/instant.ts'
import { type JsonValue, unsafeJsonReason } from '../model/json.ts'
import { candidatesMax, metadataBytesMax, pathBytesMax } from '../model/limits.ts'
import type { ContentRow, FileVersion } from './database.ts'

const nameBytesMax = 255
const timeBytesMax = 64
/** A metadata field's name is part of its object. */
const aspectBytesMax = metadataBytesMax + 16
const candidatesBytesMax = candidatesMax * (metadataBytesMax + 2_048)

/** What SQLite hands over for a column: bytes of a text, a number, or the mark of a wrong type or length. */
type Cell = Buffer | number | string | null
export type Row = Readonly<Record<string, Cell>>

type Column = { readonly name: string; readonly textBytesMax?: number }

const integer = (name: string): Column => ({ name })
const text = (name: string, textBytesMax: number): Column => ({ name, textBytesMax })
const stateColumns = [
  text('path', pathBytesMax),
  text('kind', 6),
  integer('size'),
  text('hash', 64),
  integer('executable'),
  integer('mtime_us'),
  text('metadata', metadataBytesMax),
]

const tables = {
  meta: [
    integer('format'),
    text('replica_set', 128),
    integer('version'),
    text('hash', 64),
    text('digest', 64),
    integer('horizon'),
    integer('files'),
    integer('file_versions'),
    integer('contents'),
    integer('conflicts'),
  ],
  files: [
    text('id', 36),
    ...stateColumns,
    integer('version'),
    integer('deleted_version'),
    text('deleted_at', timeBytesMax),
  ],
  file_versions: [text('file_id', 36), integer('version'), integer('until_version'), ...stateColumns],
  contents: [text('hash', 64), integer('size'), text('name', nameBytesMax)],
  conflicts: [
    text('id', 32),
    text('file_id', 36),
    text('path', pathBytesMax),
    text('kind', 8),
    text('aspect', aspectBytesMax),
    text('base_hash', 64),
    integer('base_size'),
    text('base_value', metadataBytesMax),
    text('candidates', candidatesBytesMax),
    text('detected_at', timeBytesMax),
    integer('version'),
  ],
  chain: [integer('version'), text('hash', 64)],
} satisfies Record<string, readonly Column[]>

export type CheckpointTable = keyof typeof tables

const keys: Readonly<Record<CheckpointTable, string>> = {
  meta: 'id',
  files: 'id',
  file_versions: 'file_id, version',
  contents: 'hash',
  conflicts: 'id',
  chain: 'version',
}

/** A text that is too long comes as 0, any other wrong type as 'wrong': neither passes the checks below. */
export function selectRows(table: CheckpointTable): string {
  const columns = tables[table].map(({ name, textBytesMax }: Column) =>
    textBytesMax === undefined
      ? `CASE typeof(${name}) WHEN 'null' THEN NULL WHEN 'integer' THEN ${name} ELSE 'wrong' END AS ${name}`
      : `CASE typeof(${name}) WHEN 'null' THEN NULL
           WHEN 'text' THEN CASE WHEN octet_length(${name}) <= ${textBytesMax} THEN CAST(${name} AS BLOB) ELSE 0 END
           ELSE 'wrong' END AS ${name}`,
  )
  return `SELECT ${columns.join(', ')} FROM ${table} ORDER BY ${keys[table]}`
}

/** The error of everything that is not as it must be. */
export function damaged(detail: string, cause?: unknown): DavitError {
  return new DavitError('remote-damaged', `the checkpoint is damaged: ${detail}`, {
    action: 'ask',
    hint: 'Nothing of it was taken. Any instance that still has the state writes a new one in time.',
    ...(cause === undefined ? {} : { cause }),
  })
}

function isNull(row: Row, name: string): boolean {
  return row[name] === null
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

export function readText(row: Row, name: string): string {
  const cell = row[name]
  if (!Buffer.isBuffer(cell)) throw damaged(`${name} is missing, too long or no text`)
  try {
    return utf8.decode(cell)
  } catch (error) {
    throw damaged(`${name} is not UTF-8`, error)
  }
}

export function readNumber(row: Row, name: string, min = 0, max = Number.MAX_SAFE_INTEGER): number {
  const cell = row[name]
  if (typeof cell !== 'number' || !Number.isSafeInteger(cell) || cell < min || cell > max)
    throw damaged(`${name} is no whole number from ${min} to ${max}`)
  return cell
}

export function readHash(row: Row, name: string): string {
  return matching(row, name, /^[0-9a-f]{64}$/)
}

function readUuid(row: Row, name: string): string {
  return matching(row, name, /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/)
}

function matching(row: Row, name: string, pattern: RegExp): string {
  const value = readText(row, name)
  if (!pattern.test(value)) throw damaged(`${name} has not the form it must have`)
  return value
}

function oneOf<T extends string>(row: Row, name: string, values: readonly T[]): T {
  const value = values.find((candidate) => candidate === readText(row, name))
  if (value === undefined) throw damaged(`${name} is none of ${values.join(', ')}`)
  return value
}

function readPath(row: Row): string {
  const path = readText(row, 'path')
  if (path === '') throw damaged('a path is empty')
  if (path.includes('\0')) throw damaged('a path contains a NUL character')
  return path
}

function readTime(row: Row, name: string): string {
  const value = readText(row, name)
  if (!isInstant(value)) throw damaged(`${name} is no time in UTC`)
  return value
}

/** Plain JSON by the rules of a changeset, which has to carry it again; there it stands as deep as `depth` in a line. */
function readJson(row: Row, name: string, depth: number): JsonValue {
  const source = readText(row, name)
  let value: JsonValue
  try {
    value = JSON.parse(source) as JsonValue
  } catch (error) {
    throw damaged(`${name} is not JSON`, error)
  }
  const unsafe = unsafeJsonReason(value, depth)
  if (unsafe !== null) throw damaged(`${name}: ${unsafe}`)
  return value
}

function readMetadata(row: Row): Metadata {
  const value = readJson(row, 'metadata', 2)
  if (value === null || typeof value !== 'object' || Array.isArray(value))
    throw damaged('metadata is no object')
  if (Object.values(value).includes(null)) throw damaged('a metadata field says null')
  return value as Metadata
}

function readState(row: Row): FileState {
  const kind = oneOf(row, 'kind', ['file', 'folder'])
  if (kind === 'folder') for (const name of ['size', 'executable', 'mtime_us']) readNumber(row, name, 0, 0)
  if ((kind === 'folder') !== isNull(row, 'hash')) throw damaged('a file has no hash, or a folder has one')
  return {
    path: readPath(row),
    kind,
    size: readNumber(row, 'size'),
    hash: kind === 'folder' ? null : readHash(row, 'hash'),
    executable: readNumber(row, 'executable', 0, 1) === 1,
    mtimeUs: readNumber(row, 'mtime_us', Number.MIN_SAFE_INTEGER),
    metadata: readMetadata(row),
  }
}

export function readRemoteFile(row: Row, point: ChainPoint): RemoteFile {
  const isLive = isNull(row, 'deleted_version')
  if (isLive !== isNull(row, 'deleted_at')) throw damaged('a deletion lacks its version or its time')
  return {
    id: readUuid(row, 'id'),
    state: readState(row),
    version: readNumber(row, 'version', 0, point.version),
    deletedVersion: isLive ? null : readNumber(row, 'deleted_version', 1, point.version),
    deletedAt: isLive ? null : readTime(row, 'deleted_at'),
  }
}

export function readFileVersion(row: Row, point: ChainPoint): FileVersion {
  const untilVersion = readNumber(row, 'until_version', 0, point.version)
  return {
    fileId: readUuid(row, 'file_id'),
    version: readNumber(row, 'version', 0, untilVersion),
    untilVersion,
    state: readState(row),
  }
}

export function readContent(row: Row): ContentRow {
  return {
    hash: readHash(row, 'hash'),
    size: readNumber(row, 'size'),
    // Segments of lower-case ASCII, none beginning with a dot: it will be part of a URL.
    name: matching(row, 'name', /^[a-z0-9][a-z0-9._-]*(\/[a-z0-9][a-z0-9._-]*)*$/),
  }
}

const hashText = z.string().regex(/^[0-9a-f]{64}$/)
const candidatesShape = z
  .array(
    z.strictObject({
      instance: z.string().regex(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/),
      name: z.string().max(512),
      hash: hashText,
      size: z.int().min(0),
      value: z.json().optional(),
      at: z.string().refine(isInstant),
    }),
  )
  .min(1)
  .max(candidatesMax)
  .refine((list) => new Set(list.map((candidate) => candidate.instance)).size === list.length)

export function readConflict(row: Row, point: ChainPoint): Conflict {
  const aspect = matching(row, 'aspect', /^(content$|metadata\.(?!__proto__$).)/s) as Conflict['aspect']
  const candidates = candidatesShape.safeParse(readJson(row, 'candidates', 2))
  if (!candidates.success) throw damaged('the candidates of a conflict are malformed', candidates.error)
  if (isNull(row, 'base_hash') !== isNull(row, 'base_size'))
    throw damaged('the base of a conflict lacks its hash or its size')
  return {
    id: matching(row, 'id', /^[0-9a-f]{32}$/),
    fileId: readUuid(row, 'file_id'),
    path: readPath(row),
    kind: oneOf(row, 'kind', ['edit', 'create', 'metadata']),
    aspect,
    base: isNull(row, 'base_hash')
      ? null
      : {
          hash: readHash(row, 'base_hash'),
          size: readNumber(row, 'base_size'),
          ...(isNull(row, 'base_value') ? {} : { value: readJson(row, 'base_value', 3) }),
        },
    candidates: candidates.data as Conflict['candidates'],
    detectedAt: readTime(row, 'detected_at'),
    version: readNumber(row, 'version', 0, point.version),
  }
}
