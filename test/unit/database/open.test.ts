import { copyFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import BetterSqlite from 'better-sqlite3'
import { describe, expect, it, onTestFinished } from 'vitest'
import { requireSqlite } from '../../../src/database/connection.ts'
import { openDatabase } from '../../../src/database/open-database.ts'
import { summary } from '../../conformance/database-suite.ts'
import {
  conflict,
  fileId,
  fillRemote,
  local,
  me,
  openTestDatabase,
  state,
  temporaryFolder,
} from '../../support/database-values.ts'

describe('opening the database', () => {
  it('keeps everything over a restart', () => {
    const file = join(temporaryFolder(), 'metadata.db')
    const first = openDatabase({ file, instance: () => me })
    fillRemote(first)
    first.trees.putLocal(local(fileId(7), state('new')))
    first.problems.put({ path: 'new', code: 'x', detail: '' }, 'then')
    const seen = {
      counts: first.trees.counts(),
      files: first.trees.remotePage({ limit: 9 }),
      dirty: first.trees.dirtyPage({ limit: 9 }),
      conflict: first.conflicts.page({ limit: 9 }),
      point: first.chain.point(),
    }
    first.makeDurable()
    first.close()
    const second = openTestDatabase(file)
    expect({
      counts: second.trees.counts(),
      files: second.trees.remotePage({ limit: 9 }),
      dirty: second.trees.dirtyPage({ limit: 9 }),
      conflict: second.conflicts.page({ limit: 9 }),
      point: second.chain.point(),
    }).toEqual(seen)
    expect([second.conflicts.count(), second.problems.count()]).toEqual([1, 1])
    expect(second.verify()).toEqual([])
  })

  it('shows after a crash what was committed, and nothing of what was not', () => {
    const folder = temporaryFolder()
    const file = join(folder, 'metadata.db')
    const copy = join(folder, 'copy.db')
    const database = openTestDatabase(file)
    database.trees.putLocal(local(fileId(1), state('committed')))
    database.transaction(() => {
      database.trees.putLocal(local(fileId(2), state('under way')))
      // What a process that is killed here leaves behind.
      for (const part of ['', '-wal']) copyFileSync(`${file}${part}`, `${copy}${part}`)
    })
    const restarted = openTestDatabase(copy)
    expect(restarted.trees.localPage({ limit: 9 }).map(({ state }) => state.path)).toEqual(['committed'])
    expect(restarted.trees.counts()).toMatchObject({ pending: 1, localFiles: 1 })
    expect(restarted.verify()).toEqual([])
  })

  it('says of a run that a crash cut off that it failed', () => {
    const file = join(temporaryFolder(), 'metadata.db')
    const first = openDatabase({ file, instance: () => me })
    first.runs.finish(summary('whole'))
    first.runs.start({
      runId: 'cut',
      kind: 'full',
      trigger: 'schedule',
      startedAt: '2026-11-20T12:00:00.000Z',
    })
    first.close()
    const { runs } = openTestDatabase(file)
    expect(runs.page({ limit: 9 }).map(({ runId, outcome }) => [runId, outcome])).toEqual([
      ['cut', 'failed'],
      ['whole', 'in-sync'],
    ])
    expect(runs.get('cut')).toMatchObject({ kind: 'full', trigger: 'schedule', error: { code: 'stopped' } })
  })

  it('sets the pragmas on purpose', () => {
    const file = join(temporaryFolder(), 'metadata.db')
    openTestDatabase(file)
    const reader = new BetterSqlite(file, { readonly: true })
    try {
      expect(reader.pragma('journal_mode', { simple: true })).toBe('wal')
      expect(reader.pragma('application_id', { simple: true })).toBe(0x44617674)
      expect(reader.pragma('user_version', { simple: true })).toBe(3)
      const tables = reader.pragma('table_list') as { name: string; wr: number; strict: number }[]
      const own = tables.filter(({ name }) => !/^(sqlite_|__drizzle)/.test(name))
      expect(own.filter(({ strict }) => strict !== 1)).toEqual([])
      for (const name of [
        'local_files',
        'synced_files',
        'remote_files',
        'dirty',
        'contents',
        'file_versions',
      ])
        expect(own.find((table) => table.name === name)?.wr).toBe(1)
    } finally {
      reader.close()
    }
  })

  it('reads paths and ids by index, never by a walk over a tree', () => {
    const file = join(temporaryFolder(), 'metadata.db')
    openTestDatabase(file)
    const reader = new BetterSqlite(file, { readonly: true })
    const queries = [
      'SELECT id FROM local_files WHERE path = ? ORDER BY presence = 2, id LIMIT 1',
      'SELECT id FROM local_files WHERE path > ? AND true ORDER BY path, id LIMIT 9',
      'SELECT * FROM remote_files WHERE path > ? AND deleted_version IS NULL ORDER BY path, id LIMIT 9',
      'SELECT * FROM remote_files WHERE path = ? AND deleted_version IS NOT NULL',
      'SELECT 1 FROM synced_files WHERE path >= ? AND path < ?',
      'SELECT id FROM dirty WHERE minor = 0 AND id > ? ORDER BY id',
      'SELECT * FROM local_files WHERE presence <> 0 AND presence = ? AND id > ? ORDER BY id LIMIT 9',
      'SELECT * FROM local_files WHERE stamp_inode = ? AND presence = 0 ORDER BY id',
      'SELECT * FROM conflicts WHERE file_id = ? AND strategy IS NULL ORDER BY id',
    ]
    try {
      for (const query of queries) {
        const plan = reader.prepare(`EXPLAIN QUERY PLAN ${query.replaceAll('?', "x'00'")}`).all() as {
          detail: string
        }[]
        expect(plan.map(({ detail }) => detail).join('\n'), query).toMatch(/^SEARCH/)
      }
    } finally {
      reader.close()
    }
  })

  it('refuses a database of a newer Davit and leaves it as it is', () => {
    const file = join(temporaryFolder(), 'metadata.db')
    const newer = new BetterSqlite(file)
    newer.exec('PRAGMA application_id = 1147238004; PRAGMA user_version = 99; CREATE TABLE t (x)')
    newer.close()
    const before = readFileSync(file)
    expect(() => openTestDatabase(file)).toThrow(
      expect.objectContaining({ code: 'state-newer', action: 'ask' }),
    )
    expect(readFileSync(file)).toEqual(before)
    expect(existsSync(`${file}-wal`)).toBe(false)
  })

  it.each([
    ['a web page', Buffer.from('<!doctype html><title>Log in</title>'.repeat(200))],
    ['noise', Buffer.alloc(8_192, 0xa5)],
  ])('refuses %s and leaves it as it is', (_name, bytes) => {
    const file = join(temporaryFolder(), 'metadata.db')
    writeFileSync(file, bytes)
    expect(() => openTestDatabase(file)).toThrow(expect.objectContaining({ code: 'internal', action: 'ask' }))
    expect(readFileSync(file)).toEqual(bytes)
  })

  it("refuses another program's database and leaves it as it is", () => {
    const file = join(temporaryFolder(), 'metadata.db')
    const foreign = new BetterSqlite(file)
    foreign.exec('CREATE TABLE notes (text)')
    foreign.close()
    const before = readFileSync(file)
    expect(() => openTestDatabase(file)).toThrow(/another program/)
    expect(readFileSync(file)).toEqual(before)
  })

  it('takes an empty file for a new database, as a crash at its creation leaves one', () => {
    const file = join(temporaryFolder(), 'metadata.db')
    writeFileSync(file, '')
    expect(openTestDatabase(file).chain.point()).toBeNull()
  })

  it('goes on with a file in which a crash at its creation left the table of migrations alone', () => {
    const file = join(temporaryFolder(), 'metadata.db')
    const halfMade = new BetterSqlite(file)
    halfMade.exec(
      'CREATE TABLE __drizzle_migrations (id SERIAL PRIMARY KEY, hash text NOT NULL, created_at numeric)',
    )
    halfMade.close()
    expect(openTestDatabase(file).chain.point()).toBeNull()
  })

  it("refuses another program's database that has migrations of its own", () => {
    const file = join(temporaryFolder(), 'metadata.db')
    const foreign = new BetterSqlite(file)
    foreign.exec(
      'CREATE TABLE __drizzle_migrations (id SERIAL PRIMARY KEY, hash text NOT NULL, created_at numeric)',
    )
    foreign.exec("INSERT INTO __drizzle_migrations (hash, created_at) VALUES ('theirs', 1)")
    foreign.close()
    expect(() => openTestDatabase(file)).toThrow(/another program/)
  })

  it('refuses an SQLite that can lose data', () => {
    expect(() => requireSqlite('3.51.2')).toThrow(/3\.51\.3/)
    expect(() => requireSqlite('3.9.9')).toThrow(/3\.51\.3/)
    for (const version of ['3.51.3', '3.53.0', '4.0.0']) expect(() => requireSqlite(version)).not.toThrow()
  })
})

it('a private database begins as the bytes of a file, and leaves them as they are', () => {
  const file = join(temporaryFolder(), 'metadata.db')
  const first = openDatabase({ file, instance: () => me })
  first.settings.set('key', 'kept')
  first.close()
  const image = readFileSync(file)
  const before = Buffer.from(image)
  const database = openDatabase({ file: ':memory:', image, instance: () => me })
  onTestFinished(() => database.close())
  expect(database.settings.get('key')).toBe('kept')
  fillRemote(database)
  expect(database.verify()).toEqual([])
  database.makeDurable()
  expect(image.equals(before)).toBe(true)
  const another = openDatabase({ file: ':memory:', image, instance: () => me })
  onTestFinished(() => another.close())
  expect(another.trees.counts().remoteFiles).toBe(0)
})

describe('verifying the database', () => {
  it('finds nothing in a sound one', () => {
    const database = openTestDatabase()
    fillRemote(database)
    expect(database.verify()).toEqual([])
  })

  it.each([
    ['a dirty file that is not recorded', 'DELETE FROM dirty', 'recorded as clean'],
    ['a changed path', "UPDATE remote_files SET path = 'other' WHERE path = 'a.md'", 'digest'],
    [
      'two files at one path',
      "UPDATE remote_files SET path = 'a.md' WHERE path = 'folder/empty'",
      'two live files',
    ],
    ['a lost row', "DELETE FROM remote_files WHERE path = 'a.md'", 'remoteFiles'],
    ['another head', 'UPDATE head SET digest = zeroblob(32)', 'digest'],
  ])('finds %s', (_name, damage, finding) => {
    const file = join(temporaryFolder(), 'metadata.db')
    const database = openTestDatabase(file)
    fillRemote(database)
    database.conflicts.remove(conflict(1, fileId(1)).id)
    database.conflicts.put(conflict(1, fileId(1)))
    const vandal = new BetterSqlite(file)
    vandal.exec(damage)
    vandal.close()
    expect(
      database
        .verify()
        .map(({ detail }) => detail)
        .join('\n'),
    ).toContain(finding)
  })
})
