/**
 * The schema of a checkpoint: the shared `metadata.db`. Ids and hashes are text, so that people and other programs
 * can query it with nothing but `sqlite3`. A reader demands exactly these statements, character by character: a view
 * or a trigger in a downloaded file is not looked at, it is refused. A change here is a new `checkpointFormat`.
 */
export const checkpointFormat = 1 as const
/** 'DavC'. */
export const checkpointApplicationId = 0x44617643

const state = `  path TEXT NOT NULL,
  kind TEXT NOT NULL,
  size INTEGER NOT NULL,
  hash TEXT,
  executable INTEGER NOT NULL,
  mtime_us INTEGER NOT NULL,
  metadata TEXT NOT NULL`

/** In the order in which they are made. */
export const checkpointStatements: readonly {
  readonly type: 'table' | 'index'
  readonly name: string
  readonly table: string
  readonly sql: string
}[] = [
  table(
    'meta',
    `  id INTEGER PRIMARY KEY CHECK (id = 1),
  format INTEGER NOT NULL,
  replica_set TEXT NOT NULL,
  version INTEGER NOT NULL,
  hash TEXT NOT NULL,
  digest TEXT NOT NULL,
  horizon INTEGER NOT NULL,
  files INTEGER NOT NULL,
  file_versions INTEGER NOT NULL,
  contents INTEGER NOT NULL,
  conflicts INTEGER NOT NULL`,
    'STRICT',
  ),
  // Tombstones included: `deleted_version` is NULL while a file is live.
  table(
    'files',
    `  id TEXT PRIMARY KEY NOT NULL,
${state},
  version INTEGER NOT NULL,
  deleted_version INTEGER,
  deleted_at TEXT`,
  ),
  {
    type: 'index',
    name: 'files_live_path',
    table: 'files',
    sql: 'CREATE UNIQUE INDEX files_live_path ON files (path) WHERE deleted_version IS NULL',
  },
  table(
    'file_versions',
    `  file_id TEXT NOT NULL,
  version INTEGER NOT NULL,
  until_version INTEGER NOT NULL,
${state},
  PRIMARY KEY (file_id, version)`,
  ),
  table(
    'contents',
    `  hash TEXT PRIMARY KEY NOT NULL,
  size INTEGER NOT NULL,
  name TEXT NOT NULL`,
  ),
  // Open ones. `candidates` is a JSON array, `base_value` JSON or NULL.
  table(
    'conflicts',
    `  id TEXT PRIMARY KEY NOT NULL,
  file_id TEXT NOT NULL,
  path TEXT NOT NULL,
  kind TEXT NOT NULL,
  aspect TEXT NOT NULL,
  base_hash TEXT,
  base_size INTEGER,
  base_value TEXT,
  candidates TEXT NOT NULL,
  detected_at TEXT NOT NULL,
  version INTEGER NOT NULL`,
  ),
  table(
    'chain',
    `  version INTEGER PRIMARY KEY NOT NULL,
  hash TEXT NOT NULL`,
    'STRICT',
  ),
]

function table(name: string, columns: string, options = 'STRICT, WITHOUT ROWID') {
  return {
    type: 'table' as const,
    name,
    table: name,
    sql: `CREATE TABLE ${name} (\n${columns}\n) ${options}`,
  }
}
