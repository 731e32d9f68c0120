/** What SQLite's errors mean for the caller; everything else passes through untouched. */
import BetterSqlite from 'better-sqlite3'
import { DavitError } from '../model/errors.ts'

export function classify(error: unknown): unknown {
  if (!(error instanceof BetterSqlite.SqliteError)) return error
  const message = `the local database could not be used: ${error.message}`
  const details = { sqlite: error.code }
  if (error.code.startsWith('SQLITE_FULL'))
    return new DavitError('disk-full', message, {
      action: 'retry',
      hint: 'Free space on the disk that holds the state folder.',
      details,
      cause: error,
    })
  if (error.code.startsWith('SQLITE_BUSY') || error.code.startsWith('SQLITE_LOCKED'))
    return new DavitError('state-locked', message, {
      action: 'retry',
      hint: 'Another program holds a transaction open on metadata.db; close it.',
      details,
      cause: error,
    })
  const isDamage = error.code.startsWith('SQLITE_CORRUPT') || error.code.startsWith('SQLITE_NOTADB')
  return new DavitError('internal', message, {
    action: isDamage ? 'ask' : 'give-up',
    ...(isDamage
      ? {
          hint: 'metadata.db is damaged. Keep a copy of it; then move it away and join the store again, or restore it from a backup.',
        }
      : {}),
    details,
    cause: error,
  })
}
