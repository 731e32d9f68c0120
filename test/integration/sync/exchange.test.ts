import { createHash, randomBytes } from 'node:crypto'
import fs from 'node:fs'
import { expect, test } from 'vitest'
import {
  contentsSent,
  converge,
  expectQuiet,
  expectWell,
  openPair,
  openReplicas,
  type Replica,
  syncInTurn,
} from '../../support/replica.ts'

test('the first instance uploads what it has and the second one takes it', async () => {
  const { replicas } = await openReplicas(['ann', 'bob'])
  const [ann, bob] = replicas as [Replica, Replica]
  ann.writeAll({ 'a.txt': 'one', 'folder/b.txt': 'two', 'folder/empty/': '', 'zero.bin': '' })
  const first = await ann.sync()
  expect(first).toMatchObject({ outcome: 'in-sync', uploaded: 3, downloaded: 0, version: 1 })
  const second = await bob.sync()
  expect(second).toMatchObject({ outcome: 'in-sync', uploaded: 0, downloaded: 3, version: 1 })
  expect(bob.tree()).toEqual({ 'a.txt': 'one', 'folder/b.txt': 'two', 'folder/empty/': '', 'zero.bin': '' })
  await converge(ann, bob)
  await expectQuiet(ann, bob)
})

test('a folder that holds the same files already joins without a transfer', async () => {
  const { replicas } = await openReplicas(['ann', 'bob'])
  const [ann, bob] = replicas as [Replica, Replica]
  const tree = { 'a.txt': 'one', 'folder/b.txt': 'two' }
  ann.writeAll(tree)
  bob.writeAll(tree)
  await syncInTurn(ann, bob)
  await converge(ann, bob)
  const joined = await bob.sync()
  expect(joined).toMatchObject({ uploaded: 0, downloaded: 0, conflicts: 0 })
  expect(contentsSent(bob.sent)).toEqual([])
  expect(bob.sent.filter(({ method, name }) => method === 'GET' && /^[0-9a-f]{2}\//.test(name))).toEqual([])
  expect(bob.idOf('a.txt')).toBe(ann.idOf('a.txt'))
  expect(bob.tree()).toEqual(tree)
})

test('a folder that holds other files under the same names joins with conflicts, and the rest goes on', async () => {
  const { replicas } = await openReplicas(['ann', 'bob'])
  const [ann, bob] = replicas as [Replica, Replica]
  ann.writeAll({ 'same.txt': 'from ann', 'ann.txt': 'a' })
  bob.writeAll({ 'same.txt': 'from bob', 'bob.txt': 'b' })
  await syncInTurn(ann, bob)
  await converge(ann, bob)
  expect(ann.conflict()).toMatchObject({ path: 'same.txt', kind: 'create', aspect: 'content', base: null })
  expect(bob.conflict().id).toBe(ann.conflict().id)
  expect(ann.tree()).toEqual({ 'same.txt': 'from ann', 'ann.txt': 'a', 'bob.txt': 'b' })
  expect(bob.tree()).toEqual({ 'same.txt': 'from bob', 'ann.txt': 'a', 'bob.txt': 'b' })
})

test('a late instance joins through the checkpoint and goes on from there', async () => {
  const { ann, bob, add } = await openPair()
  for (let index = 0; index < 12; index++) ann.write(`${index}.txt`, `${index}`)
  await syncInTurn(ann)
  // Enough that does not compress to make a checkpoint worth its while.
  for (let index = 0; index < 12; index++)
    ann.setMetadata(`${index}.txt`, { text: randomBytes(30_000).toString('hex') })
  await syncInTurn(ann)
  ann.write('after.txt', 'after the checkpoint')
  ann.write('1.txt', 'changed')
  await syncInTurn(ann, bob)
  const checkpoint = ann.database.chain.checkpoint()
  expect(checkpoint?.version).toBeGreaterThan(0)
  const cyd = await add('cyd')
  const sent = await cyd.sentDuring(() => syncInTurn(cyd))
  expect(sent.filter(({ name }) => name === checkpoint?.name)).toHaveLength(1)
  // What the checkpoint holds is not read again as changesets, but for the one that says which state it must be.
  const versionsRead = sent
    .filter(({ method, name }) => method === 'GET' && name.startsWith('changes/'))
    .map(({ name }) => Number(name.split('/')[2]?.slice(0, 12)))
  expect(Math.min(...versionsRead)).toBe(checkpoint?.version)
  expect(cyd.tree()).toEqual(ann.tree())
  await converge(ann, bob, cyd)
})

test('edits on both sides arrive, and only what changed is sent', async () => {
  const { ann, bob } = await openPair({ 'a.txt': 'a', 'b.txt': 'b', 'c.txt': 'c' })
  ann.write('a.txt', 'a2')
  bob.write('b.txt', 'b2')
  await syncInTurn(ann, bob, ann)
  expect(ann.tree()).toEqual({ 'a.txt': 'a2', 'b.txt': 'b2', 'c.txt': 'c' })
  expect(bob.tree()).toEqual(ann.tree())
  await converge(ann, bob)
  await expectQuiet(ann, bob)
})

test('an empty folder appears and disappears with the others', async () => {
  const { ann, bob } = await openPair({ 'a.txt': 'a' })
  ann.makeFolder('deep/empty')
  await syncInTurn(ann, bob)
  expect(bob.tree()).toEqual({ 'a.txt': 'a', 'deep/empty/': '' })
  bob.write('deep/empty/now.txt', 'not empty')
  await syncInTurn(bob, ann)
  expect(ann.tree()).toEqual({ 'a.txt': 'a', 'deep/empty/now.txt': 'not empty' })
  ann.remove('deep')
  await syncInTurn(ann, bob)
  expect(bob.tree()).toEqual({ 'a.txt': 'a' })
  expect(fs.existsSync(bob.at('deep'))).toBe(false)
  await converge(ann, bob)
})

test('a folder that lost its last file but was not deleted stays, everywhere', async () => {
  const { ann, bob } = await openPair({ 'folder/only.txt': 'x', 'a.txt': 'a' })
  ann.remove('folder/only.txt')
  await syncInTurn(ann, bob)
  expect(ann.tree()).toEqual({ 'a.txt': 'a', 'folder/': '' })
  expect(bob.tree()).toEqual(ann.tree())
  await converge(ann, bob)
})

test('a deleted folder does not take along what somebody else put into it', async () => {
  const { ann, bob } = await openPair({ 'folder/old.txt': 'old', 'a.txt': 'a' })
  ann.remove('folder')
  bob.write('folder/new.txt', 'new')
  await syncInTurn(ann, bob, ann)
  expect(ann.tree()).toEqual({ 'a.txt': 'a', 'folder/new.txt': 'new' })
  await converge(ann, bob)
})

test('the executable bit and the modification time arrive as they were', async () => {
  const { ann, bob } = await openPair({ 'run.sh': '#!/bin/sh' })
  fs.chmodSync(ann.at('run.sh'), 0o755)
  const written = await contentsSentBy(ann)
  expect(written).toEqual([])
  await syncInTurn(bob)
  expect(fs.statSync(bob.at('run.sh')).mode & 0o100).toBe(0o100)
  ann.write('run.sh', '#!/bin/sh\necho')
  fs.utimesSync(ann.at('run.sh'), 1_500_000_000, 1_500_000_000)
  await syncInTurn(ann, bob)
  expect(fs.statSync(bob.at('run.sh')).mtimeMs).toBe(1_500_000_000_000)
  expect(fs.statSync(bob.at('run.sh')).mode & 0o100).toBe(0o100)
  fs.chmodSync(bob.at('run.sh'), 0o644)
  await syncInTurn(bob, ann)
  expect(fs.statSync(ann.at('run.sh')).mode & 0o100).toBe(0)
  await converge(ann, bob)
})

test('a modification time alone is no reason for a commit, and goes along with the next full run', async () => {
  const { ann, bob } = await openPair({ 'a.txt': 'a' })
  await ann.sync()
  fs.utimesSync(ann.at('a.txt'), 1_400_000_000, 1_400_000_000)
  const sent = await ann.sentDuring(() => ann.sync())
  expect(sent.map(({ method }) => method)).toEqual(['HEAD'])
  expectWell(await ann.sync({ full: true }))
  expectWell(await bob.sync({ full: true }))
  expect(fs.statSync(bob.at('a.txt')).mtimeMs).toBe(1_400_000_000_000)
  expect(contentsSent(ann.sent)).toHaveLength(1)
})

test('labels travel without the content, and those of both sides stand together', async () => {
  const { ann, bob } = await openPair({ 'a.txt': 'a' })
  ann.setMetadata('a.txt', { labels: ['draft'], author: 'ann' })
  bob.setMetadata('a.txt', { labels: ['urgent'], year: 2025 })
  const sent = await ann.sentDuring(() => syncInTurn(ann))
  expect(contentsSent(sent)).toEqual([])
  await syncInTurn(bob, ann)
  const both = { labels: ['draft', 'urgent'], author: 'ann', year: 2025 }
  expect(ann.metadata('a.txt')).toEqual(both)
  expect(bob.metadata('a.txt')).toEqual(both)
  // A label survives an edit and a rename.
  bob.write('a.txt', 'edited')
  await syncInTurn(bob)
  bob.move('a.txt', 'b.txt')
  await syncInTurn(bob, ann)
  expect(ann.metadata('b.txt')).toEqual(both)
  await converge(ann, bob)
})

test('more metadata than one changeset can hold is committed in several', async () => {
  const { ann, bob } = await openPair()
  // Three bytes a character: what counts is the bytes of the changeset, not its characters.
  const text = '書'.repeat(20_000)
  for (let index = 0; index < 100; index++) ann.write(`${index}.txt`, `${index}`)
  await syncInTurn(ann)
  for (let index = 0; index < 100; index++) ann.setMetadata(`${index}.txt`, { text, index })
  await syncInTurn(ann, bob)
  expect(bob.metadata('42.txt')).toEqual({ text, index: 42 })
  expect(ann.version()).toBe(3)
  await converge(ann, bob)
})

test('files with much metadata that change places are committed in several changesets', async () => {
  const { ann, bob } = await openPair()
  const text = 'x'.repeat(50_000)
  const pairs = Array.from({ length: 25 }, (_, index) => [`left-${index}`, `right-${index}`] as const)
  for (const name of pairs.flat()) ann.write(name, name)
  await syncInTurn(ann)
  for (const name of pairs.flat()) ann.setMetadata(name, { text, name })
  await syncInTurn(ann, bob)
  for (const [left, right] of pairs) swap(ann, left, right)
  for (const name of pairs.flat()) ann.setMetadata(name, { text: text.toUpperCase(), name })
  await syncInTurn(ann, bob)
  for (const [left, right] of pairs) {
    expect(bob.read(left)).toBe(right)
    expect(bob.read(right)).toBe(left)
  }
  await converge(ann, bob)
})

test('a second copy of a content is never uploaded', async () => {
  const { ann, bob } = await openPair({ 'a.txt': 'the same' })
  ann.write('copy.txt', 'the same')
  ann.write('x.txt', 'twice new')
  ann.write('y.txt', 'twice new')
  const sent = await ann.sentDuring(() => syncInTurn(ann))
  expect(contentsSent(sent)).toHaveLength(1)
  await syncInTurn(bob)
  bob.write('again.txt', 'twice new')
  expect(await contentsSentBy(bob)).toEqual([])
  // Deleted and written anew: the store has it still.
  bob.remove('a.txt')
  bob.remove('copy.txt')
  await syncInTurn(bob)
  bob.write('back.txt', 'the same')
  expect(await contentsSentBy(bob)).toEqual([])
  await converge(ann, bob)
})

test('a content that differs from what was read, under the same size and times, is read again and sent', async () => {
  const { ann, bob } = await openPair({})
  ann.write('a.txt', 'new')
  // Written within one step of the disk's clock: what the first look read is another content with the same stamp.
  const { workspace } = ann.context
  const hash = workspace.hash.bind(workspace)
  ann.disk.hash = async (path, signal) => {
    delete ann.disk.hash
    return {
      ...(await hash(path, signal)),
      hash: createHash('sha256').update('old').digest('hex'),
      racy: false,
    }
  }
  expectWell(await ann.sync())
  await converge(ann, bob)
  expect(bob.read('a.txt')).toBe('new')
})

function swap(replica: Replica, left: string, right: string): void {
  replica.move(left, 'aside')
  replica.move(right, left)
  replica.move('aside', right)
}

async function contentsSentBy(replica: Replica) {
  return contentsSent(await replica.sentDuring(() => syncInTurn(replica)))
}
