/**
 * One transaction at a time on the one connection. A nested call joins the outer one: all of it becomes durable, or
 * nothing. What is kept in memory (the counters) goes back with a rollback, too.
 */
import type { Database as Connection } from 'better-sqlite3'
import { DavitError } from '../model/errors.ts'
import type { Counters } from './counters.ts'
import { classify } from './sqlite-error.ts'

export interface Transactions {
  run<T>(work: () => T): T
  readonly isOpen: boolean
  /** How many transactions came to nothing so far: what was kept in memory of one of them is not so. */
  readonly failures: number
}

/** What a transaction failed with, wrapped because anything may be thrown. */
interface Failure {
  readonly cause: unknown
}

export function transactionsOn(connection: Connection, counters: Counters): Transactions {
  // IMMEDIATE: the write lock is taken at the start, where waiting for another process's is still harmless.
  const begin = connection.prepare('BEGIN IMMEDIATE')
  const commit = connection.prepare('COMMIT')
  const rollback = connection.prepare('ROLLBACK')
  let isOpen = false
  let failure: Failure | null = null
  let failures = 0

  function inner<T>(work: () => T): T {
    try {
      return work()
    } catch (error) {
      // Even if the outer work catches this, a part is missing: nothing of it may be committed.
      failure ??= { cause: error }
      throw error
    }
  }

  function outer<T>(work: () => T): T {
    const before = { ...counters }
    try {
      begin.run()
      isOpen = true
      failure = null
      const result = work()
      if (result instanceof Promise) {
        result.catch(() => undefined)
        throw misuse('a transaction must not wait for anything: its work returned a promise')
      }
      if (failure !== null) throw misuse('a part of this transaction failed', (failure as Failure).cause)
      commit.run()
      return result
    } catch (error) {
      // After some errors (a full disk) SQLite has rolled back by itself.
      if (connection.inTransaction) rollback.run()
      Object.assign(counters, before)
      failures += 1
      throw classify(error)
    } finally {
      isOpen = false
    }
  }

  return {
    run: (work) => (isOpen ? inner(work) : outer(work)),
    get isOpen() {
      return isOpen
    },
    get failures() {
      return failures
    },
  }
}

function misuse(message: string, cause?: unknown): DavitError {
  return new DavitError('internal', message, { action: 'give-up', ...(cause === undefined ? {} : { cause }) })
}
