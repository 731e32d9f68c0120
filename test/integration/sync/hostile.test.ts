import fs from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import type { Operation } from '../../../src/model/changeset.ts'
import { commitOperations } from '../../../src/sync/commit.ts'
import { expectQuiet, expectWell, openPair, type Replica, syncInTurn } from '../../support/replica.ts'

/** Commits what no honest instance would: the same content under each of these paths. */
async function plant(replica: Replica, paths: readonly string[]): Promise<void> {
  const seed = replica.triple('seed.txt').remote
  if (seed === null) throw new Error('no seed')
  const operations = paths.map(
    (target): Operation => ({
      kind: 'put',
      id: replica.context.random.uuid(),
      before: null,
      after: { ...seed.state, path: target },
    }),
  )
  expect((await commitOperations(replica.context, operations)).kind).toBe('won')
}

/** Every file below a folder, the state folders' own included. */
function everything(folder: string): string[] {
  return fs
    .readdirSync(folder, { withFileTypes: true, recursive: true })
    .map((entry) => path.join(entry.parentPath, entry.name))
    .sort()
}

test('names that would leave the workspace or enter its state folder are reported and never written', async () => {
  const { ann, bob } = await openPair({ 'seed.txt': 'evil' })
  const outside = path.dirname(bob.root)
  fs.writeFileSync(path.join(outside, 'canary.txt'), 'unharmed')
  const unsafe = [
    '../canary.txt',
    '../escaped.txt',
    'folder/../../escaped.txt',
    `${outside}/absolute.txt`,
    '.davit/metadata.db',
    '.davit/x',
    '.DAVIT/y',
    './dot.txt',
    'double//slash.txt',
  ]
  await plant(ann, [...unsafe, 'good/after.txt'])
  const before = everything(outside).filter((name) => !name.startsWith(bob.root))
  const summary = await bob.sync()
  expectWell(summary)
  expect(summary.problems.map(({ path: name }) => name).sort()).toEqual([...unsafe].sort())
  expect(new Set(summary.problems.map(({ code }) => code))).toEqual(new Set(['path-unsafe']))
  expect(bob.tree()).toEqual({ 'seed.txt': 'evil', 'good/after.txt': 'evil' })
  expect(fs.readFileSync(path.join(outside, 'canary.txt'), 'utf8')).toBe('unharmed')
  expect(everything(outside).filter((name) => !name.startsWith(bob.root))).toEqual(before)
  expect(everything(bob.at('.davit')).map((name) => path.basename(name))).not.toContain('x')
  // Not there is not deleted: nobody loses them.
  await syncInTurn(bob, bob)
  await expectQuiet(bob)
  expect(bob.version()).toBe(2)
  expect(bob.database.trees.counts().remoteFiles).toBe(unsafe.length + 2)
  expect(bob.database.problems.count()).toBe(unsafe.length)
})

test('a name through a symbolic link is not written behind it', async () => {
  const { ann, bob } = await openPair({ 'seed.txt': 'evil' })
  const outside = path.join(path.dirname(bob.root), 'outside')
  fs.mkdirSync(outside)
  fs.symlinkSync(outside, bob.at('link'))
  ann.write('link/file.txt', 'from ann')
  ann.write('other.txt', 'other')
  await syncInTurn(ann)
  await bob.sync()
  expect(fs.readdirSync(outside)).toEqual([])
  expect(bob.read('other.txt')).toBe('other')
  // With the link gone it arrives.
  fs.unlinkSync(bob.at('link'))
  await syncInTurn(bob)
  expect(bob.read('link/file.txt')).toBe('from ann')
  await syncInTurn(ann)
  expect(ann.read('link/file.txt')).toBe('from ann')
})

test('a name that this disk cannot hold stays in the store and is deleted nowhere', async () => {
  const { ann, bob } = await openPair({ 'seed.txt': 'long' })
  const long = `${'n'.repeat(300)}.txt`
  await plant(ann, [long, 'fine.txt'])
  const summary = await bob.sync()
  expectWell(summary)
  expect(summary.problems).toMatchObject([{ path: long, code: 'path-unrepresentable' }])
  expect(bob.tree()).toEqual({ 'fine.txt': 'long', 'seed.txt': 'long' })
  await syncInTurn(bob, bob)
  expect(bob.version()).toBe(2)
  expect(bob.database.problems.count()).toBe(1)
  await expectQuiet(bob)
})

test('a file that is renamed elsewhere to a name that is ignored here leaves, and the engine rests', async () => {
  const { ann, bob } = await openPair({ 'seed.txt': 'x', 'a.txt': 'a' })
  bob.write('.git/info', '')
  bob.write('.davitignore', '*.tmp\n.davitignore\n.git\n')
  await syncInTurn(bob)
  ann.move('a.txt', 'a.tmp')
  await syncInTurn(ann, bob, ann)
  expect(ann.tree()).toEqual({ 'a.tmp': 'a', 'seed.txt': 'x' })
  expect(bob.read('a.txt')).toBeNull()
  expect(bob.trash()).toEqual(['a'])
  await expectQuiet(ann)
  const version = ann.version()
  await syncInTurn(bob, ann)
  expect(ann.version()).toBe(version)
  // What cannot be done is no reason to try again at once.
  await bob.restart()
  const runsBefore = bob.told('sync.started').length
  await bob.runByItself(300)
  expect(bob.told('sync.started').length - runsBefore).toBeLessThan(5)
})

test('a changeset whose bytes were changed halts, and nothing of it is believed', async () => {
  const { ann, bob, dav } = await openPair({ 'seed.txt': 'x' })
  ann.write('seed.txt', 'x2')
  await syncInTurn(ann)
  for (const [name, bytes] of dav.files)
    if (name.includes('/changes/') && name.includes('000000000002-')) dav.files.set(name, bytes.slice(0, -5))
  expect(await bob.sync()).toMatchObject({ outcome: 'halted', error: { code: 'remote-damaged' } })
  expect(bob.tree()).toEqual({ 'seed.txt': 'x' })
})

test('a content whose bytes were changed is not written, and the others are', async () => {
  const { ann, bob, dav } = await openPair({ 'seed.txt': 'x' })
  ann.write('a.txt', 'the right bytes')
  ann.write('b.txt', 'others')
  await syncInTurn(ann)
  const name = [...dav.files].find(([, bytes]) => Buffer.from(bytes).toString() === 'the right bytes')?.[0]
  dav.files.set(name ?? '', Buffer.from('the wrong bytes'))
  expect(await bob.sync()).toMatchObject({
    outcome: 'failed',
    problems: [{ path: 'a.txt', code: 'remote-damaged' }],
  })
  expect(bob.tree()).toEqual({ 'b.txt': 'others', 'seed.txt': 'x' })
  dav.files.set(name ?? '', Buffer.from('the right bytes'))
  await syncInTurn(bob)
  expect(bob.read('a.txt')).toBe('the right bytes')
})
