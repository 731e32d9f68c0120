/**
 * Opens `metadata.db`: checks that it is ours and not newer, sets the pragmas, brings it up to the newest migration.
 * A file that is not understood is refused and left exactly as it is: never deleted, emptied or made anew.
 */
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import BetterSqlite, { type Database as Connection } from 'better-sqlite3'
import { type BetterSQLite3Database, drizzle } from 'drizzle-orm/better-sqlite3'
import { migrate } from 'drizzle-orm/better-sqlite3/migrator'
import { DavitError } from '../model/errors.ts'
import * as schema from './schema/index.ts'
import { classify } from './sqlite-error.ts'

export type Orm = BetterSQLite3Database<typeof schema>

/** 'Davt', as the first migration writes it. */
const applicationId = 0x44617674
/** Before it, a WAL that is reset while another connection writes can be lost. */
const oldestSqlite = '3.51.3'
/** How long a write waits for another program that holds the database, in milliseconds. */
const busyTimeoutMs = 5_000
/** What a WAL that has grown in a large import is cut back to, in bytes. */
const journalBytesMax = 16 * 1024 * 1024

/** Where drizzle notes which migrations were made. */
const migrationsTable = '__drizzle_migrations'

/** `migrations/` lies beside `src/` and beside `dist/`: the package's root is two folders above this one. */
const packagedMigrations = join(dirname(fileURLToPath(import.meta.url)), '..', '..', 'migrations')

export function connect(options: {
  readonly file: string
  readonly image?: Uint8Array
  readonly migrationsFolder?: string
}): {
  readonly connection: Connection
  readonly orm: Orm
} {
  const migrationsFolder = options.migrationsFolder ?? packagedMigrations
  let connection: Connection | null = null
  try {
    const opened = options.image === undefined ? options.file : imageOf(options.image)
    connection = new BetterSqlite(opened, { timeout: busyTimeoutMs })
    requireSqlite(connection.prepare<[], string>('SELECT sqlite_version()').pluck().get() ?? '')
    const newest = countMigrations(migrationsFolder)
    const version = requireOurs(connection, options.file, newest)
    setPragmas(connection)
    const orm = drizzle(connection, { schema })
    // One transaction: a crash in the middle leaves the former version, whole. Each migration says at its end, in the
    // same transaction, that it was made.
    if (version < newest) migrate(orm, { migrationsFolder, migrationsTable })
    return { connection, orm }
  } catch (error) {
    connection?.close()
    throw describe(error, options.file)
  }
}

/** A file in WAL mode says so in its header (the bytes 18 and 19), and in memory there is none. */
function imageOf(bytes: Uint8Array): Buffer {
  const image = Buffer.from(bytes)
  return image.fill(1, 18, 20)
}

/** Throws unless the SQLite library is new enough. */
export function requireSqlite(version: string): void {
  const [found, needed] = [version, oldestSqlite].map((text) => text.split('.').map(Number))
  for (const [index, part] of (needed ?? []).entries()) {
    const own = found?.[index] ?? 0
    if (own > part) return
    if (own < part)
      throw new DavitError(
        'internal',
        `SQLite ${version} can lose data; ${oldestSqlite} or newer is needed`,
        {
          action: 'give-up',
          hint: 'Install better-sqlite3 anew (npm install).',
        },
      )
  }
}

/**
 * Reads only. A file without a table is a new database, and so is one that has drizzle's own table with nothing in it,
 * which is made before the transaction of the migrations: that is what a crash at the creation leaves. Answers with the
 * migration that the file has come to.
 */
function requireOurs(connection: Connection, file: string, newestMigration: number): number {
  const id = connection.pragma('application_id', { simple: true })
  const version = Number(connection.pragma('user_version', { simple: true }))
  const isNew = id === 0 && version === 0 && isEmpty(connection)
  if (id !== applicationId && !isNew)
    throw new DavitError('internal', `${file} is a database of another program`, {
      action: 'ask',
      hint: 'Davit leaves it as it is. Name another state folder, or move the file away.',
    })
  if (version > newestMigration)
    throw new DavitError('state-newer', `${file} was written by a newer Davit (schema ${version})`, {
      action: 'ask',
      hint: `This Davit knows schema ${newestMigration}. Install the newer one again; nothing was changed.`,
      details: { found: version, known: newestMigration },
    })
  return version
}

function isEmpty(connection: Connection): boolean {
  const count = (sql: string) => connection.prepare<[], number>(`SELECT count(*) FROM ${sql}`).pluck().get()
  if (count(`sqlite_schema WHERE tbl_name <> '${migrationsTable}'`) !== 0) return false
  return count('sqlite_schema') === 0 || count(migrationsTable) === 0
}

function countMigrations(folder: string): number {
  const file = join(folder, 'meta', '_journal.json')
  if (!existsSync(file))
    throw new DavitError('internal', `the migrations are missing: ${file}`, {
      action: 'give-up',
      hint: 'Install Davit again.',
    })
  return (JSON.parse(readFileSync(file, 'utf8')) as { entries: unknown[] }).entries.length
}

function setPragmas(connection: Connection): void {
  const set = (pragma: string) => connection.pragma(pragma)
  // Readers (people, other programs, records in SQL) never wait for the writer, nor it for them.
  set('journal_mode = WAL')
  // ORDER: an attempt must be on the disk before the rename that decides it, `synced` before what relies on it.
  // better-sqlite3's default for a WAL is NORMAL, which may lose the last transactions in a power cut: the index
  // would go back in time behind what the store and the workspace already hold.
  set('synchronous = FULL')
  // macOS: a plain fsync does not reach the platter.
  set('fullfsync = ON')
  set('checkpoint_fullfsync = ON')
  set(`journal_size_limit = ${journalBytesMax}`)
  // Views and triggers of other programs in this file call no function with side effects.
  set('trusted_schema = OFF')
  // A damaged page is an error at the first touch, not nonsense; and no page is read by a mapping, where an
  // I/O error would be a signal that kills the process.
  set('cell_size_check = ON')
  set('mmap_size = 0')
  set('foreign_keys = ON')
}

function describe(error: unknown, file: string): unknown {
  if (error instanceof BetterSqlite.SqliteError && error.code === 'SQLITE_NOTADB')
    return new DavitError('internal', `${file} is not an SQLite database`, {
      action: 'ask',
      hint: 'It was left as it is. Restore it from a backup, or move it away and join the store again.',
      cause: error,
    })
  return classify(error)
}
