/** What `metadata.db` says of itself, read beside whoever works with it; nothing is locked, migrated or written. */
import BetterSqlite from 'better-sqlite3'
import { classify } from './sqlite-error.ts'

export interface IndexSummary {
  /** Live files of the workspace, and of the store as this instance knows it. */
  readonly localFiles: number
  readonly remoteFiles: number
  /** `null` until a store was joined. */
  readonly version: number | null
  /** Forks of the store that this instance met: events that are still kept, and the time of the last one. */
  readonly forks: number
  readonly lastForkAt: string | null
  /** SQLite's own quick check: `ok`, or what is wrong. */
  readonly check: string
  /** The library's version. */
  readonly sqlite: string
}

/** Rejects by throwing what SQLite meets, as `DavitError`s; the file is left as it is. */
export function readIndexSummary(file: string): IndexSummary {
  let connection: BetterSqlite.Database | null = null
  try {
    connection = new BetterSqlite(file, { readonly: true, fileMustExist: true, timeout: 5_000 })
    connection.pragma('trusted_schema = OFF')
    const number = (sql: string) => connection?.prepare<[], number | null>(sql).pluck().get() ?? null
    const text = (sql: string) => connection?.prepare<[], string | null>(sql).pluck().get() ?? null
    const ofForks = "FROM events WHERE type = 'remote.fork'"
    return {
      check: text('PRAGMA quick_check(1)') ?? 'no answer',
      sqlite: text('SELECT sqlite_version()') ?? '',
      localFiles:
        number('SELECT count(*) FROM local_files WHERE stamp_size IS NOT NULL AND presence <> 2') ?? 0,
      remoteFiles: number('SELECT count(*) FROM remote_files WHERE deleted_version IS NULL') ?? 0,
      version: number('SELECT version FROM head WHERE id = 1'),
      forks: number(`SELECT count(*) ${ofForks}`) ?? 0,
      lastForkAt: text(`SELECT max(at) ${ofForks}`),
    }
  } catch (error) {
    throw classify(error)
  } finally {
    connection?.close()
  }
}
