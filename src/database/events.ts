/** The numbered events of this instance. */
import { and, asc, desc, gt, inArray, sql } from 'drizzle-orm'
import type { DavitEvent, EventType } from '../model/event.ts'
import type { JsonObject } from '../model/json.ts'
import type { Events } from './database.ts'
import { once } from './once.ts'
import { events } from './schema/index.ts'
import type { Store } from './store.ts'

export function eventsOn({ connection, orm, transactions }: Store): Events {
  // SQLite's own memory of the highest id ever given: it stays when the rows are pruned.
  const lastId = once(() =>
    connection.prepare<[], number>("SELECT seq FROM sqlite_sequence WHERE name = 'events'").pluck(),
  )
  // Prepared: a sync of many files appends one for each.
  const insert = once(() =>
    connection.prepare<[string, string, string, string]>(
      'INSERT INTO events (type, at, instance, data) VALUES (?, ?, ?, ?)',
    ),
  )
  return {
    append(draft, at, instance) {
      return transactions.run(() => {
        const { type, data } = draft
        const { lastInsertRowid } = insert().run(type, at, instance, JSON.stringify(data))
        return { id: Number(lastInsertRowid), type, at, instance, data }
      })
    },
    since(id, limit, types) {
      const wanted = types === undefined ? undefined : inArray(events.type, [...types])
      return orm
        .select()
        .from(events)
        .where(and(gt(events.id, id), wanted))
        .orderBy(asc(events.id))
        .limit(limit)
        .all()
        .map(
          (row): DavitEvent => ({
            id: row.id,
            type: row.type as EventType,
            at: row.at,
            instance: row.instance,
            data: row.data as JsonObject,
          }),
        )
    },
    lastId: () => lastId().get() ?? 0,
    prune(keep) {
      const last = orm.select({ id: events.id }).from(events).orderBy(desc(events.id)).limit(1).offset(keep)
      transactions.run(() => orm.delete(events).where(sql`${events.id} <= ${last}`).run())
    },
  }
}
