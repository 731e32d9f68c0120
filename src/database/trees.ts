/** The three trees on SQLite: prepared statements, each write together with the dirty set and the counters. */

import { DavitError } from '../model/errors.ts'
import type { ContentHash, FileId, FilePath, FileState, LocalFile, RemoteFile } from '../model/file-state.ts'
import { comparePaths } from '../model/path.ts'
import { decodeUuid, encodeHash, encodeUuid } from './columns.ts'
import type { PathPage, Presence, Trees } from './database.ts'
import type { DirtySet } from './dirty-set.ts'
import { limit } from './limit.ts'
import { fileLister } from './list-files.ts'
import { once } from './once.ts'
import { rangeBelow } from './path-range.ts'
import type { Store } from './store.ts'
import {
  isOnDisk,
  type LocalRow,
  localColumnNames,
  localValues,
  presences,
  type RemoteRow,
  remoteColumnNames,
  remoteValues,
  stateColumnNames,
  stateValues,
  toLocalFile,
  toRemoteFile,
  upsertSql,
} from './tree-rows.ts'

const beforeIds = Buffer.alloc(0)

/** What the count of files on disk depends on. */
type LocalMark = Pick<LocalRow, 'stamp_size' | 'presence'>

export function treesOn(store: Store, dirtySet: DirtySet): Trees {
  const { connection, counters, transactions } = store
  const locals = localColumnNames.join(', ')
  const remotes = remoteColumnNames.join(', ')

  const localAt = once(() =>
    connection.prepare<[string], LocalRow>(
      // Of a vanished and an appeared row at one path the one that is on disk.
      `SELECT ${locals} FROM local_files WHERE path = ? ORDER BY presence = 2, id LIMIT 1`,
    ),
  )
  const remoteAt = once(() =>
    connection.prepare<[string], RemoteRow>(
      `SELECT ${remotes} FROM remote_files WHERE path = ? AND deleted_version IS NULL
      ORDER BY version, id LIMIT 1`,
    ),
  )
  const remoteOf = once(() =>
    connection.prepare<[Buffer], RemoteRow>(`SELECT ${remotes} FROM remote_files WHERE id = ?`),
  )
  const tombstoneAt = once(() =>
    connection.prepare<[string, Buffer | null], RemoteRow>(
      `SELECT ${remotes} FROM remote_files WHERE path = ? AND hash IS ? AND deleted_version IS NOT NULL
      ORDER BY deleted_version DESC, id DESC LIMIT 1`,
    ),
  )
  const syncedAt = once(() =>
    connection
      .prepare<[string], Buffer>('SELECT id FROM synced_files WHERE path = ? ORDER BY id LIMIT 1')
      .pluck(),
  )
  const below = (table: string, condition: string) =>
    once(() =>
      connection.prepare<[string, string]>(
        `SELECT 1 FROM ${table} WHERE path >= ? AND path < ? AND ${condition} LIMIT 1`,
      ),
    )
  const belowIn = {
    // What is not looked for on disk still makes its folder more than an empty one.
    local: below('local_files', 'presence <> 2'),
    synced: below('synced_files', 'true'),
    remote: below('remote_files', 'deleted_version IS NULL'),
  }
  const anyIn = {
    local: once(() => connection.prepare('SELECT 1 FROM local_files WHERE presence <> 2 LIMIT 1')),
    synced: once(() => connection.prepare('SELECT 1 FROM synced_files LIMIT 1')),
    remote: once(() =>
      connection.prepare('SELECT 1 FROM remote_files WHERE deleted_version IS NULL LIMIT 1'),
    ),
  }

  const localPages = pathPages<LocalRow>(store, locals, 'local_files', 'true')
  const remotePages = pathPages<RemoteRow>(store, remotes, 'remote_files', 'deleted_version IS NULL')
  const dirtyIds = once(() =>
    connection
      .prepare<[Buffer, number], Buffer>(`SELECT id FROM dirty WHERE id > ? ORDER BY id ${limit}`)
      .pluck(),
  )
  const pendingIds = once(() =>
    connection
      .prepare<[Buffer, number], Buffer>(
        `SELECT id FROM dirty WHERE minor = 0 AND id > ? ORDER BY id ${limit}`,
      )
      .pluck(),
  )
  const unsettled = once(() =>
    connection.prepare<[number, Buffer, number], LocalRow>(
      `SELECT ${locals} FROM local_files WHERE presence <> 0 AND presence = ? AND id > ? ORDER BY id ${limit}`,
    ),
  )
  const byInode = once(() =>
    connection.prepare<[number], LocalRow>(
      `SELECT ${locals} FROM local_files WHERE stamp_inode = ? AND presence = 0 ORDER BY id`,
    ),
  )

  const localMark = once(() =>
    connection.prepare<[Buffer], LocalMark>('SELECT stamp_size, presence FROM local_files WHERE id = ?'),
  )
  const putLocal = once(() => connection.prepare(upsertSql('local_files', localColumnNames, ['id'])))
  const setPresence = once(() =>
    connection.prepare<[number, Buffer]>('UPDATE local_files SET presence = ? WHERE id = ?'),
  )
  const removeLocal = once(() => connection.prepare<[Buffer]>('DELETE FROM local_files WHERE id = ?'))
  const rekeyLocal = once(() =>
    connection.prepare<[Buffer, Buffer]>('UPDATE local_files SET id = ? WHERE id = ?'),
  )
  const putSynced = once(() =>
    connection.prepare(upsertSql('synced_files', ['id', ...stateColumnNames], ['id'])),
  )
  const removeSynced = once(() => connection.prepare<[Buffer]>('DELETE FROM synced_files WHERE id = ?'))
  const isLive = once(() =>
    connection
      .prepare<[Buffer], number>('SELECT deleted_version IS NULL FROM remote_files WHERE id = ?')
      .pluck(),
  )
  const putRemote = once(() => connection.prepare(upsertSql('remote_files', remoteColumnNames, ['id'])))
  const removeRemote = once(() => connection.prepare<[Buffer]>('DELETE FROM remote_files WHERE id = ?'))

  /** One write to the local tree: the row, the count of what is on disk, the dirty set. */
  function changeLocal(
    id: FileId,
    write: (key: Buffer) => void,
    markAfter: (before: LocalMark | undefined) => LocalMark | undefined,
  ): void {
    transactions.run(() => {
      const key = encodeUuid(id)
      const before = localMark().get(key)
      write(key)
      counters.localFiles += countOf(markAfter(before)) - countOf(before)
      dirtySet.refresh(id)
    })
  }

  function changeRemote(id: FileId, write: (key: Buffer) => void, liveAfter: boolean): void {
    transactions.run(() => {
      const key = encodeUuid(id)
      const before = isLive().get(key) ?? 0
      write(key)
      counters.remoteFiles += (liveAfter ? 1 : 0) - before
      dirtySet.refresh(id)
    })
  }

  return {
    triple: dirtySet.triple,
    remoteOf(id: FileId): RemoteFile | null {
      const row = remoteOf().get(encodeUuid(id))
      return row === undefined ? null : toRemoteFile(row)
    },
    presenceOf: dirtySet.presenceOf,
    localAt(path: FilePath): LocalFile | null {
      const row = localAt().get(path)
      return row === undefined ? null : toLocalFile(row)
    },
    remoteAt(path: FilePath): RemoteFile | null {
      const row = remoteAt().get(path)
      return row === undefined ? null : toRemoteFile(row)
    },
    tombstoneAt(path: FilePath, hash: ContentHash | null): RemoteFile | null {
      const row = tombstoneAt().get(path, hash === null ? null : encodeHash(hash))
      return row === undefined ? null : toRemoteFile(row)
    },
    syncedAt(path: FilePath): FileId | null {
      const id = syncedAt().get(path)
      return id === undefined ? null : decodeUuid(id)
    },
    hasBelow(tree, folder): boolean {
      const { from, until } = rangeBelow(folder)
      return (until === null ? anyIn[tree]().get() : belowIn[tree]().get(from, until)) !== undefined
    },
    localPage: (page) => localPages(page).map(toLocalFile),
    remotePage: (page) => remotePages(page).map(toRemoteFile),
    dirtyPage(page) {
      if (counters.pending === 0 && (page.minor !== true || counters.minor === 0)) return []
      const after = page.after === undefined ? beforeIds : encodeUuid(page.after)
      const ids = page.minor === true ? dirtyIds() : pendingIds()
      return ids.all(after, page.limit).map((id) => dirtySet.triple(decodeUuid(id)))
    },
    unsettledPage(presence, page) {
      const after = page.after === undefined ? beforeIds : encodeUuid(page.after)
      return unsettled().all(presences.indexOf(presence), after, page.limit).map(toLocalFile)
    },
    settledByInode: (inode) => byInode().all(inode).map(toLocalFile),
    listFiles: fileLister(store, dirtySet),
    counts: () => ({
      pending: counters.pending,
      minor: counters.minor,
      remoteFiles: counters.remoteFiles,
      localFiles: counters.localFiles,
    }),

    putLocal(file: LocalFile, presence: Presence = 'settled'): void {
      const mark = { stamp_size: file.stamp?.size ?? null, presence: presences.indexOf(presence) }
      changeLocal(
        file.id,
        () => putLocal().run(localValues(file, presence)),
        () => mark,
      )
    },
    setPresence(id: FileId, presence: Presence): void {
      const value = presences.indexOf(presence)
      changeLocal(
        id,
        (key) => setPresence().run(value, key),
        (before) => before && { ...before, presence: value },
      )
    },
    removeLocal(id: FileId): void {
      changeLocal(
        id,
        (key) => removeLocal().run(key),
        () => undefined,
      )
    },
    rekeyLocal(from: FileId, to: FileId): void {
      if (from === to) return
      transactions.run(() => {
        const [source, target] = [encodeUuid(from), encodeUuid(to)]
        if (localMark().get(target) !== undefined)
          throw new DavitError('internal', `${to} is already in the local tree`, { action: 'give-up' })
        rekeyLocal().run(target, source)
        dirtySet.refresh(from)
        dirtySet.refresh(to)
      })
    },
    putSynced(id: FileId, state: FileState | null): void {
      transactions.run(() => {
        const key = encodeUuid(id)
        if (state === null) removeSynced().run(key)
        else putSynced().run([key, ...stateValues(state)])
        dirtySet.refresh(id)
      })
    },
    putRemote(file: RemoteFile): void {
      changeRemote(file.id, () => putRemote().run(remoteValues(file)), file.deletedVersion === null)
    },
    removeRemote(id: FileId): void {
      changeRemote(id, (key) => removeRemote().run(key), false)
    },
    forgetRemote(): void {
      transactions.run(() => {
        // Without a WHERE each of these frees whole tables and indexes at once, however many rows they had.
        for (const table of ['synced_files', 'remote_files', 'contents', 'file_versions', 'dirty'])
          connection.prepare(`DELETE FROM ${table}`).run()
        connection.prepare('DELETE FROM conflicts WHERE strategy IS NULL').run()
        // What is settled on disk and agreed with nobody is dirty; this is `dirtiness` with two empty trees.
        const { changes } = connection
          .prepare(
            'INSERT INTO dirty (id, minor) SELECT id, 0 FROM local_files WHERE presence <> 1 AND absence IS NULL',
          )
          .run()
        Object.assign(counters, { pending: changes, minor: 0, remoteFiles: 0, openConflicts: 0 })
      })
    },
  }
}

function countOf(row: LocalMark | undefined): number {
  return row !== undefined && isOnDisk(row) ? 1 : 0
}

/**
 * Reads one tree in the order of its paths. Rows that share the last path of a page are all on it (the next page
 * begins behind that path), so that a page may be longer than its limit by those.
 */
function pathPages<Row extends { readonly id: Buffer; readonly path: string }>(
  store: Store,
  columns: string,
  table: string,
  condition: string,
): (page: PathPage) => Row[] {
  const select = (where: string) =>
    `SELECT ${columns} FROM ${table} WHERE ${where} AND ${condition} ORDER BY path, id`
  const { connection } = store
  const from = once(() => connection.prepare<[string, number], Row>(`${select('path >= ?')} ${limit}`))
  const after = once(() => connection.prepare<[string, number], Row>(`${select('path > ?')} ${limit}`))
  const fromUntil = once(() =>
    connection.prepare<[string, string, number], Row>(`${select('path >= ? AND path < ?')} ${limit}`),
  )
  const afterUntil = once(() =>
    connection.prepare<[string, string, number], Row>(`${select('path > ? AND path < ?')} ${limit}`),
  )
  const at = once(() => connection.prepare<[string, Buffer], Row>(select('path = ? AND id > ?')))

  function rowsOf(page: PathPage): Row[] {
    if (page.under === undefined || page.under === '')
      return page.after === undefined ? from().all('', page.limit) : after().all(page.after, page.limit)
    const range = rangeBelow(page.under)
    const until = range.until ?? ''
    // The path itself comes first; between it and what is below it others sort (`p.x`), which are not meant.
    const rows =
      page.after === undefined || comparePaths(page.after, page.under) < 0
        ? at().all(page.under, beforeIds)
        : []
    const rest = page.limit - rows.length
    if (rest <= 0) return rows
    if (page.after === undefined || comparePaths(page.after, range.from) < 0)
      return [...rows, ...fromUntil().all(range.from, until, rest)]
    return [...rows, ...afterUntil().all(page.after, until, rest)]
  }

  return (page) => {
    const rows = rowsOf(page)
    const last = rows.at(-1)
    if (rows.length < page.limit || last === undefined) return rows
    return [...rows, ...at().all(last.path, last.id)]
  }
}
