/** The numbered events of this instance. */
import { and, asc, desc, gt, inArray, sql } from 'drizzle-orm'
import { DavitError } from '../model/errors.ts'
import type { DavitEvent, EventType } from '../model/event.ts'
import type { JsonObject } from '../model/json.ts'
import type { Events } from './database.ts'
import { events } from './schema/index.ts'
import type { Store } from './store.ts'

export function eventsOn({ connection, orm, transactions }: Store): Events {
  // SQLite's own memory of the highest id ever given: it stays when the rows are pruned.
  const lastId = connection
    .prepare<[], number>("SELECT seq FROM sqlite_sequence WHERE name = 'events'")
    .pluck()
  return {
    append(draft, at, instance) {
      return transactions.run(() => {
        const { type, data } = draft
        const row = orm.insert(events).values({ type, at, instance, data }).returning({ id: events.id }).get()
        if (row === undefined) throw new DavitError('internal', 'the event got no id', { action: 'give-up' })
        return { id: row.id, type, at, instance, data }
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
    lastId: () => lastId.get() ?? 0,
    prune(keep) {
      const last = orm.select({ id: events.id }).from(events).orderBy(desc(events.id)).limit(1).offset(keep)
      transactions.run(() => orm.delete(events).where(sql`${events.id} <= ${last}`).run())
    },
  }
}
