/**
 * What of a writer outlives its process: its `metadata.db`, byte for byte, and its workspace. Each is kept once: two
 * are the same when every row that can influence a later run is, and the folders are.
 */
import { createHash } from 'node:crypto'
import { copyFileSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import BetterSqlite, { type Database as Connection } from 'better-sqlite3'
import type { Database } from '../../src/database/database.ts'
import { openDatabase } from '../../src/database/open-database.ts'
import type { ChainPoint } from '../../src/model/changeset.ts'
import type { FilePath } from '../../src/model/file-state.ts'

export interface DurableState {
  readonly id: number
  /** Of rows and folders. */
  readonly key: string
  /** `null`: there is no state folder. */
  readonly image: Uint8Array | null
  readonly folders: readonly FilePath[]
  readonly point: ChainPoint | null
  readonly attempts: number
  readonly pending: number
}

/** A database under the hands of a process, watched from outside as a power cut would find it. */
export interface WatchedDatabase {
  readonly database: Database
  /** Whether anything was committed since it was asked last. */
  hasChanged(): boolean
  keep(folders: readonly FilePath[]): DurableState
  close(): void
}

export interface DurableStates {
  /** A workspace without a state folder. */
  blank(folders: readonly FilePath[]): DurableState
  /** The same database beside another workspace. */
  withFolders(state: DurableState, folders: readonly FilePath[]): DurableState
  open(state: DurableState, instance: () => string): WatchedDatabase
  readonly count: number
  dispose(): void
}

/** History for people: nothing is decided by it. */
const leftOut = ['events', 'runs', 'sqlite_sequence', '__drizzle_migrations']

export function createDurableStates(migrationsFolder: string): DurableStates {
  // A file system in memory where there is one: every transaction is synchronised.
  const base = existsSync('/dev/shm') ? '/dev/shm' : os.tmpdir()
  const folder = mkdtempSync(path.join(base, 'davit-model-'))
  const known = new Map<string, DurableState>()
  let files = 0

  function remember(key: string, make: () => Omit<DurableState, 'id' | 'key'>): DurableState {
    const found = known.get(key)
    if (found !== undefined) return found
    const state = { ...make(), id: known.size, key }
    known.set(key, state)
    return state
  }

  const template = path.join(folder, 'template.db')
  openDatabase({ file: template, migrationsFolder, instance: () => '' }).close()

  return {
    blank: (folders) =>
      remember(digest(['blank', ...folders]), () => ({
        image: null,
        folders,
        point: null,
        attempts: 0,
        pending: 0,
      })),
    withFolders: (state, folders) =>
      remember(digest([state.key, 'and', ...folders]), () => ({ ...state, folders })),
    open(state, instance) {
      files += 1
      const file = path.join(folder, `${files}.db`)
      if (state.image === null) copyFileSync(template, file)
      else writeFileSync(file, state.image)
      const database = openDatabase({ file, migrationsFolder, instance })
      const observer = new BetterSqlite(file, { readonly: true })
      const dataVersion = observer.prepare<[], number>('PRAGMA data_version').pluck()
      let version = dataVersion.get()
      return {
        database,
        hasChanged() {
          const now = dataVersion.get()
          const changed = now !== version
          version = now
          return changed
        },
        keep: (folders) =>
          remember(digest([rowsOf(observer), ...folders]), () => ({
            image: observer.serialize(),
            folders,
            point: database.chain.point(),
            attempts: database.chain.attempts().length,
            pending: database.trees.counts().pending,
          })),
        close() {
          observer.close()
          database.close()
          for (const suffix of ['', '-wal', '-shm']) rmSync(file + suffix, { force: true })
        },
      }
    },
    get count() {
      return known.size
    },
    dispose: () => rmSync(folder, { recursive: true, force: true }),
  }
}

function rowsOf(connection: Connection): string {
  const tables = connection
    .prepare<[], string>("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
    .pluck()
    .all()
  return tables
    .filter((table) => !leftOut.includes(table))
    .map((table) => {
      const rows = connection
        .prepare(`SELECT * FROM "${table}"`)
        .raw()
        .all()
        .map((row) =>
          JSON.stringify(row, (_, value) =>
            Buffer.isBuffer(value) ? digest([value.toString('latin1')]) : value,
          ),
        )
      // Only the order of orphans is meant; the numbers beside it are not.
      if (table !== 'orphans') rows.sort()
      return `${table}\n${rows.join('\n')}`
    })
    .join('\n\n')
}

function digest(parts: readonly string[]): string {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part).update('\0')
  return hash.digest('hex').slice(0, 32)
}
