/** What an instance keeps about its own operation: runs, events, problems, settings, files pulled and on their way. */
import { integer, primaryKey, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import { hashColumn, jsonColumn, pathColumn, uuidColumn } from '../columns.ts'

/** Written by the engine at the start and the end of a run. `sequence` orders them; the unique index serves get. */
export const runs = sqliteTable('runs', {
  sequence: integer('sequence').primaryKey({ autoIncrement: true }),
  runId: text('run_id').notNull().unique(),
  kind: text('kind').notNull(),
  trigger: text('trigger').notNull(),
  startedAt: text('started_at').notNull(),
  /** A RunSummary; NULL while the run is under way. */
  summary: jsonColumn('summary'),
})

/** Written by the event log. AUTOINCREMENT: an id is never used again, though the oldest rows are pruned. */
export const events = sqliteTable('events', {
  id: integer('id').primaryKey({ autoIncrement: true }),
  type: text('type').notNull(),
  at: text('at').notNull(),
  instance: text('instance').notNull(),
  data: jsonColumn('data').notNull(),
})

/** Written by instance and engine; values are JSON. */
export const settings = sqliteTable('settings', {
  key: text('key').primaryKey(),
  value: jsonColumn('value').notNull(),
})

/** Problems that stand. The key serves the page and the question whether one is known. */
export const problems = sqliteTable(
  'problems',
  {
    path: pathColumn('path').notNull(),
    code: text('code').notNull(),
    detail: text('detail').notNull(),
    at: text('at').notNull(),
  },
  (table) => [primaryKey({ columns: [table.path, table.code] })],
)

/** Files pulled since the last durability barrier. Written by applying, emptied by the barrier. */
export const pulledFiles = sqliteTable('pulled_files', {
  id: uuidColumn('id').primaryKey(),
  path: pathColumn('path').notNull(),
  hash: hashColumn('hash').notNull(),
})

/** Contents on their way from the store to the disk whose rows are not written yet. Written and emptied by applying. */
export const arrivingFiles = sqliteTable('arriving_files', {
  id: uuidColumn('id').primaryKey(),
  path: pathColumn('path').notNull(),
  hash: hashColumn('hash').notNull(),
})
