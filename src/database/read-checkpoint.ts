/**
 * Opens a downloaded checkpoint as the hostile file that it is: read-only, with everything in SQLite switched off
 * that would let a file do more than hold rows; its header, its schema and its b-trees are checked before a row is
 * read, and each row before it is handed out. Never attached to the live database.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import BetterSqlite, { type Database as Connection } from 'better-sqlite3'
import type { ChainPoint } from '../model/changeset.ts'
import type { DigestEntry } from '../model/digest.ts'
import { isDavitError } from '../model/errors.ts'
import { checkpointBytesMax } from '../model/limits.ts'
import {
  type CheckpointTable,
  damaged,
  type Row,
  readConflict,
  readContent,
  readFileVersion,
  readHash,
  readNumber,
  readRemoteFile,
  readText,
  selectRows,
} from './checkpoint-rows.ts'
import { checkpointApplicationId, checkpointFormat, checkpointStatements } from './checkpoint-schema.ts'
import type { CheckpointReader } from './database.ts'
import { DigestSum } from './digest-sum.ts'

/**
 * Throws `remote-damaged` with what is wrong. What each row says is checked as it is read, so the iterables throw it,
 * too; the digest is compared when the last of files, contents and conflicts has been read to its end. Who copies a
 * checkpoint therefore does so in one transaction. The size and hash of the file are to be checked before.
 */
export function openCheckpoint(file: string): CheckpointReader {
  checkHeader(file)
  const connection = guarded(() => new BetterSqlite(file, { readonly: true, fileMustExist: true }))
  try {
    return guarded(() => {
      restrict(connection)
      // ORDER: the schema first. Checking the b-trees of a foreign schema could run what it defines.
      checkSchema(connection)
      checkIntegrity(connection)
      return reader(connection)
    })
  } catch (error) {
    connection.close()
    throw error
  }
}

/** Reads all there is and throws at the first thing that is wrong. */
export function readCheckpointToTheEnd(file: string): void {
  const checkpoint = openCheckpoint(file)
  try {
    const parts = [
      checkpoint.files(),
      checkpoint.versions(),
      checkpoint.contents(),
      checkpoint.conflicts(),
      checkpoint.chain(),
    ]
    for (const part of parts) for (const _ of part);
  } finally {
    checkpoint.close()
  }
}

const headerBytes = 100

/** The file's first bytes, without SQLite: https://www.sqlite.org/fileformat2.html#the_database_header */
function checkHeader(file: string): void {
  const descriptor = openSync(file, 'r')
  try {
    const { size } = fstatSync(descriptor)
    const header = Buffer.alloc(headerBytes)
    // A file of no bytes is a valid database to SQLite, and passes its integrity check.
    if (size > checkpointBytesMax || readSync(descriptor, header, 0, headerBytes, 0) < headerBytes)
      throw damaged('it is empty, cut off or too large')
    if (header.toString('latin1', 0, 16) !== 'SQLite format 3\0')
      throw damaged('it is not an SQLite database')
    // Opening one in WAL mode would write beside it.
    if (header[18] !== 1 || header[19] !== 1) throw damaged('it is in WAL mode')
    const pageSize = header.readUInt16BE(16) === 1 ? 65_536 : header.readUInt16BE(16)
    // A file short of its last pages still answers a count.
    if (pageSize * header.readUInt32BE(28) !== size) throw damaged('its length is not what it says')
    if (header.readUInt32BE(56) !== 1) throw damaged('its texts are not UTF-8')
    if (header.readUInt32BE(68) !== checkpointApplicationId) throw damaged('it is no checkpoint of Davit')
    if (header.readUInt32BE(60) !== checkpointFormat) throw damaged('it has another format')
  } finally {
    closeSync(descriptor)
  }
}

function restrict(connection: Connection): void {
  connection.pragma('trusted_schema = OFF')
  connection.pragma('cell_size_check = ON')
  connection.pragma('mmap_size = 0')
  connection.pragma('query_only = ON')
}

function checkSchema(connection: Connection): void {
  const found = connection
    .prepare<[], { type: string; name: string; tbl_name: string; sql: string | null }>(
      // However long and many they are, no more than this is brought into memory.
      `SELECT substr(type, 1, 100) AS type, substr(name, 1, 100) AS name, substr(tbl_name, 1, 100) AS tbl_name,
         substr(sql, 1, 10000) AS sql FROM sqlite_schema LIMIT ${checkpointStatements.length + 1}`,
    )
    .all()
  const text = (rows: readonly (readonly (string | null)[])[]) => JSON.stringify([...rows].sort())
  const expected = checkpointStatements.map(({ type, name, table, sql }) => [type, name, table, sql])
  if (text(found.map((row) => [row.type, row.name, row.tbl_name, row.sql])) !== text(expected))
    throw damaged('its tables are not those of a checkpoint')
}

function checkIntegrity(connection: Connection): void {
  const [first] = connection.pragma('integrity_check(1)') as { integrity_check: string }[]
  if (first?.integrity_check !== 'ok') throw damaged(first?.integrity_check ?? 'its integrity is unknown')
}

function reader(connection: Connection): CheckpointReader {
  const { meta, counts } = readMeta(connection)
  const { point } = meta
  /** The digests of what was read to its end. */
  const sums = new Map<CheckpointTable, DigestSum>()

  /** All rows of a table, checked, in ascending order, as many as `meta` says. */
  function* rows<T>(
    table: Exclude<CheckpointTable, 'meta'>,
    read: (row: Row, point: ChainPoint) => T,
    keyOf: (value: T) => string | number,
    entryOf: (value: T) => DigestEntry | null,
  ): Generator<T> {
    const sum = new DigestSum()
    const iterator = guarded(() => connection.prepare<[], Row>(selectRows(table)).iterate())
    let count = 0
    let last: string | number | null = null
    try {
      for (;;) {
        const value = guarded(() => {
          const next = iterator.next()
          return next.done === true ? null : { value: read(next.value, point) }
        })
        if (value === null) break
        const key = keyOf(value.value)
        if (last !== null && key <= last) throw damaged(`the rows of ${table} are not in order`)
        last = key
        count += 1
        const entry = entryOf(value.value)
        if (entry !== null) sum.add(entry)
        yield value.value
      }
    } finally {
      iterator.return?.()
    }
    if (count !== counts[table]) throw damaged(`${table} has ${count} rows, not ${counts[table]}`)
    sums.set(table, sum)
    compareDigest()
  }

  function compareDigest(): void {
    const parts = (['files', 'contents', 'conflicts'] as const).map((table) => sums.get(table))
    if (parts.some((part) => part === undefined)) return
    const total = DigestSum.of(parts.filter((part) => part !== undefined))
    if (total.toString() !== meta.digest) throw damaged('its rows are not the state that its digest names')
  }

  return {
    meta,
    files: () =>
      rows(
        'files',
        readRemoteFile,
        (file) => file.id,
        ({ id, state, deletedVersion }) => (deletedVersion === null ? { kind: 'file', id, state } : null),
      ),
    versions: () =>
      rows(
        'file_versions',
        readFileVersion,
        (version) => `${version.fileId} ${String(version.version).padStart(16, '0')}`,
        () => null,
      ),
    contents: () =>
      rows(
        'contents',
        readContent,
        (content) => content.hash,
        (content) => ({ kind: 'content', ...content }),
      ),
    conflicts: () =>
      rows(
        'conflicts',
        readConflict,
        (conflict) => conflict.id,
        (conflict) => ({ kind: 'conflict', conflict }),
      ),
    *chain() {
      let next = meta.horizon
      for (const known of rows(
        'chain',
        readPoint,
        ({ version }) => version,
        () => null,
      )) {
        if (known.version !== next) throw damaged(`its chain has a gap at version ${next}`)
        if (known.version === point.version && known.hash !== point.hash)
          throw damaged('its chain does not end at its head')
        next += 1
        yield known
      }
    },
    close() {
      connection.close()
    },
  }
}

function readPoint(row: Row, point: ChainPoint): ChainPoint {
  return { version: readNumber(row, 'version', 1, point.version), hash: readHash(row, 'hash') }
}

type Counts = Readonly<Record<Exclude<CheckpointTable, 'meta'>, number>>

function readMeta(connection: Connection): {
  readonly meta: CheckpointReader['meta']
  readonly counts: Counts
} {
  const found = connection.prepare<[], Row>(selectRows('meta')).all()
  const [row] = found
  if (row === undefined || found.length !== 1) throw damaged('it does not say what it is')
  readNumber(row, 'format', checkpointFormat, checkpointFormat)
  const version = readNumber(row, 'version', 1)
  const horizon = readNumber(row, 'horizon', 1, version)
  const replicaSet = readText(row, 'replica_set')
  if (!/^[0-9a-z-]{1,128}$/.test(replicaSet)) throw damaged('its replica set has no proper name')
  return {
    meta: {
      format: checkpointFormat,
      replicaSet,
      point: { version, hash: readHash(row, 'hash') },
      digest: readHash(row, 'digest'),
      horizon,
    },
    counts: {
      files: readNumber(row, 'files'),
      file_versions: readNumber(row, 'file_versions'),
      contents: readNumber(row, 'contents'),
      conflicts: readNumber(row, 'conflicts'),
      // From the horizon to the head without a gap.
      chain: version - horizon + 1,
    },
  }
}

/** Whatever SQLite or a check says about such a file, it says that the file is damaged. */
function guarded<T>(work: () => T): T {
  try {
    return work()
  } catch (error) {
    if (isDavitError(error)) throw error
    throw damaged(error instanceof Error ? error.message : String(error), error)
  }
}
