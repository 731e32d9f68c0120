/** Where contents lie in the store, and former states of files. */
import { and, desc, eq, lt } from 'drizzle-orm'
import { decodeMetadata, encodeHash, encodeUuid } from './columns.ts'
import type { Contents, FileVersion, History } from './database.ts'
import { once } from './once.ts'
import { contents, fileVersions } from './schema/index.ts'
import type { Store } from './store.ts'
import { stateColumnNames, stateValues, upsertSql } from './tree-rows.ts'

export function contentsOn({ connection, orm, transactions }: Store): Contents {
  // Prepared once: these are written for every file of an import, and read before each upload.
  const put = once(() => connection.prepare(upsertSql('contents', ['hash', 'size', 'name'], ['hash'])))
  const find = once(() =>
    connection.prepare<[Buffer], { size: number; name: string }>(
      'SELECT size, name FROM contents WHERE hash = ?',
    ),
  )
  return {
    find(hash) {
      const row = find().get(encodeHash(hash))
      return row === undefined ? null : { hash, size: row.size, name: row.name }
    },
    put({ hash, size, name }) {
      transactions.run(() => put().run([encodeHash(hash), size, name]))
    },
    remove(hash) {
      transactions.run(() => orm.delete(contents).where(eq(contents.hash, hash)).run())
    },
  }
}

export function historyOn({ connection, orm, transactions }: Store): History {
  const add = once(() =>
    connection.prepare(
      upsertSql(
        'file_versions',
        ['file_id', 'version', 'until_version', ...stateColumnNames],
        ['file_id', 'version'],
      ),
    ),
  )
  return {
    add({ fileId, version, untilVersion, state }) {
      transactions.run(() => add().run([encodeUuid(fileId), version, untilVersion, ...stateValues(state)]))
    },
    ofFile(id, { before, limit }) {
      const ofFile = eq(fileVersions.fileId, id)
      return orm
        .select()
        .from(fileVersions)
        .where(before === undefined ? ofFile : and(ofFile, lt(fileVersions.version, before)))
        .orderBy(desc(fileVersions.version))
        .limit(limit)
        .all()
        .map(toVersion)
    },
  }
}

type Row = typeof fileVersions.$inferSelect

function toVersion(row: Row): FileVersion {
  return {
    fileId: row.fileId,
    version: row.version,
    untilVersion: row.untilVersion,
    state: {
      path: row.path,
      kind: row.folder === 1 ? 'folder' : 'file',
      size: row.size,
      hash: row.hash,
      executable: row.executable === 1,
      mtimeUs: row.mtimeUs,
      metadata: decodeMetadata(row.metadata),
    },
  }
}
