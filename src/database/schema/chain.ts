/** The chain as far as this instance knows it. Written by `database/chain.ts`. */
import { index, integer, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import { bytesColumn, hashColumn, jsonColumn } from '../columns.ts'

/** One row (`id` = 1) once a store was joined: what the remote tree stands for. */
export const head = sqliteTable('head', {
  id: integer('id').primaryKey(),
  /** NULL together with `hash`: no store joined. */
  version: integer('version'),
  hash: hashColumn('hash'),
  digest: hashColumn('digest').notNull(),
  replicaSet: text('replica_set'),
  /** A CheckpointReference. */
  checkpoint: jsonColumn('checkpoint'),
  bytesSinceCheckpoint: integer('bytes_since_checkpoint').notNull(),
})

/** The journal: without a gap up to the head. Rows that came with a checkpoint have no bytes. */
export const journal = sqliteTable('journal', {
  version: integer('version').primaryKey(),
  hash: hashColumn('hash').notNull(),
  /** Length of `bytes`, so that sums need not read them. */
  size: integer('size').notNull(),
  bytes: bytesColumn('bytes'),
})

/** Which changeset of the journal adopts which orphan. The index serves isAdopted, the version rewinding. */
export const adoptions = sqliteTable(
  'adoptions',
  { version: integer('version').notNull(), orphan: hashColumn('orphan').notNull() },
  (table) => [index('adoptions_orphan').on(table.orphan), index('adoptions_version').on(table.version)],
)

/** Commits whose outcome is not yet settled. Written before the one step that decides. */
export const attempts = sqliteTable('attempts', {
  hash: hashColumn('hash').primaryKey(),
  version: integer('version').notNull(),
  parentVersion: integer('parent_version').notNull(),
  parentHash: hashColumn('parent_hash').notNull(),
  bytes: bytesColumn('bytes').notNull(),
})

/** Lost changesets of a fork that the next commit of this instance has to name. `sequence` keeps their order. */
export const orphans = sqliteTable('orphans', {
  sequence: integer('sequence').primaryKey(),
  hash: hashColumn('hash').notNull().unique(),
})
