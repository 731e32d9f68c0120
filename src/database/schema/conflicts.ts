/** Conflicts, open and resolved. Written when a changeset is applied; resolved ones stay to answer 404 or 409. */
import { sql } from 'drizzle-orm'
import { index, integer, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import { conflictIdColumn, hashColumn, jsonColumn, pathColumn, uuidColumn } from '../columns.ts'

export const conflicts = sqliteTable(
  'conflicts',
  {
    id: conflictIdColumn('id').primaryKey(),
    fileId: uuidColumn('file_id').notNull(),
    path: pathColumn('path').notNull(),
    kind: text('kind').notNull(),
    aspect: text('aspect').notNull(),
    /** The base; hash and size are NULL together, the value (JSON) is NULL where the base has none. */
    baseHash: hashColumn('base_hash'),
    baseSize: integer('base_size'),
    baseValue: text('base_value'),
    /** A JSON array of candidates: they are few, and always read and written as one set. */
    candidates: jsonColumn('candidates').notNull(),
    detectedAt: text('detected_at').notNull(),
    version: integer('version').notNull(),
    /** The resolution; all three are NULL while the conflict is open. */
    strategy: text('strategy'),
    resolvedVersion: integer('resolved_version'),
    resolvedAt: text('resolved_at'),
  },
  (table) => [
    // page and count of the open ones
    index('conflicts_open').on(table.id).where(sql`strategy IS NULL`),
    // ofFile: asked with every write to a tree while anything is in conflict
    index('conflicts_open_file').on(table.fileId).where(sql`strategy IS NULL`),
  ],
)
