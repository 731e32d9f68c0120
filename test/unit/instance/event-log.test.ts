import { expect, it } from 'vitest'
import type { Database } from '../../../src/database/database.ts'
import { EventLog } from '../../../src/instance/event-log.ts'
import type { DavitEvent } from '../../../src/model/event.ts'
import { openTestDatabase } from '../../support/database-values.ts'
import { ManualClock } from '../../support/manual-clock.ts'

const drafts = ['a', 'b', 'c'].map((path) => ({ type: 'file.added' as const, data: { path } }))

/** The events that a listener is told, in turns. */
function aLog(database: Database) {
  const log = new EventLog({ database, clock: new ManualClock(), name: 'laptop' })
  const told: DavitEvent[] = []
  log.subscribe((event) => void told.push(event))
  return { log, told }
}

it('many events at once are kept, numbered and told in their order', async () => {
  const database = openTestDatabase()
  const { log, told } = aLog(database)
  log.emit({ type: 'sync.started', data: {} })
  log.emitAll(drafts)
  expect(told).toEqual([])
  await new Promise((resolve) => setImmediate(resolve))
  expect(told.map(({ id }) => id)).toEqual([1, 2, 3, 4])
  expect(told.slice(1).map(({ data }) => data)).toEqual(drafts.map(({ data }) => data))
  expect(database.events.since(0, 10)).toEqual(told)
})

it('many events at once cost one transaction, none cost nothing', () => {
  const database = openTestDatabase()
  let transactions = 0
  const counting: Database = {
    ...database,
    transaction: (work) => {
      transactions += 1
      return database.transaction(work)
    },
  }
  const { log } = aLog(counting)
  log.emitAll(drafts)
  log.emitAll([])
  expect(transactions).toBe(1)
  expect(database.events.lastId()).toBe(3)
})
