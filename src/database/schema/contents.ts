/** Where contents lie in the store, and the former states of files. Written when a changeset is applied. */
import { integer, primaryKey, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import { hashColumn, uuidColumn } from '../columns.ts'
import { stateColumns } from './trees.ts'

/** The store's own knowledge of its objects: content hash → object. */
export const contents = sqliteTable('contents', {
  hash: hashColumn('hash').primaryKey(),
  size: integer('size').notNull(),
  name: text('name').notNull(),
})

/** States that were current from `version` until `until_version`. The key serves the history of one file. */
export const fileVersions = sqliteTable(
  'file_versions',
  {
    fileId: uuidColumn('file_id').notNull(),
    version: integer('version').notNull(),
    untilVersion: integer('until_version').notNull(),
    ...stateColumns(),
  },
  (table) => [primaryKey({ columns: [table.fileId, table.version] })],
)
