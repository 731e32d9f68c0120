import { join } from 'node:path'
import BetterSqlite from 'better-sqlite3'
import { expect, it, onTestFinished } from 'vitest'
import { transactionsOn } from '../../../src/database/transaction.ts'
import { temporaryFolder } from '../../support/database-values.ts'

it('a full disk takes the whole transaction back, the counts too, and says so', () => {
  const connection = new BetterSqlite(join(temporaryFolder(), 'small.db'))
  onTestFinished(() => {
    connection.close()
  })
  connection.pragma('max_page_count = 10')
  connection.exec('CREATE TABLE t (x)')
  const counters = { pending: 0, minor: 0, remoteFiles: 0, localFiles: 0, openConflicts: 0, problems: 0 }
  const transactions = transactionsOn(connection, counters)
  const insert = connection.prepare('INSERT INTO t VALUES (zeroblob(?))')
  expect(() =>
    transactions.run(() => {
      for (let row = 0; row < 100; row++) {
        insert.run(1_000)
        counters.pending += 1
      }
    }),
  ).toThrow(expect.objectContaining({ code: 'disk-full', action: 'retry' }))
  expect(counters.pending).toBe(0)
  expect(transactions.isOpen).toBe(false)
  expect(connection.prepare('SELECT count(*) FROM t').pluck().get()).toBe(0)
  transactions.run(() => insert.run(1))
  expect(connection.prepare('SELECT count(*) FROM t').pluck().get()).toBe(1)
})
