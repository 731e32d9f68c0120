/**
 * Writes the remote side of the local database as a checkpoint: one read transaction, into a fresh file, copied by
 * SQLite itself in the order of the keys (so that the file is as compact as after a VACUUM), then read back through
 * the same suspicious reader that every other instance uses. What others would refuse is never published.
 */
import { rmSync } from 'node:fs'
import BetterSqlite, { type Database as Connection } from 'better-sqlite3'
import { DavitError, isDavitError } from '../model/errors.ts'
import { checkpointApplicationId, checkpointFormat, checkpointStatements } from './checkpoint-schema.ts'
import type { Chain } from './database.ts'
import { readCheckpointToTheEnd } from './read-checkpoint.ts'
import { classify } from './sqlite-error.ts'
import type { Store } from './store.ts'

/** What is there is replaced; after an error nothing is left behind. */
export function writeCheckpoint(store: Store, chain: Chain, file: string): void {
  const point = chain.point()
  if (store.transactions.isOpen) throw refusal('a checkpoint cannot be written within a transaction')
  if (point === null || point.version === 0 || chain.replicaSet() === null)
    throw refusal('there is no state to write a checkpoint of')
  rmSync(file, { force: true })
  try {
    create(file)
    fill(store.connection, file)
    readCheckpointToTheEnd(file)
  } catch (error) {
    rmSync(file, { force: true })
    if (isDavitError(error, 'remote-damaged'))
      throw new DavitError('internal', `the checkpoint just written is not sound: ${error.message}`, {
        action: 'give-up',
        hint: 'Run davit verify.',
        cause: error,
      })
    throw classify(error)
  }
}

function create(file: string): void {
  const checkpoint = new BetterSqlite(file)
  try {
    checkpoint.pragma('page_size = 4096')
    // As below: nothing of a file that is not complete needs to survive, so nothing is synchronised either.
    checkpoint.pragma('synchronous = OFF')
    checkpoint.pragma('journal_mode = MEMORY')
    checkpoint.pragma(`application_id = ${checkpointApplicationId}`)
    checkpoint.pragma(`user_version = ${checkpointFormat}`)
    for (const statement of checkpointStatements) checkpoint.exec(statement.sql)
  } finally {
    checkpoint.close()
  }
}

const uuidText = (column: string) => {
  const part = (from: number, length: number) => `substr(hex(${column}), ${from}, ${length})`
  const parts = [part(1, 8), part(9, 4), part(13, 4), part(17, 4), part(21, 12)]
  return `lower(${parts.join(` || '-' || `)})`
}
/** hex() of NULL is '', which is no hash. */
const hexText = (column: string) => `CASE WHEN ${column} IS NOT NULL THEN lower(hex(${column})) END`
const stateTexts = `path, CASE folder WHEN 1 THEN 'folder' ELSE 'file' END, size, ${hexText('hash')}, executable,
  mtime_us, coalesce(metadata, '{}')`

/** Text forms sort as the bytes do, so ORDER BY the key is the order of the target, too. */
const copies = [
  `INSERT INTO checkpoint.files
     SELECT ${uuidText('id')}, ${stateTexts}, version, deleted_version, deleted_at
     FROM main.remote_files ORDER BY id`,
  `INSERT INTO checkpoint.file_versions
     SELECT ${uuidText('file_id')}, version, until_version, ${stateTexts}
     FROM main.file_versions ORDER BY file_id, version`,
  `INSERT INTO checkpoint.contents SELECT ${hexText('hash')}, size, name FROM main.contents ORDER BY hash`,
  `INSERT INTO checkpoint.conflicts
     SELECT ${hexText('id')}, ${uuidText('file_id')}, path, kind, aspect, ${hexText('base_hash')}, base_size,
       base_value, candidates, detected_at, version
     FROM main.conflicts WHERE strategy IS NULL ORDER BY id`,
  `INSERT INTO checkpoint.chain SELECT version, ${hexText('hash')} FROM main.journal ORDER BY version`,
  `INSERT INTO checkpoint.meta
     SELECT 1, ${checkpointFormat}, replica_set, version, ${hexText('hash')}, ${hexText('digest')},
       (SELECT min(version) FROM checkpoint.chain), (SELECT count(*) FROM checkpoint.files),
       (SELECT count(*) FROM checkpoint.file_versions), (SELECT count(*) FROM checkpoint.contents),
       (SELECT count(*) FROM checkpoint.conflicts)
     FROM main.head`,
]

function fill(connection: Connection, file: string): void {
  connection.prepare('ATTACH ? AS checkpoint').run(file)
  try {
    // A file that is not complete is thrown away, so nothing in it needs to survive a crash.
    connection.pragma('checkpoint.synchronous = OFF')
    connection.pragma('checkpoint.journal_mode = MEMORY')
    connection.transaction(() => {
      for (const copy of copies) connection.prepare(copy).run()
    })()
  } finally {
    connection.exec('DETACH checkpoint')
  }
}

function refusal(message: string): DavitError {
  return new DavitError('internal', message, { action: 'give-up' })
}
