/** What every part of the database works on. */
import type { Database as Connection } from 'better-sqlite3'
import type { Orm } from './connection.ts'
import type { Counters } from './counters.ts'
import type { Transactions } from './transaction.ts'

export interface Store {
  readonly connection: Connection
  readonly orm: Orm
  readonly counters: Counters
  readonly transactions: Transactions
}
