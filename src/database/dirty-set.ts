/**
 * Keeps the table `dirty` equal to what `dirtiness` says of the three trees and the open conflicts. Called within the
 * transaction of every write to any of them: a file that is dirty and not in the table would never be synced.
 */
import type { Conflict } from '../model/conflict.ts'
import { type Dirtiness, dirtiness } from '../model/dirtiness.ts'
import type { FileId, FileTriple, InstanceId } from '../model/file-state.ts'
import { encodeUuid } from './columns.ts'
import type { Presence } from './database.ts'
import { once } from './once.ts'
import type { Store } from './store.ts'
import {
  type LocalRow,
  localColumnNames,
  presences,
  type RemoteRow,
  remoteColumnNames,
  type StateRow,
  stateColumnNames,
  toLocalFile,
  toRemoteFile,
  toState,
} from './tree-rows.ts'

export interface DirtySet {
  /** One file in all three trees, as the rows say. */
  triple(id: FileId): FileTriple
  presenceOf(id: FileId): Presence | null
  /** What the table should say of a file. */
  judge(id: FileId): Dirtiness
  /** Brings the table up to a file's three entries. */
  refresh(id: FileId): void
}

export function dirtySetOn(
  store: Store,
  conflictsOf: (id: FileId) => readonly Conflict[],
  instance: () => InstanceId,
): DirtySet {
  const { connection, counters } = store
  const select = <Row>(columns: readonly string[], table: string) =>
    once(() => connection.prepare<[Buffer], Row>(`SELECT ${columns.join(', ')} FROM ${table} WHERE id = ?`))
  const local = select<LocalRow>(localColumnNames, 'local_files')
  const synced = select<StateRow>(stateColumnNames, 'synced_files')
  const remote = select<RemoteRow>(remoteColumnNames, 'remote_files')
  const recorded = select<{ minor: number }>(['minor'], 'dirty')
  const put = once(() =>
    connection.prepare<[Buffer, number]>(
      'INSERT INTO dirty (id, minor) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET minor = excluded.minor',
    ),
  )
  const remove = once(() => connection.prepare<[Buffer]>('DELETE FROM dirty WHERE id = ?'))

  function read(id: FileId): { readonly triple: FileTriple; readonly presence: Presence | null } {
    const key = encodeUuid(id)
    const localRow = local().get(key)
    const syncedRow = synced().get(key)
    const remoteRow = remote().get(key)
    return {
      triple: {
        id,
        local: localRow === undefined ? null : toLocalFile(localRow),
        synced: syncedRow === undefined ? null : toState(syncedRow),
        remote: remoteRow === undefined ? null : toRemoteFile(remoteRow),
      },
      presence: localRow === undefined ? null : (presences[localRow.presence] ?? null),
    }
  }

  function judge(id: FileId): Dirtiness {
    const { triple, presence } = read(id)
    // What appeared is not there yet, what vanished still is: a move is recognised before anything is decided.
    const settled = presence === 'appeared' ? { ...triple, local: null } : triple
    return dirtiness(settled, conflictsOf(id), instance())
  }

  function refresh(id: FileId): void {
    const key = encodeUuid(id)
    const before = counters.pending + counters.minor === 0 ? undefined : recorded().get(key)
    const now = judge(id)
    if (before !== undefined) counters[before.minor === 1 ? 'minor' : 'pending'] -= 1
    if (now === 'clean') {
      if (before !== undefined) remove().run(key)
      return
    }
    const minor = now === 'minor' ? 1 : 0
    counters[minor === 1 ? 'minor' : 'pending'] += 1
    if (before?.minor !== minor) put().run(key, minor)
  }

  return { triple: (id) => read(id).triple, presenceOf: (id) => read(id).presence, judge, refresh }
}
