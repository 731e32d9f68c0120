/** Rows of the trees as SQLite holds them, and the values they stand for. Columns: `schema/trees.ts`. */
import type { FileState, LocalFile, RemoteFile } from '../model/file-state.ts'
import {
  decodeHash,
  decodeMetadata,
  decodeUuid,
  encodeHash,
  encodeMetadata,
  encodePath,
  encodeUuid,
} from './columns.ts'
import type { Presence } from './database.ts'

export interface StateRow {
  readonly path: string
  readonly folder: number
  readonly size: number
  readonly hash: Buffer | null
  readonly executable: number
  readonly mtime_us: number
  readonly metadata: string | null
}

export interface LocalRow extends StateRow {
  readonly id: Buffer
  readonly stamp_size: number | null
  readonly stamp_mtime_ms: number
  readonly stamp_ctime_ms: number
  readonly stamp_inode: number
  readonly stamp_birthtime_ms: number
  readonly racy: number
  readonly absence: string | null
  readonly presence: number
}

export interface RemoteRow extends StateRow {
  readonly id: Buffer
  readonly version: number
  readonly deleted_version: number | null
  readonly deleted_at: string | null
}

export const stateColumnNames = ['path', 'folder', 'size', 'hash', 'executable', 'mtime_us', 'metadata']
export const localColumnNames = [
  'id',
  ...stateColumnNames,
  'stamp_size',
  'stamp_mtime_ms',
  'stamp_ctime_ms',
  'stamp_inode',
  'stamp_birthtime_ms',
  'racy',
  'absence',
  'presence',
]
export const remoteColumnNames = ['id', ...stateColumnNames, 'version', 'deleted_version', 'deleted_at']

/** The numbers that stand for a presence in the column of that name. */
export const presences: readonly Presence[] = ['settled', 'appeared', 'vanished']

/** Inserts a row, or replaces the one with its key. */
export function upsertSql(table: string, columns: readonly string[], key: readonly string[]): string {
  const rest = columns.filter((column) => !key.includes(column))
  return `INSERT INTO ${table} (${columns.join(', ')}) VALUES (${columns.map(() => '?').join(', ')})
    ON CONFLICT (${key.join(', ')}) DO UPDATE SET ${rest.map((column) => `${column} = excluded.${column}`).join(', ')}`
}

export function stateValues(state: FileState): unknown[] {
  return [
    encodePath(state.path),
    state.kind === 'folder' ? 1 : 0,
    state.size,
    state.hash === null ? null : encodeHash(state.hash),
    state.executable ? 1 : 0,
    state.mtimeUs,
    encodeMetadata(state.metadata),
  ]
}

export function localValues(file: LocalFile, presence: Presence): unknown[] {
  const { stamp } = file
  return [
    encodeUuid(file.id),
    ...stateValues(file.state),
    stamp?.size ?? null,
    stamp?.mtimeMs ?? null,
    stamp?.ctimeMs ?? null,
    stamp?.inode ?? null,
    stamp?.birthtimeMs ?? null,
    file.racy ? 1 : 0,
    file.absence,
    presences.indexOf(presence),
  ]
}

export function remoteValues(file: RemoteFile): unknown[] {
  return [encodeUuid(file.id), ...stateValues(file.state), file.version, file.deletedVersion, file.deletedAt]
}

export function toState(row: StateRow): FileState {
  return {
    path: row.path,
    kind: row.folder === 1 ? 'folder' : 'file',
    size: row.size,
    hash: row.hash === null ? null : decodeHash(row.hash),
    executable: row.executable === 1,
    mtimeUs: row.mtime_us,
    metadata: decodeMetadata(row.metadata),
  }
}

export function toLocalFile(row: LocalRow): LocalFile {
  return {
    id: decodeUuid(row.id),
    state: toState(row),
    stamp:
      row.stamp_size === null
        ? null
        : {
            size: row.stamp_size,
            mtimeMs: row.stamp_mtime_ms,
            ctimeMs: row.stamp_ctime_ms,
            inode: row.stamp_inode,
            birthtimeMs: row.stamp_birthtime_ms,
          },
    racy: row.racy === 1,
    absence: row.absence as LocalFile['absence'],
  }
}

export function toRemoteFile(row: RemoteRow): RemoteFile {
  return {
    id: decodeUuid(row.id),
    state: toState(row),
    version: row.version,
    deletedVersion: row.deleted_version,
    deletedAt: row.deleted_at,
  }
}

/** Whether a row of the local tree is on disk, as `counts().localFiles` counts it. */
export function isOnDisk(row: { readonly stamp_size: number | null; readonly presence: number }): boolean {
  return row.stamp_size !== null && row.presence !== presences.indexOf('vanished')
}
