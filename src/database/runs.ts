/** The history of runs, newest first. */
import { and, desc, eq, isNotNull, isNull, lt, sql } from 'drizzle-orm'
import type { JsonValue } from '../model/json.ts'
import type { RunKind, RunSummary, Trigger } from '../model/run.ts'
import type { Runs } from './database.ts'
import { once } from './once.ts'
import { head, runs } from './schema/index.ts'
import type { Store } from './store.ts'
import { upsertSql } from './tree-rows.ts'

export function runsOn({ connection, orm, transactions }: Store): Runs {
  // Prepared: each run, however little it does, begins and ends here.
  const begin = once(() =>
    connection.prepare<[string, string, string, string]>(
      'INSERT INTO runs (run_id, kind, trigger, started_at) VALUES (?, ?, ?, ?)',
    ),
  )
  const end = once(() =>
    connection.prepare<[string, string, string, string, string]>(
      upsertSql('runs', ['run_id', 'kind', 'trigger', 'started_at', 'summary'], ['run_id']),
    ),
  )
  return {
    start({ runId, kind, trigger, startedAt }) {
      transactions.run(() => begin().run(runId, kind, trigger, startedAt))
    },
    finish(summary) {
      const { runId, kind, trigger, startedAt } = summary
      transactions.run(() => end().run(runId, kind, trigger, startedAt, JSON.stringify(summary)))
    },
    get(runId) {
      const row = orm.select({ summary: runs.summary }).from(runs).where(eq(runs.runId, runId)).get()
      return (row?.summary ?? null) as unknown as RunSummary | null
    },
    page({ before, limit }) {
      const behind =
        before === undefined
          ? undefined
          : lt(
              runs.sequence,
              orm.select({ sequence: runs.sequence }).from(runs).where(eq(runs.runId, before)),
            )
      return orm
        .select({ summary: runs.summary })
        .from(runs)
        .where(and(isNotNull(runs.summary), behind))
        .orderBy(desc(runs.sequence))
        .limit(limit)
        .all()
        .map((row) => row.summary as unknown as RunSummary)
    },
    prune(keep) {
      // Runs under way stay, whatever their age.
      const kept = orm
        .select({ sequence: runs.sequence })
        .from(runs)
        .where(isNotNull(runs.summary))
        .orderBy(desc(runs.sequence))
        .limit(1)
        .offset(keep)
      transactions.run(() =>
        orm
          .delete(runs)
          .where(and(isNotNull(runs.summary), sql`${runs.sequence} <= ${kept}`))
          .run(),
      )
    },
  }
}

/**
 * At opening: what is still under way belongs to a process that ended without a word. Its summary says so. When it
 * ended is not known; the time of its start stands for it.
 */
export function closeInterruptedRuns({ connection, orm, transactions }: Store): void {
  if (connection.prepare('SELECT 1 FROM runs WHERE summary IS NULL LIMIT 1').get() === undefined) return
  transactions.run(() => {
    const version = orm.select({ version: head.version }).from(head).get()?.version ?? 0
    for (const row of orm.select().from(runs).where(isNull(runs.summary)).all()) {
      const summary: RunSummary = {
        runId: row.runId,
        kind: row.kind as RunKind,
        trigger: row.trigger as Trigger,
        outcome: 'failed',
        version,
        uploaded: 0,
        downloaded: 0,
        deleted: 0,
        moved: 0,
        metadata: 0,
        conflicts: 0,
        problems: [],
        requests: 0,
        bytesSent: 0,
        bytesReceived: 0,
        startedAt: row.startedAt,
        endedAt: row.startedAt,
        durationMs: 0,
        phases: {},
        error: {
          code: 'stopped',
          message: 'The process ended before this run did.',
          hint: 'Nothing is lost: the next run goes on from where this one was.',
        },
      }
      orm
        .update(runs)
        .set({ summary: summary as unknown as JsonValue })
        .where(eq(runs.sequence, row.sequence))
        .run()
    }
  })
}
