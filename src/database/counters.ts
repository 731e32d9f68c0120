/** Counts kept in memory and adjusted with each write, so that asking for them costs nothing. */
import type { Database as Connection } from 'better-sqlite3'

export interface Counters {
  pending: number
  minor: number
  remoteFiles: number
  localFiles: number
  openConflicts: number
  problems: number
}

/** Counts the rows: once when the database is opened, and by `verify`. */
export function readCounters(connection: Connection): Counters {
  const count = (table: string, where: string): number =>
    connection.prepare<[], number>(`SELECT count(*) FROM ${table} WHERE ${where}`).pluck().get() ?? 0
  return {
    pending: count('dirty', 'minor = 0'),
    minor: count('dirty', 'minor = 1'),
    remoteFiles: count('remote_files', 'deleted_version IS NULL'),
    localFiles: count('local_files', `stamp_size IS NOT NULL AND presence <> 2`),
    openConflicts: count('conflicts', 'strategy IS NULL'),
    problems: count('problems', 'true'),
  }
}
