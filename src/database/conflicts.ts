/** Open and resolved conflicts. The dirty set of the file follows each change. */
import { and, asc, eq, gt, isNull, sql } from 'drizzle-orm'
import type { Candidate, Conflict, ConflictAspect, ConflictKind } from '../model/conflict.ts'
import type { FileId } from '../model/file-state.ts'
import type { JsonValue } from '../model/json.ts'
import { encodeConflictId, encodeUuid } from './columns.ts'
import type { Conflicts, ResolvedConflict } from './database.ts'
import { once } from './once.ts'
import { conflicts } from './schema/index.ts'
import type { Store } from './store.ts'

type Row = typeof conflicts.$inferSelect

/** The open conflicts of one file, as the dirty rule asks for them with every write. */
export function openConflictsOn(store: Store): (fileId: FileId) => Conflict[] {
  const { orm, counters } = store
  const ofFile = and(eq(conflicts.fileId, sql.placeholder('fileId')), isNull(conflicts.strategy))
  const query = once(() => orm.select().from(conflicts).where(ofFile).orderBy(asc(conflicts.id)).prepare())
  // A placeholder is not encoded by its column.
  return (fileId) =>
    counters.openConflicts === 0
      ? []
      : query()
          .all({ fileId: encodeUuid(fileId) })
          .map(toConflict)
}

export function conflictsOn(
  store: Store,
  openOf: (fileId: FileId) => Conflict[],
  refresh: (fileId: FileId) => void,
): Conflicts {
  const { orm, counters, transactions } = store
  const one = once(() =>
    orm
      .select()
      .from(conflicts)
      .where(eq(conflicts.id, sql.placeholder('id')))
      .prepare(),
  )
  // A placeholder is not encoded by its column.
  const find = (id: string): Row | undefined => one().get({ id: encodeConflictId(id) })
  const isOpen = (row: Row | undefined): row is Row => row !== undefined && row.strategy === null

  return {
    get(id) {
      const row = find(id)
      return isOpen(row) ? toConflict(row) : null
    },
    ofFile: openOf,
    page({ after, limit }) {
      if (counters.openConflicts === 0) return []
      const open = isNull(conflicts.strategy)
      return orm
        .select()
        .from(conflicts)
        .where(after === undefined ? open : and(open, gt(conflicts.id, after)))
        .orderBy(asc(conflicts.id))
        .limit(limit)
        .all()
        .map(toConflict)
    },
    count: () => counters.openConflicts,
    put(conflict) {
      transactions.run(() => {
        const before = find(conflict.id)
        const { id, ...rest } = toRow(conflict)
        orm
          .insert(conflicts)
          .values({ id, ...rest })
          .onConflictDoUpdate({ target: conflicts.id, set: rest })
          .run()
        if (!isOpen(before)) counters.openConflicts += 1
        if (before !== undefined && before.fileId !== conflict.fileId) refresh(before.fileId)
        refresh(conflict.fileId)
      })
    },
    resolve(id, how) {
      transactions.run(() => {
        const row = find(id)
        if (!isOpen(row)) return
        orm
          .update(conflicts)
          .set({ strategy: how.strategy, resolvedVersion: how.version, resolvedAt: how.at })
          .where(eq(conflicts.id, id))
          .run()
        counters.openConflicts -= 1
        refresh(row.fileId)
      })
    },
    remove(id) {
      transactions.run(() => {
        const row = find(id)
        if (!isOpen(row)) return
        orm.delete(conflicts).where(eq(conflicts.id, id)).run()
        counters.openConflicts -= 1
        refresh(row.fileId)
      })
    },
    resolved(id) {
      const row = find(id)
      if (row === undefined || row.strategy === null) return null
      return {
        conflict: toConflict(row),
        strategy: row.strategy as ResolvedConflict['strategy'],
        version: row.resolvedVersion ?? 0,
        at: row.resolvedAt ?? '',
      }
    },
  }
}

function toRow(conflict: Conflict): Row {
  const { base } = conflict
  return {
    id: conflict.id,
    fileId: conflict.fileId,
    path: conflict.path,
    kind: conflict.kind,
    aspect: conflict.aspect,
    baseHash: base?.hash ?? null,
    baseSize: base?.size ?? null,
    // `undefined` is SQL NULL (no value), `null` is JSON null.
    baseValue: base?.value === undefined ? null : JSON.stringify(base.value),
    candidates: conflict.candidates as unknown as JsonValue,
    detectedAt: conflict.detectedAt,
    version: conflict.version,
    strategy: null,
    resolvedVersion: null,
    resolvedAt: null,
  }
}

function toConflict(row: Row): Conflict {
  return {
    id: row.id,
    fileId: row.fileId,
    path: row.path,
    kind: row.kind as ConflictKind,
    aspect: row.aspect as ConflictAspect,
    base:
      row.baseHash === null
        ? null
        : {
            hash: row.baseHash,
            size: row.baseSize ?? 0,
            ...(row.baseValue === null ? {} : { value: JSON.parse(row.baseValue) as JsonValue }),
          },
    candidates: row.candidates as unknown as readonly Candidate[],
    detectedAt: row.detectedAt,
    version: row.version,
  }
}
