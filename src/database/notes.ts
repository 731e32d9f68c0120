/** Settings, standing problems, files pulled since the last durability barrier, and files on their way to the disk. */
import { and, asc, eq, gt, or } from 'drizzle-orm'
import type { JsonValue } from '../model/json.ts'
import { encodeHash, encodePath, encodeUuid } from './columns.ts'
import type { ArrivingFiles, Problems, PulledFiles, Settings } from './database.ts'
import { once } from './once.ts'
import { arrivingFiles, problems, pulledFiles } from './schema/index.ts'
import type { Store } from './store.ts'
import { upsertSql } from './tree-rows.ts'

export function settingsOn({ connection, transactions }: Store): Settings {
  // Prepared: the engine asks for several of them in every turn.
  const get = once(() =>
    connection.prepare<[string], string>('SELECT value FROM settings WHERE key = ?').pluck(),
  )
  const put = once(() =>
    connection.prepare<[string, string]>(upsertSql('settings', ['key', 'value'], ['key'])),
  )
  const remove = once(() => connection.prepare<[string]>('DELETE FROM settings WHERE key = ?'))
  return {
    get(key) {
      const text = get().get(key)
      return text === undefined ? null : (JSON.parse(text) as JsonValue)
    },
    set(key, value) {
      transactions.run(() => {
        if (value === null) remove().run(key)
        else put().run(key, JSON.stringify(value))
      })
    },
  }
}

export function problemsOn({ connection, orm, counters, transactions }: Store): Problems {
  // Prepared: what works again is cleared file by file.
  const find = once(() =>
    connection.prepare<[string, string]>('SELECT 1 FROM problems WHERE path = ? AND code = ?'),
  )
  const tell = once(() =>
    connection.prepare<[string, string, string]>(
      'UPDATE problems SET detail = ? WHERE path = ? AND code = ?',
    ),
  )
  const insert = once(() =>
    connection.prepare<[string, string, string, string]>(
      'INSERT INTO problems (path, code, detail, at) VALUES (?, ?, ?, ?)',
    ),
  )
  const remove = once(() =>
    connection.prepare<[string, string]>('DELETE FROM problems WHERE path = ? AND code = ?'),
  )
  return {
    put({ path, code, detail }, at) {
      return transactions.run(() => {
        const key = encodePath(path)
        if (find().get(key, code) !== undefined) {
          tell().run(detail, key, code)
          return false
        }
        insert().run(key, code, detail, at)
        counters.problems += 1
        return true
      })
    },
    clear(path, code) {
      if (counters.problems === 0) return false
      return transactions.run(() => {
        const { changes } = remove().run(encodePath(path), code)
        counters.problems -= changes
        return changes > 0
      })
    },
    page({ after, limit }) {
      if (counters.problems === 0) return []
      const behind =
        after === undefined
          ? undefined
          : or(
              gt(problems.path, after.path),
              and(eq(problems.path, after.path), gt(problems.code, after.code)),
            )
      return orm
        .select({ path: problems.path, code: problems.code, detail: problems.detail })
        .from(problems)
        .where(behind)
        .orderBy(asc(problems.path), asc(problems.code))
        .limit(limit)
        .all()
    },
    count: () => counters.problems,
  }
}

export function pulledFilesOn({ connection, orm, transactions }: Store): PulledFiles {
  // Prepared: a large pull adds every file.
  const put = once(() =>
    connection.prepare<[Buffer, string, Buffer]>(upsertSql('pulled_files', ['id', 'path', 'hash'], ['id'])),
  )
  return {
    add({ id, path, hash }) {
      transactions.run(() => put().run(encodeUuid(id), encodePath(path), encodeHash(hash)))
    },
    all: () => orm.select().from(pulledFiles).orderBy(asc(pulledFiles.id)).all(),
    clear() {
      transactions.run(() => orm.delete(pulledFiles).run())
    },
  }
}

export function arrivingFilesOn({ connection, orm, transactions }: Store): ArrivingFiles {
  // Prepared: a large pull adds every file, and takes it off again.
  const put = once(() =>
    connection.prepare<[Buffer, string, Buffer]>(upsertSql('arriving_files', ['id', 'path', 'hash'], ['id'])),
  )
  const remove = once(() => connection.prepare<[Buffer]>('DELETE FROM arriving_files WHERE id = ?'))
  const removeAll = once(() => connection.prepare('DELETE FROM arriving_files'))
  const rows = once(() => orm.select().from(arrivingFiles).orderBy(asc(arrivingFiles.id)).prepare())
  return {
    add({ id, path, hash }) {
      transactions.run(() => put().run(encodeUuid(id), encodePath(path), encodeHash(hash)))
    },
    remove(id) {
      transactions.run(() => remove().run(encodeUuid(id)))
    },
    all: () => rows().all(),
    clear() {
      transactions.run(() => removeAll().run())
    },
  }
}
