import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Presence } from '../../../src/database/database.ts'
import type { Conflict } from '../../../src/model/conflict.ts'
import { dirtiness } from '../../../src/model/dirtiness.ts'
import type { FileState, FileTriple, LocalFile, RemoteFile } from '../../../src/model/file-state.ts'
import { comparePaths, isAtOrBelow } from '../../../src/model/path.ts'
import {
  conflict,
  fileId,
  hashOf,
  local,
  me,
  openTestDatabase,
  other,
  remote,
  state,
  temporaryFolder,
  tombstone,
} from '../../support/database-values.ts'

describe('the trees', () => {
  it('give back exactly what was put', () => {
    const { trees } = openTestDatabase()
    const metadata = { labels: ['ä', '𝕏'], nested: { list: [1, null, true] } }
    const here = local(fileId(1), state('x/𝕏 ü.md', 'content', { metadata, executable: true, mtimeUs: -1 }), {
      racy: true,
    })
    const ignored = local(fileId(2), state('ignored'), { stamp: null, absence: 'ignored' })
    trees.putLocal(here)
    trees.putLocal(ignored)
    trees.putRemote(tombstone(fileId(1), here.state, 7))
    trees.putSynced(fileId(1), here.state)
    expect(trees.triple(fileId(1))).toEqual({
      id: fileId(1),
      local: here,
      synced: here.state,
      remote: tombstone(fileId(1), here.state, 7),
    })
    expect(trees.localAt('ignored')).toEqual(ignored)
    expect(trees.triple(fileId(9))).toEqual({ id: fileId(9), local: null, synced: null, remote: null })
  })

  it('refuse an id, a hash or a path that would come back as another one', () => {
    const { trees } = openTestDatabase()
    expect(() => trees.putRemote(remote('not-an-id', state('a')))).toThrow(/is not an id/)
    expect(() => trees.putRemote(remote(fileId(1), state('a', 'a', { hash: 'AB' })))).toThrow(/is not a hash/)
    expect(() => trees.putRemote(remote(fileId(1), state('\ud800')))).toThrow(/is not a path/)
    expect(trees.counts().remoteFiles).toBe(0)
  })

  it('let two files swap their paths, in every tree', () => {
    const { trees, transaction } = openTestDatabase()
    const [a, b] = [state('a', 'one'), state('b', 'two')]
    for (const [id, of] of [
      [fileId(1), a],
      [fileId(2), b],
    ] as const) {
      trees.putLocal(local(id, of))
      trees.putRemote(remote(id, of))
      trees.putSynced(id, of)
    }
    transaction(() => {
      for (const [id, of] of [
        [fileId(1), { ...a, path: 'b' }],
        [fileId(2), { ...b, path: 'a' }],
      ] as const) {
        trees.putLocal(local(id, of))
        trees.putRemote(remote(id, of))
        trees.putSynced(id, of)
      }
    })
    expect(trees.localAt('a')?.id).toBe(fileId(2))
    expect(trees.remoteAt('a')?.id).toBe(fileId(2))
    expect(trees.syncedAt('a')).toBe(fileId(2))
    expect(trees.counts()).toEqual({ pending: 0, minor: 0, remoteFiles: 2, localFiles: 2 })
  })

  it('prefer at one path what is on disk, and of two live files the older one', () => {
    const { trees } = openTestDatabase()
    trees.putLocal(local(fileId(1), state('a')), 'vanished')
    expect(trees.localAt('a')?.id).toBe(fileId(1))
    trees.putLocal(local(fileId(2), state('a')), 'appeared')
    expect(trees.localAt('a')?.id).toBe(fileId(2))
    trees.putRemote(remote(fileId(1), state('a'), 5))
    trees.putRemote(remote(fileId(2), state('a'), 4))
    expect(trees.remoteAt('a')?.id).toBe(fileId(2))
  })

  it('find the newest tombstone of a path and content', () => {
    const { trees } = openTestDatabase()
    trees.putRemote(tombstone(fileId(1), state('a', 'one'), 3))
    trees.putRemote(tombstone(fileId(2), state('a', 'one'), 5))
    trees.putRemote(tombstone(fileId(3), state('a', 'two'), 6))
    expect(trees.tombstoneAt('a', hashOf('one'))?.id).toBe(fileId(2))
    expect(trees.tombstoneAt('a', hashOf('three'))).toBeNull()
    expect(trees.remoteAt('a')).toBeNull()
  })

  it('keep what appeared and what vanished out of the dirty set until they are settled', () => {
    const { trees } = openTestDatabase()
    const of = state('a')
    trees.putLocal(local(fileId(1), of))
    trees.putRemote(remote(fileId(1), of))
    trees.putSynced(fileId(1), of)
    const inode = trees.triple(fileId(1)).local?.stamp?.inode as number
    expect(trees.settledByInode(inode).map((file) => file.id)).toEqual([fileId(1)])
    trees.setPresence(fileId(1), 'vanished')
    trees.putLocal(local(fileId(2), { ...of, path: 'b' }), 'appeared')
    expect(trees.counts()).toEqual({ pending: 0, minor: 0, remoteFiles: 1, localFiles: 1 })
    expect(trees.unsettledPage('vanished', { limit: 9 }).map((file) => file.id)).toEqual([fileId(1)])
    expect(trees.unsettledPage('appeared', { limit: 9 }).map((file) => file.id)).toEqual([fileId(2)])
    expect(trees.settledByInode(inode)).toEqual([])
    trees.removeLocal(fileId(1))
    trees.rekeyLocal(fileId(2), fileId(1))
    trees.setPresence(fileId(1), 'settled')
    expect(trees.dirtyPage({ limit: 9 }).map((triple) => triple.local?.state.path)).toEqual(['b'])
    expect(trees.presenceOf(fileId(1))).toBe('settled')
    expect(trees.presenceOf(fileId(2))).toBeNull()
    expect(trees.settledByInode(inode).map((file) => file.id)).toEqual([fileId(1)])
  })

  it('refuse to give a row an id that is taken', () => {
    const { trees } = openTestDatabase()
    trees.putLocal(local(fileId(1), state('a')))
    trees.putLocal(local(fileId(2), state('b')))
    expect(() => trees.rekeyLocal(fileId(1), fileId(2))).toThrow(/already/)
    expect(trees.localAt('a')?.id).toBe(fileId(1))
  })

  it('forget the remote and leave what is on disk to be committed anew', () => {
    const database = openTestDatabase()
    const { trees } = database
    for (const n of [1, 2, 3]) {
      trees.putLocal(local(fileId(n), state(`f${n}`)), n === 3 ? 'appeared' : 'settled')
      trees.putRemote(remote(fileId(n), state(`f${n}`)))
      trees.putSynced(fileId(n), state(`f${n}`))
    }
    database.contents.put({ hash: hashOf('x'), size: 1, name: 'ab/x' })
    database.conflicts.put(conflict(1, fileId(1)))
    trees.forgetRemote()
    expect(trees.counts()).toEqual({ pending: 2, minor: 0, remoteFiles: 0, localFiles: 3 })
    expect(trees.triple(fileId(1))).toMatchObject({ synced: null, remote: null })
    expect(database.contents.find(hashOf('x'))).toBeNull()
    expect(database.conflicts.count()).toBe(0)
    expect(database.verify()).toEqual([])
  })
})

describe('pages of paths', () => {
  const names = ['a', 'a.md', 'a/b', 'a/b/c', 'a0', 'b', 'é', '\u{e000}', '\u{1f600}', 'A']

  it('hold a folder and what is below it, in the order of bytes, whatever the size of the page', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.constantFrom(...names, ...names.map((name) => `a/${name}`))),
        fc.constantFrom('', 'a', 'a/b', 'zz'),
        fc.integer({ min: 1, max: 5 }),
        (paths, under, limit) => {
          const { trees } = openTestDatabase()
          for (const [n, path] of paths.entries()) {
            trees.putLocal(local(fileId(n), state(path)))
            trees.putRemote(remote(fileId(n), state(path)))
          }
          const expected = paths.filter((path) => isAtOrBelow(path, under)).sort(comparePaths)
          for (const read of [trees.localPage, trees.remotePage]) {
            const found: string[] = []
            for (;;) {
              const after = found.at(-1)
              const page = read({ under, limit, ...(after === undefined ? {} : { after }) })
              if (page.length === 0) break
              found.push(...page.map((file) => file.state.path))
            }
            expect(found).toEqual(expected)
          }
          const below = paths.some((path) => path !== under && isAtOrBelow(path, under))
          expect(trees.hasBelow('local', under)).toBe(below)
          expect(trees.hasBelow('remote', under)).toBe(below)
          expect(trees.hasBelow('synced', under)).toBe(false)
        },
      ),
      { numRuns: 60 },
    )
  })

  it('never separate rows that share a path', () => {
    const { trees } = openTestDatabase()
    trees.putLocal(local(fileId(1), state('a')), 'vanished')
    trees.putLocal(local(fileId(2), state('a')), 'appeared')
    trees.putLocal(local(fileId(3), state('b')))
    expect(trees.localPage({ limit: 1 }).map((file) => file.id)).toEqual([fileId(1), fileId(2)])
    expect(trees.localPage({ limit: 1, after: 'a' }).map((file) => file.id)).toEqual([fileId(3)])
  })
})

describe('lists of files', () => {
  it('join the trees by the path on disk, and by the remote one where nothing is on disk', () => {
    const database = openTestDatabase()
    const { trees } = database
    const put = (n: number, path: string, labels: string[] = []) => {
      const of = state(path, path, labels.length === 0 ? {} : { metadata: { labels } })
      trees.putLocal(local(fileId(n), of))
      trees.putRemote(remote(fileId(n), of))
      trees.putSynced(fileId(n), of)
    }
    put(1, 'b', ['red'])
    put(2, 'c')
    put(3, 'd', ['red', 'blue'])
    trees.putRemote(remote(fileId(4), state('a', 'a', { metadata: { labels: ['red'] } })))
    trees.putLocal(local(fileId(2), state('z', 'c')))
    trees.putLocal(local(fileId(5), state('e')))
    trees.putRemote(tombstone(fileId(6), state('gone')))
    database.problems.put({ path: 'd', code: 'portability', detail: 'so' }, '2026-11-20T12:00:00.000Z')
    // Of another instance: a side of this one that is not what stands here would be work for a sync.
    const side = {
      instance: other,
      name: 'lab',
      hash: hashOf('theirs'),
      size: 6,
      at: '2026-11-20T12:00:00.000Z',
    }
    database.conflicts.put(conflict(1, fileId(1), { candidates: [side] }))
    const list = (query: Partial<Parameters<typeof trees.listFiles>[0]>) =>
      trees.listFiles({ limit: 100, ...query }).map((triple) => triple.id.slice(-1))
    expect(list({})).toEqual(['4', '1', '3', '5', '2'])
    expect(list({ limit: 2 })).toEqual(['4', '1'])
    expect(list({ limit: 2, after: 'b' })).toEqual(['3', '5'])
    expect(list({ label: 'red' })).toEqual(['4', '1', '3'])
    expect(list({ label: 'blue' })).toEqual(['3'])
    expect(list({ status: 'pending' })).toEqual(['4', '5', '2'])
    expect(list({ status: 'conflict' })).toEqual(['1'])
    expect(list({ status: 'problem' })).toEqual(['3'])
    expect(list({ status: 'synced' })).toEqual([])
    expect(list({ deleted: true })).toEqual(['6'])
    expect(list({ prefix: 'z' })).toEqual(['2'])
    expect(list({ prefix: 'c' })).toEqual([])
    database.problems.clear('d', 'portability')
    expect(list({ status: 'synced' })).toEqual(['3'])
  })
})

describe('the dirty set', () => {
  it('always says what the rule says of the rows, and the counts what they are', () => {
    const paths = ['a', 'c/d']
    const anyState = fc
      .record({
        path: fc.constantFrom(...paths),
        content: fc.constantFrom('one', 'mine'),
        mtimeUs: fc.constantFrom(1, 1, 1, 2),
        labels: fc.constantFrom<string[]>([], [], ['x']),
      })
      .map(({ path, content, mtimeUs, labels }) =>
        state(path, content, { mtimeUs, metadata: labels.length === 0 ? {} : { labels } }),
      )
    const anyFile = fc.integer({ min: 1, max: 2 }).map(fileId)
    const presence = fc.constantFrom<Presence>('settled', 'appeared', 'vanished')
    const absence = fc.constantFrom<LocalFile['absence']>(null, null, 'ignored')
    const step = fc.oneof(
      fc.record({ kind: fc.constant('local' as const), id: anyFile, of: anyState, presence, absence }),
      fc.record({ kind: fc.constant('presence' as const), id: anyFile, presence }),
      fc.record({ kind: fc.constant('remove-local' as const), id: anyFile }),
      fc.record({ kind: fc.constant('rekey' as const), id: anyFile, to: anyFile }),
      fc.record({ kind: fc.constant('synced' as const), id: anyFile, of: fc.option(anyState) }),
      fc.record({ kind: fc.constant('remote' as const), id: anyFile, of: anyState, live: fc.boolean() }),
      fc.record({ kind: fc.constant('remove-remote' as const), id: anyFile }),
      fc.record({ kind: fc.constant('conflict' as const), id: anyFile }),
      fc.record({ kind: fc.constant('resolve' as const), id: anyFile }),
      fc.record({ kind: fc.constant('forget' as const) }),
      fc.record({ kind: fc.constant('rollback' as const), id: anyFile, of: anyState }),
    )
    const conflictOf = (id: string): Conflict => conflict(Number.parseInt(id.slice(-1), 16), id)
    fc.assert(
      fc.property(fc.array(step, { maxLength: 25 }), (steps) => {
        const database = openTestDatabase()
        const { trees } = database
        const locals = new Map<string, { file: LocalFile; presence: Presence }>()
        const synced = new Map<string, FileState>()
        const remotes = new Map<string, RemoteFile>()
        const open = new Map<string, Conflict>()
        for (const step of steps) {
          switch (step.kind) {
            case 'local': {
              const file = local(step.id, step.of, {
                absence: step.absence,
                ...(step.absence === null ? {} : { stamp: null }),
              })
              trees.putLocal(file, step.presence)
              locals.set(step.id, { file, presence: step.presence })
              break
            }
            case 'presence': {
              trees.setPresence(step.id, step.presence)
              const row = locals.get(step.id)
              if (row !== undefined) locals.set(step.id, { ...row, presence: step.presence })
              break
            }
            case 'remove-local':
              trees.removeLocal(step.id)
              locals.delete(step.id)
              break
            case 'rekey': {
              const row = locals.get(step.id)
              if (row === undefined || locals.has(step.to)) break
              trees.rekeyLocal(step.id, step.to)
              locals.delete(step.id)
              locals.set(step.to, { ...row, file: { ...row.file, id: step.to } })
              break
            }
            case 'synced':
              trees.putSynced(step.id, step.of)
              if (step.of === null) synced.delete(step.id)
              else synced.set(step.id, step.of)
              break
            case 'remote': {
              const file = step.live ? remote(step.id, step.of) : tombstone(step.id, step.of)
              trees.putRemote(file)
              remotes.set(step.id, file)
              break
            }
            case 'remove-remote':
              trees.removeRemote(step.id)
              remotes.delete(step.id)
              break
            case 'conflict':
              database.conflicts.put(conflictOf(step.id))
              open.set(step.id, conflictOf(step.id))
              break
            case 'resolve':
              database.conflicts.resolve(conflictOf(step.id).id, {
                strategy: 'local',
                version: 2,
                at: 'then',
              })
              open.delete(step.id)
              break
            case 'forget':
              trees.forgetRemote()
              synced.clear()
              remotes.clear()
              open.clear()
              break
            case 'rollback':
              expect(() =>
                database.transaction(() => {
                  trees.putLocal(local(step.id, step.of))
                  trees.forgetRemote()
                  throw new Error('thrown')
                }),
              ).toThrow('thrown')
          }
        }
        const judged = { dirty: [] as string[], minor: [] as string[] }
        for (const id of [1, 2].map(fileId)) {
          const row = locals.get(id)
          const triple: FileTriple = {
            id,
            local: row?.file ?? null,
            synced: synced.get(id) ?? null,
            remote: remotes.get(id) ?? null,
          }
          expect(trees.triple(id)).toEqual(triple)
          const seen = row?.presence === 'appeared' ? { ...triple, local: null } : triple
          const said = dirtiness(
            seen,
            [open.get(id)].filter((one) => one !== undefined),
            me,
          )
          if (said !== 'clean') judged[said].push(id)
        }
        expect(trees.dirtyPage({ limit: 9 }).map(({ id }) => id)).toEqual(judged.dirty)
        expect(trees.dirtyPage({ limit: 9, minor: true }).map(({ id }) => id)).toEqual(
          [...judged.dirty, ...judged.minor].sort(),
        )
        expect(trees.counts()).toEqual({
          pending: judged.dirty.length,
          minor: judged.minor.length,
          remoteFiles: [...remotes.values()].filter((file) => file.deletedVersion === null).length,
          localFiles: [...locals.values()].filter(
            (row) => row.file.stamp !== null && row.presence !== 'vanished',
          ).length,
        })
        expect(database.verify().filter(({ detail }) => !detail.includes('path'))).toEqual([])
        database.close()
      }),
      { numRuns: 300 },
    )
  })
})

describe('the size of the index', () => {
  it('stays below 900 bytes a file, contents and all indexes included', () => {
    const folder = temporaryFolder()
    mkdirSync(join(folder, 'state'))
    const database = openTestDatabase(join(folder, 'state', 'metadata.db'))
    const count = 5_000
    database.makeDurable()
    const emptyBytes = database.sizeBytes()
    database.transaction(() => {
      for (let n = 0; n < count; n++) {
        const path = `archive/2026/section-${String(n >> 6).padStart(8, '0')}/document-${String(n).padStart(9, '0')}.md`
        expect(path.length).toBeGreaterThanOrEqual(50)
        const of = state(path, `content ${n}`, { size: 4_000 + n, mtimeUs: 1_790_000_000_123_456 + n })
        database.trees.putLocal(
          local(fileId(n), of, {
            stamp: {
              size: of.size,
              mtimeMs: 1_790_000_000_123.456 + n,
              ctimeMs: 1_790_000_000_123.456 + n,
              inode: 1_000_000 + n,
              birthtimeMs: 1_790_000_000_123.456 + n,
            },
          }),
        )
        database.trees.putRemote(remote(fileId(n), of))
        database.trees.putSynced(fileId(n), of)
        const { hash } = of
        if (hash !== null)
          database.contents.put({ hash, size: of.size, name: `${hash.slice(0, 2)}/${hash}-0123456789abcdef` })
      }
    })
    database.makeDurable()
    expect((database.sizeBytes() - emptyBytes) / count).toBeLessThan(900)
  })
})
