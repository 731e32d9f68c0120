/**
 * The local `metadata.db` on better-sqlite3: composes the parts into the port. Read in this order: connection,
 * transaction, dirty-set, trees, chain, conflicts; the rest is small.
 */
import { statSync } from 'node:fs'
import type { Database as Connection } from 'better-sqlite3'
import { DavitError } from '../model/errors.ts'
import type { InstanceId } from '../model/file-state.ts'
import { chainOn } from './chain.ts'
import { writeCheckpoint } from './checkpoint-file.ts'
import { conflictsOn, openConflictsOn } from './conflicts.ts'
import { connect, type Orm } from './connection.ts'
import { contentsOn, historyOn } from './contents.ts'
import { readCounters } from './counters.ts'
import type { Database } from './database.ts'
import { dirtySetOn } from './dirty-set.ts'
import { eventsOn } from './events.ts'
import { arrivingFilesOn, problemsOn, pulledFilesOn, settingsOn } from './notes.ts'
import { openCheckpoint } from './read-checkpoint.ts'
import { closeInterruptedRuns, runsOn } from './runs.ts'
import { transactionsOn } from './transaction.ts'
import { treesOn } from './trees.ts'
import { verifyDatabase } from './verify.ts'

export interface OpenDatabaseOptions {
  /** Absolute path of the file, made when it is missing (its folder is not); `:memory:` for a private one. */
  readonly file: string
  /** With `:memory:` only: what it begins as, the bytes of a database's file that was closed. They are copied. */
  readonly image?: Uint8Array
  /** Default: `migrations/` of this package. */
  readonly migrationsFolder?: string
  /** This instance's id. Asked with each write to a tree, since it is known only after the settings were read. */
  readonly instance: () => InstanceId
}

/**
 * Opens the database and brings it up to the newest migration. Runs that a crash left open are closed.
 * Throws `state-newer` for a file that a newer Davit wrote, `internal` for one that is no database of ours or is
 * damaged; such a file is left as it is.
 */
export function openDatabase(options: OpenDatabaseOptions): Database {
  const { connection, orm } = connect(options)
  try {
    return compose(connection, orm, options)
  } catch (error) {
    connection.close()
    throw error
  }
}

function compose(connection: Connection, orm: Orm, options: OpenDatabaseOptions): Database {
  const counters = readCounters(connection)
  const transactions = transactionsOn(connection, counters)
  const store = { connection, orm, counters, transactions }

  const openConflictsOf = openConflictsOn(store)
  const dirtySet = dirtySetOn(store, openConflictsOf, options.instance)
  const conflicts = conflictsOn(store, openConflictsOf, dirtySet.refresh)
  const chain = chainOn(store)
  closeInterruptedRuns(store)

  return {
    trees: treesOn(store, dirtySet),
    contents: contentsOn(store),
    history: historyOn(store),
    conflicts,
    chain,
    runs: runsOn(store),
    events: eventsOn(store),
    settings: settingsOn(store),
    problems: problemsOn(store),
    pulled: pulledFilesOn(store),
    arriving: arrivingFilesOn(store),

    transaction: transactions.run,
    makeDurable() {
      if (transactions.isOpen)
        throw new DavitError('internal', 'a transaction under way cannot be made durable', {
          action: 'give-up',
        })
      // With synchronous FULL every commit has synchronised the WAL already. This moves it into the file itself and
      // synchronises that; a reader of another program may keep a rest in the WAL, which is as durable.
      connection.pragma('wal_checkpoint(TRUNCATE)')
    },
    sizeBytes() {
      if (connection.memory) {
        const pages = Number(connection.pragma('page_count', { simple: true }))
        return pages * Number(connection.pragma('page_size', { simple: true }))
      }
      return sizeOf(options.file) + sizeOf(`${options.file}-wal`)
    },
    writeCheckpoint: (file) => writeCheckpoint(store, chain, file),
    openCheckpoint,
    verify: () => verifyDatabase(store, { dirtySet, conflicts, chain }),
    close() {
      connection.close()
    },
  }
}

function sizeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0
}
