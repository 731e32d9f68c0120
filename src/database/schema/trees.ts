/**
 * The three trees and their dirty set. Written only by `database/trees.ts` and `database/dirty-set.ts`, with prepared
 * statements. Every table is keyed by the file's id, WITHOUT ROWID (see the migration), so that an index entry leads
 * straight to its row.
 *
 * No index on a path is unique. In the local tree a path is held by a vanished and an appeared row at once until
 * moves have been recognised; a changeset is applied as a set, so that in the remote and the synced tree two rows
 * stand at one path in the middle of a swap. That the live paths are unique at the end is checked by the engine after
 * each changeset and by `verify`.
 */
import { sql } from 'drizzle-orm'
import { index, integer, real, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import { hashColumn, pathColumn, uuidColumn } from '../columns.ts'

/** The columns of a FileState. */
export function stateColumns() {
  return {
    path: pathColumn('path').notNull(),
    /** 1 for a folder, 0 for a file. */
    folder: integer('folder').notNull(),
    size: integer('size').notNull(),
    /** NULL for a folder. */
    hash: hashColumn('hash'),
    executable: integer('executable').notNull(),
    mtimeUs: integer('mtime_us').notNull(),
    /** A JSON object; NULL stands for the empty one. */
    metadata: text('metadata'),
  }
}

/** What the workspace held when it was last looked at. Written by scans and by applying. */
export const localFiles = sqliteTable(
  'local_files',
  {
    id: uuidColumn('id').primaryKey(),
    ...stateColumns(),
    /** The stamp; all five are NULL when the file is not on disk. REAL: compared for equality, as reported. */
    stampSize: real('stamp_size'),
    stampMtimeMs: real('stamp_mtime_ms'),
    stampCtimeMs: real('stamp_ctime_ms'),
    stampInode: real('stamp_inode'),
    stampBirthtimeMs: real('stamp_birthtime_ms'),
    racy: integer('racy').notNull(),
    /** NULL, `unrepresentable` or `ignored`. */
    absence: text('absence'),
    /** 0 settled, 1 appeared, 2 vanished. */
    presence: integer('presence').notNull(),
  },
  (table) => [
    // localAt, localPage, hasBelow, listFiles
    index('local_files_path').on(table.path),
    // unsettledPage
    index('local_files_unsettled').on(table.presence, table.id).where(sql`presence <> 0`),
    // settledByInode
    index('local_files_inode').on(table.stampInode).where(sql`presence = 0 AND stamp_inode IS NOT NULL`),
    // listFiles by label
    index('local_files_labelled').on(table.path).where(sql`metadata IS NOT NULL`),
  ],
)

/** What this instance and the remote last agreed on. Written when a pull or a commit is complete. */
export const syncedFiles = sqliteTable(
  'synced_files',
  { id: uuidColumn('id').primaryKey(), ...stateColumns() },
  (table) => [
    // syncedAt, hasBelow
    index('synced_files_path').on(table.path),
  ],
)

/** The state at `head.version`, tombstones included. Written when a changeset or a checkpoint is applied. */
export const remoteFiles = sqliteTable(
  'remote_files',
  {
    id: uuidColumn('id').primaryKey(),
    ...stateColumns(),
    version: integer('version').notNull(),
    /** NULL while the file is live. */
    deletedVersion: integer('deleted_version'),
    deletedAt: text('deleted_at'),
  },
  (table) => [
    // remoteAt, remotePage, hasBelow, listFiles, verify
    index('remote_files_live_path').on(table.path).where(sql`deleted_version IS NULL`),
    // tombstoneAt, listFiles of the deleted
    index('remote_files_dead_path').on(table.path).where(sql`deleted_version IS NOT NULL`),
    // listFiles by label
    index('remote_files_labelled').on(table.path).where(sql`metadata IS NOT NULL`),
  ],
)

/** The files whose three entries do not agree: the rule is `model/dirtiness`. Almost always empty. */
export const dirty = sqliteTable(
  'dirty',
  {
    id: uuidColumn('id').primaryKey(),
    /** 1 when only modification times differ. */
    minor: integer('minor').notNull(),
  },
  (table) => [
    // dirtyPage without the minor ones
    index('dirty_pending').on(table.id).where(sql`minor = 0`),
  ],
)
