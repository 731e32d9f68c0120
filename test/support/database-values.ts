/** Values and databases for the tests of the local database. */
import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import type { Database } from '../../src/database/database.ts'
import { openDatabase } from '../../src/database/open-database.ts'
import type { Changeset } from '../../src/model/changeset.ts'
import { emptyStorePoint } from '../../src/model/changeset.ts'
import type { Conflict } from '../../src/model/conflict.ts'
import { changeDigest, emptyDigest } from '../../src/model/digest.ts'
import type { FileState, LocalFile, RemoteFile } from '../../src/model/file-state.ts'

export const me = '01890000-0000-7000-8000-00000000aaaa'
export const other = '01890000-0000-7000-8000-00000000bbbb'
export const replicaSet = '01890000-0000-7000-8000-00000000cccc'

export function fileId(n: number): string {
  return `01890000-0000-7000-8000-${n.toString(16).padStart(12, '0')}`
}

export function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

export function state(path: string, content = path, changes: Partial<FileState> = {}): FileState {
  return {
    path,
    kind: 'file',
    size: content.length,
    hash: hashOf(content),
    executable: false,
    mtimeUs: 1_790_000_000_123_456,
    metadata: {},
    ...changes,
  }
}

export function local(id: string, of: FileState, changes: Partial<LocalFile> = {}): LocalFile {
  return {
    id,
    state: of,
    stamp: {
      size: of.size,
      mtimeMs: 1_790_000_000_123.456,
      ctimeMs: 1_790_000_000_123.5,
      inode: 2 ** 60,
      birthtimeMs: 0,
    },
    racy: false,
    absence: null,
    ...changes,
  }
}

export function remote(id: string, of: FileState, version = 1): RemoteFile {
  return { id, state: of, version, deletedVersion: null, deletedAt: null }
}

export function tombstone(id: string, of: FileState, version = 2): RemoteFile {
  return { id, state: of, version, deletedVersion: version, deletedAt: '2026-11-20T12:00:00.000Z' }
}

export function conflict(n: number, file: string, changes: Partial<Conflict> = {}): Conflict {
  return {
    id: n.toString(16).padStart(32, '0'),
    fileId: file,
    path: 'a.md',
    kind: 'edit',
    aspect: 'content',
    base: { hash: hashOf('base'), size: 4 },
    candidates: [
      { instance: me, name: 'desk', hash: hashOf('mine'), size: 4, at: '2026-11-20T12:00:00.000Z' },
    ],
    detectedAt: '2026-11-20T12:00:01.000Z',
    version: 1,
    ...changes,
  }
}

/** A folder that is removed after the test. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'davit-database-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** A database that is closed after the test, in memory unless a file is named. */
export function openTestDatabase(file = ':memory:'): Database {
  const database = openDatabase({ file, instance: () => me })
  onTestFinished(() => database.close())
  return database
}

/** A changeset without operations that follows the database's head. */
export function nextChangeset(database: Database, changes: Partial<Changeset['header']> = {}): Changeset {
  const parent = database.chain.point() ?? emptyStorePoint
  const version = parent.version + 1
  const bytes = Buffer.from(`changeset ${version} on ${parent.hash} ${JSON.stringify(changes)}`)
  return {
    point: { version, hash: hashOf(bytes.toString()) },
    header: {
      format: 1,
      version,
      parent: parent.hash,
      replicaSet,
      instance: { id: other, name: 'lab', incarnation: '0' },
      nonce: '00',
      at: '2026-11-20T12:00:00.000Z',
      operations: 0,
      ancestors: [parent.hash],
      adopts: [],
      digest: emptyDigest,
      checkpoint: null,
      ...changes,
    },
    operations: [],
    bytes,
  }
}

/** Two live files, a tombstone, history, contents and a conflict, at version 3 of a chain with the right digest. */
export function fillRemote(database: Database): void {
  const [first, second, gone] = [
    remote(fileId(1), state('a.md', 'one', { metadata: { labels: ['x', 'ü'] } })),
    remote(fileId(2), state('folder/empty', '', { kind: 'folder', hash: null, size: 0, mtimeUs: 0 }), 3),
    tombstone(fileId(3), state('gone.md')),
  ]
  const open = conflict(1, fileId(1), {
    candidates: [
      {
        instance: me,
        name: 'desk',
        hash: hashOf('mine'),
        size: 4,
        value: null,
        at: '2026-11-20T12:00:00.000Z',
      },
      { instance: other, name: 'lab', hash: hashOf('theirs'), size: 6, at: '2026-11-20T12:00:00.000Z' },
    ],
  })
  const content = { hash: hashOf('one'), size: 3, name: `ab/${hashOf('one')}-0011` }
  const digest = changeDigest(emptyDigest, {
    add: [
      { kind: 'file', id: first.id, state: first.state },
      { kind: 'file', id: second.id, state: second.state },
      { kind: 'conflict', conflict: open },
      { kind: 'content', ...content },
    ],
    remove: [],
  })
  database.transaction(() => {
    for (const file of [first, second, gone]) database.trees.putRemote(file)
    database.history.add({ fileId: first.id, version: 1, untilVersion: 2, state: state('a.md', 'zero') })
    database.contents.put(content)
    database.conflicts.put(open)
    for (let version = 1; version <= 3; version++) database.chain.append(nextChangeset(database, { digest }))
  })
}
