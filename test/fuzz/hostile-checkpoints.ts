/**
 * Checkpoints that somebody made: rows that say what no instance says, types that the schema forbids, views in place of
 * tables, triggers, pages gone. Counts and digest are put right again mostly, since nothing gets far without them.
 */
import fs from 'node:fs'
import path from 'node:path'
import BetterSqlite, { type Database as Connection } from 'better-sqlite3'
import { openCheckpoint } from '../../src/database/read-checkpoint.ts'
import { changeDigest, type DigestEntry, emptyDigest } from '../../src/model/digest.ts'
import { type Author, candidate } from './author.ts'
import type { Chance } from './chance.ts'
import { hostilePath, hostileText, hostileTree } from './hostile-values.ts'
import { print } from './json-text.ts'
import { mutateBytes } from './mutate-bytes.ts'
import { makeScratchFolder } from './scratch.ts'

export class CheckpointForge {
  /** An honest one, of the author's state. */
  readonly honest: Uint8Array
  private readonly folder = makeScratchFolder('forge')
  private readonly file = path.join(this.folder, 'forged.db')

  constructor(author: Author) {
    author.database.writeCheckpoint(this.file)
    this.honest = fs.readFileSync(this.file)
  }

  close(): void {
    fs.rmSync(this.folder, { recursive: true, force: true })
  }

  /** With the schema changed as told; nothing is counted again. */
  rewrite(statements: string): Uint8Array {
    return edit(this.honest, (connection) => connection.exec(statements))
  }

  /** With rows changed as told, and counts and digest that fit them. */
  change(statement: string): Uint8Array {
    return this.withDigest(
      edit(this.honest, (connection) => {
        connection.exec(statement)
        recount(connection)
      }),
    )
  }

  /** Changed by SQL: rows, types, schema. */
  forge(chance: Chance): Uint8Array {
    let bytes: Uint8Array = this.honest
    const isLoose = chance.maybe(0.3)
    const schema = new Map<string, string>()
    if (isLoose) bytes = edit(bytes, (connection) => loosen(connection, schema))
    bytes = edit(bytes, (connection) => {
      for (let changes = 1 + chance.few(); changes > 0; changes--)
        attempt(() => changeRow(connection, chance))
      if (chance.maybe(0.8)) recount(connection)
    })
    if (isLoose) bytes = edit(bytes, (connection) => tighten(connection, schema))
    if (chance.maybe(0.7)) bytes = this.withDigest(bytes)
    // ORDER: last. Whoever counts the rows of an endless view never comes back.
    return chance.maybe(0.15)
      ? edit(bytes, (connection) => attempt(() => changeSchema(connection, chance)))
      : bytes
  }

  /** With the digest of the rows as the reader sees them, as far as it reads them. */
  private withDigest(bytes: Uint8Array): Uint8Array {
    fs.writeFileSync(this.file, bytes)
    let digest = emptyDigest
    try {
      const checkpoint = openCheckpoint(this.file)
      try {
        const entries: DigestEntry[] = []
        for (const { id, state, deletedVersion } of checkpoint.files())
          if (deletedVersion === null) entries.push({ kind: 'file', id, state })
        for (const content of checkpoint.contents()) entries.push({ kind: 'content', ...content })
        digest = changeDigest(digest, { add: entries, remove: [] })
        const conflicts: DigestEntry[] = []
        try {
          for (const conflict of checkpoint.conflicts()) conflicts.push({ kind: 'conflict', conflict })
        } catch {
          // The last row of the last table is followed by the complaint about the digest.
        }
        digest = changeDigest(digest, { add: conflicts, remove: [] })
      } finally {
        checkpoint.close()
      }
    } catch {
      return bytes
    }
    return edit(bytes, (connection) =>
      attempt(() => connection.prepare('UPDATE meta SET digest = ?').run(digest)),
    )
  }
}

function edit(bytes: Uint8Array, change: (connection: Connection) => void): Uint8Array {
  const connection = new BetterSqlite(Buffer.from(bytes))
  try {
    connection.unsafeMode(true)
    change(connection)
    return connection.serialize()
  } catch {
    return bytes
  } finally {
    connection.close()
  }
}

/** What SQLite refuses is left as it is. */
function attempt(work: () => void): void {
  try {
    work()
  } catch (error) {
    if (
      !(error instanceof BetterSqlite.SqliteError) &&
      !(error instanceof TypeError) &&
      !(error instanceof RangeError)
    )
      throw error
  }
}

/** Takes STRICT and NOT NULL away, so that any value gets into any column; the text is put back later. */
function loosen(connection: Connection, schema: Map<string, string>): void {
  const rows = connection
    .prepare<[], { name: string; sql: string }>("SELECT name, sql FROM sqlite_schema WHERE type = 'table'")
    .all()
  connection.pragma('writable_schema = ON')
  const update = connection.prepare('UPDATE sqlite_schema SET sql = ? WHERE name = ?')
  for (const { name, sql } of rows) {
    schema.set(name, sql)
    const plain = sql.replace(/\) STRICT, WITHOUT ROWID$/, ') WITHOUT ROWID').replace(/\) STRICT$/, ')')
    update.run(plain.replace(/ (TEXT|INTEGER) NOT NULL/g, '').replace(/ (TEXT|INTEGER)(?=[,\n])/g, ''), name)
  }
}

function tighten(connection: Connection, schema: ReadonlyMap<string, string>): void {
  connection.pragma('writable_schema = ON')
  const update = connection.prepare('UPDATE sqlite_schema SET sql = ? WHERE name = ?')
  for (const [name, sql] of schema) update.run(sql, name)
}

const columns: Readonly<Record<string, readonly string[]>> = {
  meta: [
    'format',
    'replica_set',
    'version',
    'hash',
    'digest',
    'horizon',
    'files',
    'file_versions',
    'contents',
    'conflicts',
  ],
  files: [
    'id',
    'path',
    'kind',
    'size',
    'hash',
    'executable',
    'mtime_us',
    'metadata',
    'version',
    'deleted_version',
    'deleted_at',
  ],
  file_versions: ['file_id', 'version', 'until_version', 'path', 'kind', 'size', 'hash', 'metadata'],
  contents: ['hash', 'size', 'name'],
  conflicts: [
    'id',
    'file_id',
    'path',
    'kind',
    'aspect',
    'base_hash',
    'base_size',
    'base_value',
    'candidates',
    'detected_at',
    'version',
  ],
  chain: ['version', 'hash'],
}

function changeRow(connection: Connection, chance: Chance): void {
  const table = chance.pick([
    'meta',
    'files',
    'files',
    'files',
    'file_versions',
    'contents',
    'conflicts',
    'conflicts',
    'chain',
  ])
  const column = chance.pick(columns[table] as readonly string[])
  const first = (columns[table] as readonly string[])[0] as string
  switch (chance.int(8)) {
    case 0:
      connection
        .prepare(`DELETE FROM ${table} WHERE ${first} = (SELECT ${first} FROM ${table} LIMIT 1)`)
        .run()
      return
    case 1:
      connection.prepare(`UPDATE ${table} SET ${column} = ?`).run(valueFor(column, chance) as never)
      return
    default: {
      const offset = chance.int(4)
      connection
        .prepare(
          `UPDATE ${table} SET ${column} = ? WHERE ${first} = (SELECT ${first} FROM ${table} LIMIT 1 OFFSET ${offset})`,
        )
        .run(valueFor(column, chance) as never)
    }
  }
}

type Value = string | number | bigint | Uint8Array | null

function valueFor(column: string, chance: Chance): Value {
  if (chance.maybe(0.15)) return anyValue(chance)
  switch (column) {
    case 'path':
      return hostilePath(chance)
    case 'metadata':
    case 'base_value':
      return chance.pick([
        () => print(hostileTree(chance)),
        () => '{"a":null}',
        () => '{"n":1e999}',
        () => '{"t":"\\ud800"}',
        () => `${'{"a":'.repeat(40)}1${'}'.repeat(40)}`,
        () => '{"a":1,"a":2}',
        () => ' {"a" : 1.0 }',
        () => '{"constructor":{"prototype":1}}',
      ])()
    case 'candidates': {
      const side = { ...candidate, name: hostileText(chance), at: hostileText(chance) }
      return chance.pick([
        () => print(hostileTree(chance)),
        () => JSON.stringify([]),
        () => JSON.stringify([candidate, candidate]),
        () => JSON.stringify([{ ...side, value: null }]),
        () => JSON.stringify([{ ...side, value: [[[1]]] }]),
        () => JSON.stringify([{ ...side, size: 2 ** 53 }]),
        () => JSON.stringify([side]),
      ])()
    }
    case 'aspect':
      return chance.pick([
        'content',
        'metadata.',
        'metadata.__proto__',
        'metadata.labels',
        'content\n',
        'x',
        `metadata.${'x'.repeat(70_000)}`,
      ])
    case 'kind':
      return chance.pick(['file', 'folder', 'edit', 'create', 'metadata', 'files', ''])
    case 'deleted_at':
    case 'detected_at':
      return chance.pick([
        '2026-01-02T03:04:05.678Z',
        '1',
        'yesterday',
        '',
        '2026-99-99T00:00:00Z',
        '2026-01-01',
        'x'.repeat(100),
      ])
    case 'name':
      return chance.pick([
        '../x',
        'version/x',
        `ab/${'ab'.repeat(32)}-${'0'.repeat(24)}`,
        '',
        'metadata.db',
        'a'.repeat(300),
      ])
    case 'id':
    case 'file_id':
      return chance.pick([
        '01900000-0000-7000-9000-000000000077',
        '01900000-0000-7000-9000-000000000002',
        '../x',
        'c'.repeat(32),
        '',
      ])
    case 'replica_set':
      return chance.pick(['other-set', '01900000-0000-7000-8000-000000000001', '', 'X Y', 'x'.repeat(200)])
    case 'hash':
    case 'digest':
    case 'base_hash':
      return chance.pick([
        chance.hex(64),
        '0'.repeat(64),
        chance.hex(63),
        null,
        chance.hex(64).toUpperCase(),
        `${chance.hex(64)}\n`,
      ])
    default:
      return chance.pick([
        0,
        1,
        2,
        3,
        4,
        -1,
        1.5,
        2 ** 53,
        9223372036854775807n,
        -9223372036854775808n,
        1e300,
        5,
        null,
      ])
  }
}

function anyValue(chance: Chance): Value {
  return chance.pick<() => Value>([
    () => null,
    () => 0,
    () => -1,
    () => 1.5,
    () => Number.POSITIVE_INFINITY,
    () => 9223372036854775807n,
    () => '',
    () => 'x'.repeat(chance.pick([10, 5_000, 200_000])),
    () => 'a\0b',
    () => chance.bytes(16),
    () => Buffer.alloc(100_000),
    () => '1',
    () => Buffer.from([0xff, 0xfe, 0x80]),
  ])()
}

const endless = 'WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT x FROM n'

function changeSchema(connection: Connection, chance: Chance): void {
  const table = chance.pick(Object.keys(columns))
  const list = (columns[table] as readonly string[]).map((column) => `x AS ${column}`).join(', ')
  connection.pragma('writable_schema = ON')
  connection.exec(
    chance.pick([
      `DROP TABLE ${table}; CREATE VIEW ${table} AS SELECT ${list} FROM (${endless})`,
      `CREATE TRIGGER t AFTER INSERT ON ${table} BEGIN DELETE FROM files; END`,
      `ALTER TABLE ${table} ADD COLUMN extra INTEGER`,
      `ALTER TABLE ${table} ADD COLUMN extra TEXT GENERATED ALWAYS AS (hex(randomblob(10))) VIRTUAL`,
      `ALTER TABLE ${table} RENAME TO gone`,
      `CREATE TABLE more (x)`,
      `CREATE INDEX i ON files (path)`,
      `CREATE INDEX i ON files (abs(random()))`,
      `DROP INDEX files_live_path`,
      `CREATE VIRTUAL TABLE v USING fts5(x)`,
      `UPDATE sqlite_schema SET sql = 'CREATE VIEW ${table} AS ${endless}', type = 'view', rootpage = 0 WHERE name = '${table}'`,
      `UPDATE sqlite_schema SET rootpage = ${chance.pick([0, 1, 2, 3, 9_999, -1])} WHERE name = '${table}'`,
      `UPDATE sqlite_schema SET sql = sql || ' ' WHERE name = '${table}'`,
      `UPDATE sqlite_schema SET sql = NULL WHERE name = '${table}'`,
      `UPDATE sqlite_schema SET name = zeroblob(1000000) WHERE name = '${table}'`,
      `INSERT INTO sqlite_schema SELECT * FROM sqlite_schema`,
      `DELETE FROM sqlite_schema WHERE name = '${table}'`,
      `PRAGMA user_version = ${chance.pick([0, 2, -1])}`,
      `PRAGMA application_id = 0`,
      'PRAGMA auto_vacuum = FULL; VACUUM',
      'PRAGMA page_size = 512; VACUUM',
      'ANALYZE',
    ]),
  )
}

function recount(connection: Connection): void {
  for (const table of ['files', 'file_versions', 'contents', 'conflicts'])
    attempt(() => connection.exec(`UPDATE meta SET ${table} = (SELECT count(*) FROM ${table})`))
}

/** Changed as a file: pages, the header, its length. */
export function damageFile(honest: Uint8Array, chance: Chance): Uint8Array {
  const copy = Buffer.from(honest)
  const pages = copy.length / 4_096
  const page = (number: number) => copy.subarray(number * 4_096, (number + 1) * 4_096)
  switch (chance.int(12)) {
    case 0:
      page(chance.int(pages)).fill(0)
      return copy
    case 1:
      page(chance.int(pages)).set(page(chance.int(pages)))
      return copy
    case 2:
      return copy.subarray(0, chance.int(pages) * 4_096)
    case 3:
      return copy.subarray(0, chance.int(copy.length))
    case 4:
      return chance.pick([
        Buffer.alloc(0),
        Buffer.from('<html></html>'),
        Buffer.alloc(4_096),
        Buffer.alloc(100),
      ])
    case 5:
      return Buffer.concat([copy, Buffer.alloc(4_096)])
    case 6:
      copy.writeUInt32BE(chance.pick([0, 1, 2 ** 32 - 1, pages + 1, 2 ** 31]), 28)
      return copy
    case 7:
      copy[chance.int(100)] = chance.int(256)
      return copy
    case 8: {
      // Within one page only: its header says how many cells it has and where they begin.
      const start = chance.int(pages) * 4_096
      copy[start + chance.int(64)] = chance.int(256)
      return copy
    }
    case 9:
      copy[18] = copy[19] = 2
      return copy
    default:
      return mutateBytes(copy, chance)
  }
}
