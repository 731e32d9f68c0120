import fs from 'node:fs'
import { expect, test } from 'vitest'
import { DavitError } from '../../../src/model/errors.ts'
import { comparePaths } from '../../../src/model/path.ts'
import { indexScope } from '../../../src/sync/execute-run.ts'
import { RunState } from '../../../src/sync/run-state.ts'
import type { Workspace } from '../../../src/workspace/workspace.ts'
import {
  byMethod,
  contentsSent,
  converge,
  expectQuiet,
  openPair,
  openThree,
  type Replica,
  syncInTurn,
} from '../../support/replica.ts'

test('renaming a folder sends no content, and its files keep their identity', async () => {
  const tree = Object.fromEntries(
    Array.from({ length: 200 }, (_, index) => [
      `folder/${index % 7}/${index}.txt`,
      `content ${index}`.repeat(50),
    ]),
  )
  const { ann, bob } = await openPair(tree)
  await ann.sync()
  const id = ann.idOf('folder/0/0.txt')
  ann.move('folder', 'renamed')
  const sent = await ann.sentDuring(() => syncInTurn(ann))
  expect(contentsSent(sent)).toEqual([])
  expect(byMethod(sent)['PUT']).toBe(1)
  expect(sent.length).toBeLessThanOrEqual(6)
  expect(sent.reduce((sum, { bytes }) => sum + bytes, 0)).toBeLessThan(100_000)
  const taken = await bob.sentDuring(() => syncInTurn(bob))
  expect(taken.filter(({ method, name }) => method === 'GET' && !name.startsWith('changes/'))).toEqual([])
  expect(bob.tree()).toEqual(ann.tree())
  expect(fs.existsSync(bob.at('folder'))).toBe(false)
  expect(bob.idOf('renamed/0/0.txt')).toBe(id)
  await converge(ann, bob)
  await expectQuiet(ann, bob)
})

test('two files that change places do so everywhere', async () => {
  const { ann, bob } = await openPair({ a: 'was a', b: 'was b' })
  const ids = [ann.idOf('a'), ann.idOf('b')]
  ann.move('a', 'aside')
  ann.move('b', 'a')
  ann.move('aside', 'b')
  await syncInTurn(ann, bob)
  expect(bob.tree()).toEqual({ a: 'was b', b: 'was a' })
  expect([bob.idOf('b'), bob.idOf('a')]).toEqual(ids)
  expect(contentsSent(ann.sent)).toHaveLength(2)
  await converge(ann, bob)
})

test('a swap that both made is made once', async () => {
  const { ann, bob } = await openPair({ a: 'was a', b: 'was b' })
  for (const replica of [ann, bob]) {
    replica.move('a', 'aside')
    replica.move('b', 'a')
    replica.move('aside', 'b')
  }
  await converge(ann, bob)
  expect(bob.tree()).toEqual({ a: 'was b', b: 'was a' })
  expect(ann.conflicts()).toEqual([])
})

test('a chain of renames moves each file by one', async () => {
  const { ann, bob } = await openPair({ a: 'was a', b: 'was b', c: 'was c' })
  ann.remove('c')
  ann.move('b', 'c')
  ann.move('a', 'b')
  const sent = await ann.sentDuring(() => syncInTurn(ann))
  expect(contentsSent(sent)).toEqual([])
  await syncInTurn(bob)
  expect(bob.tree()).toEqual({ b: 'was a', c: 'was b' })
  await converge(ann, bob)
})

test('a ring of three turns, and the files are edited meanwhile elsewhere', async () => {
  const { ann, bob } = await openPair({ a: 'was a', b: 'was b', c: 'was c' })
  ann.move('a', 'aside')
  ann.move('c', 'a')
  ann.move('b', 'c')
  ann.move('aside', 'b')
  bob.write('b', 'b, edited by bob')
  await syncInTurn(ann, bob, ann)
  expect(ann.tree()).toEqual({ a: 'was c', b: 'was a', c: 'b, edited by bob' })
  await converge(ann, bob)
})

test('an edit in a folder that was renamed elsewhere follows it', async () => {
  const { ann, bob } = await openPair({ 'folder/a.txt': 'a', 'folder/b.txt': 'b' })
  ann.move('folder', 'renamed')
  bob.write('folder/a.txt', 'a, edited')
  bob.write('folder/new.txt', 'new')
  await syncInTurn(ann, bob, ann)
  expect(ann.tree()).toEqual({
    'folder/new.txt': 'new',
    'renamed/a.txt': 'a, edited',
    'renamed/b.txt': 'b',
  })
  await converge(ann, bob)
})

test('a file becomes a folder', async () => {
  const { ann, bob } = await openPair({ thing: 'a file', other: 'x' })
  ann.remove('thing')
  ann.write('thing/inside.txt', 'in a folder')
  await syncInTurn(ann, bob)
  expect(bob.tree()).toEqual({ other: 'x', 'thing/inside.txt': 'in a folder' })
  await converge(ann, bob)
})

test('a folder becomes a file', async () => {
  const { ann, bob } = await openPair({
    'thing/inside.txt': 'in a folder',
    'thing/deep/er.txt': 'y',
    other: 'x',
  })
  ann.remove('thing')
  ann.write('thing', 'a file')
  await syncInTurn(ann, bob)
  expect(bob.tree()).toEqual({ other: 'x', thing: 'a file' })
  await converge(ann, bob)
})

test('a file moves into a folder of its own name', async () => {
  const { ann, bob } = await openPair({ thing: 'content' })
  ann.move('thing', 'aside')
  ann.move('aside', 'thing/thing')
  await syncInTurn(ann, bob)
  expect(bob.tree()).toEqual({ 'thing/thing': 'content' })
  expect(contentsSent(ann.sent)).toHaveLength(1)
  await converge(ann, bob)
})

test('a file here and a folder of that name there stand side by side', async () => {
  const { ann, bob } = await openPair({ other: 'x' })
  ann.write('thing', 'a file')
  bob.write('thing/inside.txt', 'in a folder')
  await converge(ann, bob)
  expect(ann.read('thing/inside.txt')).toBe('in a folder')
  expect(Object.values(ann.tree()).sort()).toEqual(['a file', 'in a folder', 'x'])
})

test('a file here and a folder of that name with many files there stand side by side', async () => {
  const { ann, bob } = await openPair({ other: 'x' })
  // Far more than are decided together.
  bob.batch = 1
  for (let index = 0; index < 12; index++) ann.write(`thing/${index}.txt`, `in a folder ${index}`)
  await syncInTurn(ann)
  bob.write('thing', 'a file')
  await converge(bob, ann)
  expect(ann.read('thing/7.txt')).toBe('in a folder 7')
  expect(Object.values(ann.tree())).toContain('a file')
  expect(Object.keys(ann.tree())).toHaveLength(14)
})

test('a rename that changes only the case is one rename', async () => {
  const { ann, bob } = await openPair({ 'Folder/Read Me.txt': 'text' })
  const id = ann.idOf('Folder/Read Me.txt')
  ann.move('Folder/Read Me.txt', 'Folder/README.txt')
  await syncInTurn(ann, bob)
  expect(bob.tree()).toEqual({ 'Folder/README.txt': 'text' })
  ann.move('Folder', 'folder')
  await syncInTurn(ann, bob)
  expect(bob.tree()).toEqual({ 'folder/README.txt': 'text' })
  expect(bob.idOf('folder/README.txt')).toBe(id)
  expect(contentsSent(ann.sent)).toHaveLength(1)
  await converge(ann, bob)
})

test('two renames of one file: the committed one stands and nothing is lost', async () => {
  const { ann, bob } = await openPair({ a: 'content' })
  ann.move('a', 'by-ann')
  bob.move('a', 'by-bob')
  bob.write('by-bob', 'content, edited by bob')
  await syncInTurn(ann, bob, ann)
  expect(ann.tree()).toEqual({ 'by-ann': 'content, edited by bob' })
  expect(bob.told('file.rescued').map(({ rule }) => rule)).toContain('R9-committed-path-wins')
  await converge(ann, bob)
})

test('two files renamed to one name stand side by side', async () => {
  const { ann, bob } = await openPair({ a: 'was a', b: 'was b' })
  ann.move('a', 'one')
  bob.move('b', 'one')
  await converge(ann, bob)
  expect(ann.read('one')).toBe('was a')
  expect(Object.values(ann.tree()).sort()).toEqual(['was a', 'was b'])
})

test('a rename onto a file that was edited elsewhere is a conflict of that file', async () => {
  const { ann, bob, cyd } = await openThree({ a: 'was a', b: 'was b' })
  ann.move('a', 'b')
  bob.write('b', 'b, edited by bob')
  await converge(ann, bob, cyd)
  expect(cyd.tree()).toEqual({ b: 'was a' })
  expect(bob.tree()).toEqual({ b: 'b, edited by bob' })
  expect(cyd.conflict()).toMatchObject({ path: 'b', candidates: [{ name: 'bob' }] })
})

test('what is overwritten in the last instant is kept, and the move is decided anew', async () => {
  const { ann, bob } = await openPair({ a: 'was a', b: 'was b' })
  ann.move('a', 'c')
  await syncInTurn(ann)
  const { move } = bob.context.workspace
  bob.disk.move = async (from, to, expected) => {
    delete bob.disk.move
    bob.write(from, 'edited in between')
    return move(from, to, expected)
  }
  await syncInTurn(bob)
  await converge(ann, bob)
  expect(Object.values(ann.tree()).sort()).toEqual(['edited in between', 'was b'])
  expect(identities(ann)).toEqual(identities(bob))
})

function identities(replica: Replica): Record<string, string> {
  return Object.fromEntries(Object.keys(replica.tree()).map((path) => [path, replica.idOf(path)]))
}

/** Bob renames the folder in the moment in which the pull is about to do this to a file in it. */
function renamedBefore(bob: Replica, step: 'remove' | 'place' | 'move'): void {
  const { workspace } = bob.context
  const act = workspace[step].bind(workspace) as (...args: unknown[]) => Promise<never>
  bob.disk[step] = (...args: unknown[]): Promise<never> => {
    delete bob.disk[step]
    bob.move('folder', 'elsewhere')
    return act(...args)
  }
}

test('a file deleted elsewhere that is renamed here in that very moment stays deleted', async () => {
  const { ann, bob } = await openPair({ 'folder/a.txt': 'a', 'folder/b.txt': 'b', 'c.txt': 'c' })
  ann.remove('folder/a.txt')
  await ann.sync()
  renamedBefore(bob, 'remove')
  await bob.sync()
  await converge(ann, bob)
  expect(ann.tree()).toEqual({ 'c.txt': 'c', 'elsewhere/b.txt': 'b' })
})

test('a file edited elsewhere that is renamed here in that very moment is one file, edited and renamed', async () => {
  const { ann, bob } = await openPair({ 'folder/a.txt': 'a', 'c.txt': 'c' })
  const id = ann.idOf('folder/a.txt')
  ann.write('folder/a.txt', 'edited')
  await ann.sync()
  renamedBefore(bob, 'place')
  await bob.sync()
  await converge(ann, bob)
  expect(ann.tree()).toEqual({ 'c.txt': 'c', 'elsewhere/a.txt': 'edited' })
  expect(ann.idOf('elsewhere/a.txt')).toBe(id)
})

test('a file renamed elsewhere and here in that very moment is one file', async () => {
  const { ann, bob } = await openPair({ 'folder/a.txt': 'a', 'folder/b.txt': 'b' })
  ann.move('folder/a.txt', 'theirs.txt')
  await ann.sync()
  renamedBefore(bob, 'move')
  await bob.sync()
  await converge(ann, bob)
  expect(ann.tree()).toEqual({ 'elsewhere/b.txt': 'b', 'theirs.txt': 'a' })
})

/** Bob does this to his folder before the pull does anything to it. */
function beforeTheFirstStep(bob: Replica, act: () => void): void {
  const { workspace } = bob.context
  const steps = ['move', 'park', 'place'] as const
  for (const step of steps) {
    const go = workspace[step].bind(workspace) as (...args: unknown[]) => Promise<never>
    bob.disk[step] = (...args: unknown[]): Promise<never> => {
      for (const each of steps) delete bob.disk[each]
      act()
      return go(...args)
    }
  }
}

test.each([
  ['swap', 'renamed'],
  ['swap', 'removed'],
  ['chain', 'renamed'],
  ['chain', 'removed'],
  ['new', 'renamed'],
  ['new', 'removed'],
] as const)(
  'a pull (%s) gives the name of a file to another one in the moment in which it is %s here: neither passes for the other',
  async (kind, how) => {
    for (const name of ['x', 'y'] as const) {
      const { ann, bob } = await openPair({ x: 'was x', y: 'was y' })
      const other = name === 'x' ? 'y' : 'x'
      const there = kind === 'swap' ? other : 'on'
      ann.move(name, kind === 'swap' ? 'aside' : there)
      // Seen in one look, something new is an edit of the file that was there.
      if (kind === 'new') await ann.sync()
      if (kind === 'new') ann.write(name, 'new')
      else ann.move(other, name)
      if (kind === 'swap') ann.move('aside', there)
      await ann.sync()
      const wanted: Record<string, string> = identities(ann)
      if (how === 'removed') delete wanted[there]
      beforeTheFirstStep(bob, () => (how === 'removed' ? bob.remove(name) : bob.move(name, 'renamed')))
      await bob.sync()
      await converge(ann, bob)
      expect(bob.tree()).toEqual(ann.tree())
      expect(identities(ann)).toEqual(wanted)
      expect(identities(bob)).toEqual(wanted)
      expect(ann.conflicts()).toEqual([])
    }
  },
)

test('what is saved by renaming over a file that a pull has just put there is an edit of that file', async () => {
  for (const name of ['x', 'y'] as const) {
    const { ann, bob } = await openPair({ x: 'was x', y: 'was y' })
    const other = name === 'x' ? 'y' : 'x'
    ann.move(name, 'on')
    ann.move(other, name)
    await ann.sync()
    const wanted = identities(ann)
    beforeTheFirstStep(bob, () => bob.move(name, 'renamed'))
    bob.disk.makeDurable = async () => {
      delete bob.disk.makeDurable
      bob.write('saved', 'edited by bob')
      bob.move('saved', name)
    }
    await bob.sync()
    await converge(ann, bob)
    expect(ann.tree()).toEqual({ on: `was ${name}`, [name]: 'edited by bob' })
    expect(identities(ann)).toEqual(wanted)
  }
})

test('a folder that is renamed while a pull is about to change a file in it keeps its files, their labels and one name each', async () => {
  const { ann, bob } = await openPair({ 'folder/a.txt': 'a', 'folder/b.txt': 'b' })
  const id = bob.idOf('folder/a.txt')
  bob.setMetadata('folder/a.txt', { labels: ['seen'] })
  ann.write('folder/a.txt', 'edited by ann')
  await syncInTurn(ann)
  const { place } = bob.context.workspace
  bob.disk.place = async (staged, path, options) => {
    delete bob.disk.place
    bob.move('folder', 'renamed')
    return place(staged, path, options)
  }
  await syncInTurn(bob)
  await converge(ann, bob)
  expect(ann.tree()).toEqual({ 'renamed/a.txt': 'edited by ann', 'renamed/b.txt': 'b' })
  expect([ann.idOf('renamed/a.txt'), ann.metadata('renamed/a.txt')]).toEqual([id, { labels: ['seen'] }])
  expect(bob.told('file.rescued')).toEqual([])
  await expectQuiet(ann, bob)
})

/** Looks at one path of a replica, as after a hint of its watcher. `changed`: what the watcher knows besides, each time. */
async function lookAt(
  replica: Replica,
  path: string,
  changed: readonly (readonly string[])[],
): Promise<void> {
  const told = changed.map((paths) => ({ kind: 'paths', paths }) as const)
  const run = new RunState(replica.context, {
    runId: 'a-look',
    kind: 'incremental',
    trigger: 'watch',
    force: false,
    paths: null,
    signal: new AbortController().signal,
    changes: async () => told.shift() ?? { kind: 'paths', paths: [] },
    quiet: true,
  })
  await indexScope(replica.context, run, { kind: 'paths', paths: [path] })
}

test('a file that is missed where it was noted is looked for where else the disk changed', async () => {
  const { ann } = await openPair({ 'a.txt': 'a', 'b.txt': 'b' })
  const id = ann.idOf('a.txt')
  ann.write('a.txt', 'edited')
  ann.move('a.txt', 'c.txt')
  await lookAt(ann, 'a.txt', [['a.txt', 'c.txt']])
  expect(ann.idOf('c.txt')).toBe(id)
  ann.remove('b.txt')
  await lookAt(ann, 'b.txt', [])
  expect(ann.database.trees.localAt('b.txt')).toBeNull()
})

test('a file that moves on while it is looked for is followed', async () => {
  const { ann } = await openPair({ 'a.txt': 'a', 'b.txt': 'b' })
  const [a, b] = [ann.idOf('a.txt'), ann.idOf('b.txt')]
  ann.move('a.txt', 'c.txt')
  const { hash } = ann.context.workspace
  ann.disk.hash = async (path, signal) => {
    delete ann.disk.hash
    const found = await hash(path, signal)
    ann.move('c.txt', 'd.txt')
    ann.move('b.txt', 'a.txt')
    return found
  }
  await lookAt(ann, 'a.txt', [['c.txt'], ['c.txt', 'd.txt', 'b.txt', 'a.txt']])
  expect([ann.idOf('d.txt'), ann.idOf('a.txt')]).toEqual([a, b])
  expect(ann.database.trees.localAt('b.txt')).toBeNull()
  expect(ann.database.trees.localAt('c.txt')).toBeNull()
})

test('a file that is found under a new name before it is missed under its old one keeps its id and its labels', async () => {
  const { ann } = await openPair({ 'a.txt': 'a', 'b.txt': 'b', 'c.txt': 'c' })
  const [a, b, c] = ['a.txt', 'b.txt', 'c.txt'].map((path) => ann.idOf(path))
  ann.setMetadata('a.txt', { labels: ['seen'] })
  ann.move('a.txt', 'folder/new.txt')
  await lookAt(ann, 'folder', [])
  expect([ann.idOf('folder/new.txt'), ann.metadata('folder/new.txt')]).toEqual([a, { labels: ['seen'] }])
  expect(ann.database.trees.localAt('a.txt')).toBeNull()
  // A swap of which one side was told.
  ann.move('b.txt', 'aside')
  ann.move('c.txt', 'b.txt')
  ann.move('aside', 'c.txt')
  await lookAt(ann, 'b.txt', [])
  expect([ann.idOf('b.txt'), ann.idOf('c.txt')]).toEqual([c, b])
})

test('a second name of a file is a file of its own', async () => {
  const { ann } = await openPair({ 'a.txt': 'a' })
  const id = ann.idOf('a.txt')
  fs.linkSync(ann.at('a.txt'), ann.at('b.txt'))
  await lookAt(ann, 'b.txt', [])
  expect(ann.idOf('a.txt')).toBe(id)
  expect(ann.database.trees.localAt('b.txt')?.id).not.toBe(id)
})

/** As HFS+: every name is told decomposed, and found in either form. */
function decomposeNames({ disk, context }: Replica): void {
  const { scan, look, hash, source } = bound(context.workspace)
  disk.scan = async function* (options) {
    for await (const batch of scan(options))
      yield {
        ...batch,
        entries: batch.entries
          .map((entry) => ({ ...entry, path: entry.path.normalize('NFD') }))
          .sort((left, right) => comparePaths(left.path, right.path)),
      }
  }
  disk.look = (path) => look(path.normalize())
  disk.hash = (path, signal) => hash(path.normalize(), signal)
  disk.source = (path, stamp) => source(path.normalize(), stamp)
}

function bound({ scan, look, hash, source }: Workspace) {
  return { scan, look, hash, source }
}

test('a disk that tells names in another Unicode form renames nothing, and its edits keep the name', async () => {
  const { ann, bob } = await openPair({})
  decomposeNames(bob)
  ann.write('pr\u00e9/caf\u00e9.txt', 'coffee')
  ann.write('pr\u00e9/other.txt', 'other')
  ann.makeFolder('caf\u00e9s')
  await syncInTurn(ann, bob)
  const id = ann.idOf('pr\u00e9/caf\u00e9.txt')
  const left = { 'caf\u00e9s/': '', 'pr\u00e9/other.txt': 'other' }
  await expectQuiet(bob)
  // Saved by renaming: another inode and another content.
  bob.write('saved', 'tea')
  bob.move('saved', 'pr\u00e9/caf\u00e9.txt')
  await syncInTurn(bob, ann)
  expect(ann.tree()).toEqual({ ...left, 'pr\u00e9/caf\u00e9.txt': 'tea' })
  expect(ann.idOf('pr\u00e9/caf\u00e9.txt')).toBe(id)
  bob.remove('pr\u00e9/caf\u00e9.txt')
  await converge(bob, ann)
  expect(ann.tree()).toEqual(left)
})

test('a name changed to another Unicode form, where these are two names, is a rename', async () => {
  const { ann, bob } = await openPair({ 'caf\u00e9.txt': 'coffee' })
  const id = ann.idOf('caf\u00e9.txt')
  ann.move('caf\u00e9.txt', 'cafe\u0301.txt')
  await syncInTurn(ann, bob)
  expect(bob.tree()).toEqual({ 'cafe\u0301.txt': 'coffee' })
  expect(bob.idOf('cafe\u0301.txt')).toBe(id)
  await converge(ann, bob)
})

test.each(['file-unreadable', 'file-busy', 'file-changed'] as const)(
  'a file that is renamed, and whose content cannot be told for now (%s), is deleted nowhere',
  async (code) => {
    const { ann, bob } = await openPair({ 'b/y.md': 'y', 'b/z.md': 'z' })
    ann.setMetadata('b/y.md', { labels: ['mine'] })
    await syncInTurn(ann, bob)
    const id = ann.idOf('b/y.md')
    const hash = ann.context.workspace.hash.bind(ann.context.workspace)
    let refusals = code === 'file-changed' ? 1 : 2
    ann.disk.hash = async (path, signal) => {
      if (path !== 'd/y.md' || refusals-- <= 0) return hash(path, signal)
      throw new DavitError(code, 'somebody is at it', { action: 'retry' })
    }
    ann.move('b', 'd')
    for (let run = 0; run < 3; run++) {
      await ann.sync()
      await bob.sync()
      expect(Object.values(bob.tree()).sort()).toEqual(['y', 'z'])
    }
    await converge(ann, bob)
    for (const replica of [ann, bob]) {
      expect(replica.tree()).toEqual({ 'd/y.md': 'y', 'd/z.md': 'z' })
      expect(replica.idOf('d/y.md')).toBe(id)
      expect(replica.metadata('d/y.md')).toEqual({ labels: ['mine'] })
    }
    expect(bob.trash()).toEqual([])
  },
)

test('a folder that was emptied here, and to which a pull brings something, gets no entry of its own', async () => {
  const { ann, bob } = await openPair({ 'd/z.txt': 'z' })
  ann.move('d/z.txt', 'd/y.txt')
  await syncInTurn(ann)
  // The folder stays behind, empty.
  bob.move('d/z.txt', 'b.txt')
  await syncInTurn(bob)
  expect(bob.tree()).toEqual({ 'd/y.txt': 'z' })
  expect(bob.database.trees.counts().pending).toBe(0)
  expect(bob.database.trees.counts().remoteFiles).toBe(1)
  await converge(ann, bob)
  await expectQuiet(ann, bob)
})
