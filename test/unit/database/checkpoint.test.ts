import { copyFileSync, existsSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import BetterSqlite from 'better-sqlite3'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { openCheckpoint } from '../../../src/database/read-checkpoint.ts'
import { isDavitError } from '../../../src/model/errors.ts'
import {
  fileId,
  fillRemote,
  openTestDatabase,
  remote,
  replicaSet,
  state,
  temporaryFolder,
} from '../../support/database-values.ts'

/** Everything that a checkpoint says. Throws what the reader throws. */
function readAll(file: string) {
  const checkpoint = openCheckpoint(file)
  try {
    return {
      meta: checkpoint.meta,
      files: [...checkpoint.files()],
      versions: [...checkpoint.versions()],
      contents: [...checkpoint.contents()],
      conflicts: [...checkpoint.conflicts()],
      chain: [...checkpoint.chain()],
    }
  } finally {
    checkpoint.close()
  }
}

function writeSample(): { readonly file: string; readonly database: ReturnType<typeof openTestDatabase> } {
  const database = openTestDatabase()
  fillRemote(database)
  const file = join(temporaryFolder(), 'checkpoint.db')
  database.writeCheckpoint(file)
  return { file, database }
}

const refused = expect.objectContaining({ code: 'remote-damaged', action: 'ask' })

describe('a checkpoint', () => {
  it('holds the remote side of the database, tombstones included', () => {
    const { file, database } = writeSample()
    const read = readAll(file)
    expect(read.meta).toEqual({
      format: 1,
      replicaSet,
      point: database.chain.point(),
      digest: database.chain.digest(),
      horizon: 1,
    })
    expect(read.files).toEqual([1, 2, 3].map((n) => database.trees.triple(fileId(n)).remote))
    expect(read.versions).toEqual(database.history.ofFile(fileId(1), { limit: 9 }))
    expect(read.contents).toHaveLength(1)
    expect(read.contents[0]).toEqual(database.contents.find(read.contents[0]?.hash ?? ''))
    expect(read.conflicts).toEqual(database.conflicts.page({ limit: 9 }))
    expect(read.chain.map(({ version, hash }) => [version, hash])).toEqual(
      [1, 2, 3].map((version) => [version, database.chain.hashAt(version)]),
    )
  })

  it('is one plain file that people can query, written anew over an old one', () => {
    const { file, database } = writeSample()
    const first = readFileSync(file)
    database.writeCheckpoint(file)
    expect(readFileSync(file)).toEqual(first)
    for (const rest of ['-wal', '-shm', '-journal']) expect(existsSync(`${file}${rest}`)).toBe(false)
    const plain = new BetterSqlite(file, { readonly: true })
    try {
      expect(plain.pragma('journal_mode', { simple: true })).toBe('delete')
      expect(plain.prepare("SELECT id FROM files WHERE path = 'a.md'").pluck().get()).toBe(fileId(1))
    } finally {
      plain.close()
    }
  })

  it('is not published when others would refuse it', () => {
    const { file, database } = writeSample()
    // The chain's digest does not know of this file.
    database.trees.putRemote(remote(fileId(9), state('unknown')))
    expect(() => database.writeCheckpoint(file)).toThrow(expect.objectContaining({ code: 'internal' }))
    expect(existsSync(file)).toBe(false)
    expect(database.trees.counts().remoteFiles).toBe(3)
    database.trees.removeRemote(fileId(9))
    database.writeCheckpoint(file)
    expect(readAll(file).files).toHaveLength(3)
  })

  it('is not written of no state, nor in the middle of a change', () => {
    const empty = openTestDatabase()
    const file = join(temporaryFolder(), 'checkpoint.db')
    expect(() => empty.writeCheckpoint(file)).toThrow(/no state/)
    fillRemote(empty)
    expect(() => empty.transaction(() => empty.writeCheckpoint(file))).toThrow(/within a transaction/)
    expect(existsSync(file)).toBe(false)
  })

  it('lets a hostile path pass as data', () => {
    const { file } = writeSample()
    vandalise(file, "UPDATE files SET path = '../../etc/passwd' WHERE deleted_version IS NOT NULL")
    expect(readAll(file).files.map((found) => found.state.path)).toContain('../../etc/passwd')
  })

  it('may be read in part, again and in any order', () => {
    const { file } = writeSample()
    const checkpoint = openCheckpoint(file)
    try {
      for (const first of checkpoint.files()) {
        expect(first.id).toBe(fileId(1))
        break
      }
      expect([...checkpoint.conflicts()]).toHaveLength(1)
      expect([...checkpoint.contents()]).toHaveLength(1)
      expect([...checkpoint.files()]).toHaveLength(3)
      expect([...checkpoint.files()]).toHaveLength(3)
    } finally {
      checkpoint.close()
    }
  })
})

/** Changes a checkpoint as somebody with bad intentions would: with every guard off. */
function vandalise(file: string, ...statements: string[]): void {
  const vandal = new BetterSqlite(file)
  try {
    vandal.unsafeMode(true)
    vandal.pragma('ignore_check_constraints = ON')
    vandal.pragma('writable_schema = ON')
    for (const statement of statements) vandal.exec(statement)
  } finally {
    vandal.close()
  }
}

describe('a hostile checkpoint is refused', () => {
  it.each<[string, (file: string) => void]>([
    ['of no bytes', (file) => writeFileSync(file, '')],
    ['a web page', (file) => writeFileSync(file, '<!doctype html>'.repeat(1_000))],
    ['an empty database', (file) => newDatabase(file, [])],
    ["another program's database", (file) => newDatabase(file, ['CREATE TABLE files (id)'])],
    ['cut off by 100 bytes', (file) => truncateSync(file, statSync(file).size - 100)],
    ['cut off by a page', (file) => truncateSync(file, statSync(file).size - 4_096)],
    ['with bytes behind its end', (file) => writeFileSync(file, Buffer.alloc(4_096), { flag: 'a' })],
    ['with a zeroed page', (file) => patch(file, 2 * 4_096, Buffer.alloc(4_096))],
    ['in WAL mode', (file) => patch(file, 18, Buffer.from([2, 2]))],
    ['of another format', (file) => patch(file, 60, Buffer.from([0, 0, 0, 2]))],
  ])('%s', (_name, spoil) => {
    const { file } = writeSample()
    spoil(file)
    expect(() => readAll(file)).toThrow(refused)
    for (const rest of ['-wal', '-shm', '-journal']) expect(existsSync(`${file}${rest}`)).toBe(false)
  })

  const rows: [string, string[]][] = [
    [
      'a view named like a table',
      [
        'ALTER TABLE contents RENAME TO real_contents',
        'CREATE VIEW contents AS WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x FROM n) SELECT x AS hash, x AS size, x AS name FROM n',
      ],
    ],
    ['a trigger', ['CREATE TRIGGER t AFTER INSERT ON files BEGIN DELETE FROM files; END']],
    ['a further table', ['CREATE TABLE extra (x)']],
    ['a generated column', ['ALTER TABLE contents ADD COLUMN x TEXT AS (upper(name))']],
    ['a missing index', ['DROP INDEX files_live_path']],
    ['a schema with another text', ["UPDATE sqlite_schema SET sql = sql || ' ' WHERE name = 'chain'"]],
    ['a blob for a path', ["UPDATE sqlite_schema SET sql = replace(sql, 'STRICT, ', '')"]],
    ['an id that is none', ["UPDATE files SET id = 'x' WHERE path = 'a.md'"]],
    [
      'an id in upper case',
      [
        "UPDATE files SET id = upper(id || '') WHERE path = 'gone.md'",
        "UPDATE files SET id = '01890000-0000-7000-8000-00000000000A' WHERE path = 'a.md'",
      ],
    ],
    ['a path that is too long', ["UPDATE files SET path = printf('%.5000c', 'x') WHERE path = 'gone.md'"]],
    ['a gigantic path', ["UPDATE files SET path = printf('%.9000000c', 'x') WHERE path = 'gone.md'"]],
    ['a NUL in a path', ["UPDATE files SET path = 'a' || char(0) || 'b' WHERE path = 'gone.md'"]],
    ['a path that is not UTF-8', ["UPDATE files SET path = CAST(x'61ff62' AS TEXT) WHERE path = 'gone.md'"]],
    [
      'a path of a lone surrogate',
      ["UPDATE files SET path = CAST(x'eda080' AS TEXT) WHERE path = 'gone.md'"],
    ],
    ['a kind that is none', ["UPDATE files SET kind = 'pipe' WHERE path = 'gone.md'"]],
    ['a folder with a hash', ["UPDATE files SET kind = 'folder' WHERE path = 'gone.md'"]],
    ['a file without a hash', ["UPDATE files SET hash = NULL WHERE path = 'gone.md'"]],
    ['a negative size', ["UPDATE files SET size = -1 WHERE path = 'gone.md'"]],
    ['a huge size', ["UPDATE files SET size = 9223372036854775807 WHERE path = 'gone.md'"]],
    ['a huge time', ["UPDATE files SET mtime_us = -9223372036854775808 WHERE path = 'gone.md'"]],
    ['a bit that is none', ["UPDATE files SET executable = 2 WHERE path = 'gone.md'"]],
    ['metadata that is no JSON', ["UPDATE files SET metadata = '{' WHERE path = 'gone.md'"]],
    ['metadata that is a list', ["UPDATE files SET metadata = '[]' WHERE path = 'gone.md'"]],
    [
      'metadata with __proto__',
      [`UPDATE files SET metadata = '{"__proto__":{"x":1}}' WHERE path = 'gone.md'`],
    ],
    [
      'metadata with a hidden __proto__',
      [`UPDATE files SET metadata = '{"a":[{"\\u005f_proto__":1}]}' WHERE path = 'gone.md'`],
    ],
    [
      'metadata nested without end',
      [
        "UPDATE files SET metadata = '{\"a\":' || replace(printf('%.30000c', 'x'), 'x', '[') || replace(printf('%.30000c', 'x'), 'x', ']') || '}' WHERE path = 'gone.md'",
      ],
    ],
    ['a version from the future', ["UPDATE files SET version = 4 WHERE path = 'gone.md'"]],
    ['a deletion without a time', ["UPDATE files SET deleted_at = NULL WHERE path = 'gone.md'"]],
    ['a deletion at no time', ["UPDATE files SET deleted_at = 'soon' WHERE path = 'gone.md'"]],
    ['a live file that was moved', ["UPDATE files SET path = 'elsewhere' WHERE path = 'a.md'"]],
    [
      'a file that came to life again',
      ["UPDATE files SET deleted_version = NULL, deleted_at = NULL WHERE path = 'gone.md'"],
    ],
    [
      'two live files at one path',
      ['DROP INDEX files_live_path', "UPDATE files SET path = 'a.md' WHERE path = 'folder/empty'"],
    ],
    ['a missing file', ["DELETE FROM files WHERE path = 'a.md'"]],
    ['a missing tombstone', ["DELETE FROM files WHERE path = 'gone.md'"]],
    ['a missing former version', ['DELETE FROM file_versions']],
    ['a version that ends before it begins', ['UPDATE file_versions SET version = 3']],
    ['a name with dots', ["UPDATE contents SET name = '../ab'"]],
    ['a missing content', ['DELETE FROM contents']],
    [
      'a candidate with more fields',
      [`UPDATE conflicts SET candidates = replace(candidates, '"size"', '"x":1,"size"')`],
    ],
    [
      'a candidate with __proto__',
      [`UPDATE conflicts SET candidates = replace(candidates, '"value":null', '"value":{"__proto__":1}')`],
    ],
    [
      'two candidates of one instance',
      ["UPDATE conflicts SET candidates = replace(candidates, 'bbbb', 'aaaa')"],
    ],
    ['no candidates', ["UPDATE conflicts SET candidates = '[]'"]],
    ['a conflict of another aspect', ["UPDATE conflicts SET aspect = 'existence'"]],
    ['a base without a hash', ['UPDATE conflicts SET base_hash = NULL']],
    ['a gap in the chain', ['DELETE FROM chain WHERE version = 2']],
    ['a chain that is too short', ['DELETE FROM chain WHERE version = 1']],
    [
      'a chain with another end',
      ['UPDATE chain SET hash = (SELECT hash FROM chain WHERE version = 1) WHERE version = 3'],
    ],
    ['another digest', ["UPDATE meta SET digest = replace(digest, substr(digest, 1, 1), 'z')"]],
    ['a wrong digest', ['UPDATE meta SET digest = hash']],
    ['no meta', ['DELETE FROM meta']],
    ['a replica set with no name', ["UPDATE meta SET replica_set = ''"]],
    ['a huge version', ['UPDATE meta SET version = 9007199254740993']],
  ]

  it.each(rows)('with %s', (_name, statements) => {
    const { file } = writeSample()
    vandalise(file, ...statements)
    expect(() => readAll(file)).toThrow(refused)
  })

  it.each([
    ['a blob for a path', "UPDATE files SET path = x'61'", 'path'],
    ['a text for a size', "UPDATE files SET size = '3 GB'", 'size'],
    ['a fraction for a size', 'UPDATE files SET size = 0.5', 'size'],
  ])('with %s in a table of the right schema', (_name, statement, column) => {
    const { file } = writeSample()
    // Made loose, filled, and given the right statement back.
    const strict = `sql = replace(sql, '\n) WITHOUT', '\n) STRICT, WITHOUT') WHERE name = 'files'`
    vandalise(file, "UPDATE sqlite_schema SET sql = replace(sql, 'STRICT, ', '') WHERE name = 'files'")
    vandalise(file, `${statement} WHERE path = 'gone.md'`, `UPDATE sqlite_schema SET ${strict}`)
    expect(() => readAll(file)).toThrow(refused)
    expect(() => readAll(file)).toThrow(new RegExp(column))
  })

  it('with two live files at one path that its index knows nothing of', () => {
    const { file } = writeSample()
    const index = `'index', 'files_live_path', 'files'`
    const vandal = new BetterSqlite(file)
    const row = vandal
      .prepare("SELECT rootpage, sql FROM sqlite_schema WHERE name = 'files_live_path'")
      .get() as {
      rootpage: number
      sql: string
    }
    vandal.close()
    vandalise(file, "DELETE FROM sqlite_schema WHERE name = 'files_live_path'")
    vandalise(
      file,
      "UPDATE files SET path = 'a.md' WHERE path = 'folder/empty'",
      `INSERT INTO sqlite_schema (type, name, tbl_name, rootpage, sql) VALUES (${index}, ${row.rootpage}, '${row.sql}')`,
    )
    expect(() => openCheckpoint(file)).toThrow(/files_live_path/)
  })

  it("says of another replica set's checkpoint whose it is", () => {
    const { file } = writeSample()
    vandalise(file, `UPDATE meta SET replica_set = '${fileId(8)}'`)
    expect(readAll(file).meta.replicaSet).toBe(fileId(8))
  })

  it('or says the same as before, whichever bytes are changed', () => {
    const { file } = writeSample()
    const sound = readFileSync(file)
    const said = readAll(file)
    const mutant = `${file}.mutant`
    let refusals = 0
    fc.assert(
      fc.property(
        fc.array(
          fc.record({
            at: fc.integer({ min: 0, max: sound.length - 1 }),
            bytes: fc.uint8Array({ minLength: 1, maxLength: 8 }),
          }),
          { minLength: 1, maxLength: 4 },
        ),
        (changes) => {
          copyFileSync(file, mutant)
          for (const { at, bytes } of changes)
            patch(mutant, at, Buffer.from(bytes.slice(0, sound.length - at)))
          let read: ReturnType<typeof readAll>
          try {
            read = readAll(mutant)
          } catch (error) {
            if (!isDavitError(error, 'remote-damaged')) throw error
            refusals += 1
            return
          }
          // What the digest does not cover is bounded by its own checks; its content hash covers the whole file.
          expect(read.files.filter((found) => found.deletedVersion === null)).toEqual(
            said.files
              .filter((found) => found.deletedVersion === null)
              .map((found, index) => ({
                ...found,
                version: read.files.filter((one) => one.deletedVersion === null)[index]?.version,
              })),
          )
          expect(read.contents).toEqual(said.contents)
          expect(read.chain.map(({ version }) => version)).toEqual(said.chain.map(({ version }) => version))
        },
      ),
      { numRuns: 300 },
    )
    expect(refusals).toBeGreaterThan(0)
  })
})

function newDatabase(file: string, statements: string[]): void {
  writeFileSync(file, '')
  const database = new BetterSqlite(file)
  database.pragma('user_version = 1')
  for (const statement of statements) database.exec(statement)
  database.close()
}

function patch(file: string, at: number, bytes: Buffer): void {
  const all = readFileSync(file)
  bytes.copy(all, at)
  writeFileSync(file, all)
}
