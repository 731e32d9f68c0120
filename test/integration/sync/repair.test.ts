/** `davit verify --deep --repair`: what the store lost is sent again by whoever has it. */
import fs from 'node:fs'
import { expect, test } from 'vitest'
import { verify } from '../../../src/instance/verify.ts'
import { DavitError } from '../../../src/model/errors.ts'
import { converge, openPair, type Replica, syncInTurn } from '../../support/replica.ts'

const blobs = /\/[0-9a-f]{2}\/[0-9a-f]{64}-/

/** The names of the store's objects that match. */
function named(replica: Replica, pattern: RegExp): string[] {
  return [...replica.dav.files.keys()].filter((name) => pattern.test(name))
}

function codes(report: { readonly discrepancies: readonly { readonly code: string }[] }): string[] {
  return report.discrepancies.map(({ code }) => code)
}

test('a content that the store lost is sent again, also by one who is behind', async () => {
  const { ann, bob } = await openPair({})
  ann.write('a.txt', 'only ann has it')
  await syncInTurn(ann)
  const [blob] = named(ann, blobs) as [string]
  ann.dav.files.set(blob, Buffer.from('rotten'))
  bob.write('b.txt', 'made meanwhile')
  expect((await bob.sync()).outcome).toBe('failed')
  const report = await verify(ann.context, { deep: true, repair: true })
  expect(codes(report)).toEqual(['behind', 'content-damaged'])
  expect(report.repaired).toBe(1)
  await converge(ann, bob)
  expect(bob.read('a.txt')).toBe('only ann has it')
  expect(codes(await verify(bob.context, { deep: true }))).toEqual([])
})

test('a content that nobody has any more comes back with its file, from a backup say', async () => {
  const { ann, bob } = await openPair({ 'b.txt': 'both have it' })
  ann.write('a.txt', 'only ann had it')
  ann.write('b.txt', 'edited by ann')
  const before = new Set(named(ann, /\/[0-9a-f]{2}\/[0-9a-f]{64}-/))
  await syncInTurn(ann)
  const id = ann.database.trees.localAt('a.txt')?.id
  // Her machine is gone, and the store's disk rots.
  for (const blob of named(ann, /\/[0-9a-f]{2}\/[0-9a-f]{64}-/))
    if (!before.has(blob)) ann.dav.files.set(blob, Buffer.from('rotten'))
  expect(await bob.sync()).toMatchObject({ outcome: 'failed', error: { code: 'remote-damaged' } })
  expect((await verify(bob.context, { deep: true, repair: true })).repaired).toBe(0)
  expect(bob.tree()).toEqual({ 'b.txt': 'both have it' })
  bob.write('a.txt', 'only ann had it')
  bob.write('b.txt', 'edited by ann')
  const version = bob.version()
  await syncInTurn(bob)
  expect(bob.database.trees.localAt('a.txt')?.id).toBe(id)
  expect(bob.version()).toBe(version)
  expect((await verify(bob.context, { deep: true, repair: true })).repaired).toBe(2)
  expect(codes(await verify(bob.context, { deep: true }))).toEqual([])
})

test('where a content is lost for good, another one in its place is a conflict that can be decided', async () => {
  const { ann, bob } = await openPair({})
  ann.write('a.txt', 'only ann had it')
  await syncInTurn(ann)
  const [blob] = named(ann, /\/[0-9a-f]{2}\/[0-9a-f]{64}-/) as [string]
  ann.dav.files.set(blob, Buffer.from('rotten'))
  bob.write('a.txt', 'written anew')
  await syncInTurn(bob)
  expect(bob.conflict()).toMatchObject({ path: 'a.txt' })
  await bob.resolve(bob.conflict().id, 'local')
  await syncInTurn(bob)
  expect(codes(await verify(bob.context, { deep: true }))).toEqual([])
})

test('two who repair the same content name it once', async () => {
  const { ann, bob } = await openPair({ 'a.txt': 'both have it' })
  const [blob] = named(ann, blobs) as [string]
  ann.dav.files.delete(blob)
  const reports = await Promise.all(
    [ann, bob].map(({ context }) => verify(context, { deep: true, repair: true })),
  )
  expect(reports.map(({ repaired }) => repaired).sort()).toEqual([0, 1])
  await converge(ann, bob)
  expect(codes(await verify(ann.context, { deep: true }))).toEqual([])
})

test('a folder that is empty here, since its file cannot be fetched, is not told as an empty one', async () => {
  const { ann, bob } = await openPair({ 'd/a.txt': 'base' })
  const before = new Set(named(ann, blobs))
  ann.write('d/a.txt', 'by ann')
  await syncInTurn(ann)
  const [blob] = named(ann, blobs).filter((name) => !before.has(name)) as [string]
  ann.dav.files.set(blob, Buffer.from('rotten'))
  fs.rmSync(bob.at('d/a.txt'))
  for (let run = 0; run < 3; run++) {
    await bob.sync()
    await ann.sync()
  }
  // Ann would take the entry away, and Bob make it again, for ever.
  expect(ann.version()).toBe(2)
  expect((await verify(ann.context, { deep: true, repair: true })).repaired).toBe(1)
  await converge(ann, bob)
  expect(bob.tree()).toEqual({ 'd/a.txt': 'by ann' })
})

test('a side of a conflict that the store lost is noticed, and sent again by the one whose edit it is', async () => {
  const { ann, bob } = await openPair({ 'a.txt': 'base' })
  ann.write('a.txt', 'by ann')
  await syncInTurn(ann)
  bob.write('a.txt', 'by bob')
  const before = new Set(named(bob, blobs))
  await syncInTurn(bob)
  const [side] = named(bob, blobs).filter((name) => !before.has(name)) as [string]
  ann.dav.files.delete(side)
  await syncInTurn(ann)
  expect(codes(await verify(ann.context, { deep: true }))).toEqual(['content-damaged'])
  expect((await verify(bob.context, { deep: true, repair: true })).repaired).toBe(1)
  await syncInTurn(ann)
  expect(codes(await verify(ann.context, { deep: true }))).toEqual([])
})

const lines = ['one', 'two', 'three', 'four', 'five']
const edited = (at: number) => lines.with(at, 'edited').join('\n')

/** Both have edited `a.txt`, far enough apart to be merged; Ann has committed. Answers the names of both contents. */
async function openMerge(): Promise<{ ann: Replica; bob: Replica; base: string; committed: string }> {
  const { ann, bob } = await openPair({ 'a.txt': lines.join('\n') })
  for (const replica of [ann, bob]) replica.policy = 'merge'
  const [base] = named(ann, blobs) as [string]
  ann.write('a.txt', edited(0))
  await syncInTurn(ann)
  const [committed] = named(ann, blobs).filter((name) => name !== base) as [string]
  bob.write('a.txt', edited(4))
  bob.write('b.txt', 'made meanwhile')
  return { ann, bob, base, committed }
}

test('edits of a content that is lost for good are a conflict that can be decided, and all else goes on', async () => {
  const { ann, bob, base } = await openMerge()
  ann.dav.files.set(base, Buffer.from('rotten'))
  expect((await bob.sync()).outcome).toBe('conflicts')
  await syncInTurn(ann)
  expect(ann.read('b.txt')).toBe('made meanwhile')
  expect(bob.conflict()).toMatchObject({ path: 'a.txt' })
  await ann.resolve(ann.conflict().id, 'local', { candidate: bob.id })
  await converge(ann, bob)
  expect(ann.read('a.txt')).toBe(edited(4))
})

test('a merge waits for a content that the store lost until it is sent again, and all else goes on', async () => {
  const { ann, bob, committed } = await openMerge()
  ann.dav.files.set(committed, Buffer.from('rotten'))
  expect(await bob.sync()).toMatchObject({ outcome: 'failed', error: { code: 'remote-damaged' } })
  await syncInTurn(ann)
  expect(ann.read('b.txt')).toBe('made meanwhile')
  expect((await verify(ann.context, { deep: true, repair: true })).repaired).toBe(1)
  await converge(ann, bob)
  for (const replica of [ann, bob])
    expect(replica.read('a.txt')).toBe(lines.with(0, 'edited').with(4, 'edited').join('\n'))
})

async function* failing(error: Error): AsyncGenerator<Uint8Array> {
  yield await Promise.reject(error)
}

test('a file that cannot be read for its merge waits, and all else goes on', async () => {
  const { ann, bob } = await openMerge()
  const { source } = bob.context.workspace
  bob.disk.source = (path, stamp) => {
    const given = source(path, stamp)
    const error = new DavitError('file-unreadable', `'${path}' cannot be read`, { action: 'retry' })
    return path === 'a.txt' ? { ...given, open: () => failing(error) } : given
  }
  expect(await bob.sync()).toMatchObject({ outcome: 'failed', error: { code: 'file-unreadable' } })
  await syncInTurn(ann)
  expect(ann.read('b.txt')).toBe('made meanwhile')
  delete bob.disk.source
  await converge(bob, ann)
  expect(ann.tree()).toEqual({
    'a.txt': lines.with(0, 'edited').with(4, 'edited').join('\n'),
    'b.txt': 'made meanwhile',
  })
})

test('a changeset that the store lost is sent again by the one who made it', async () => {
  const { ann, bob } = await openPair({ 'a.txt': 'a' })
  ann.write('b.txt', 'b')
  await syncInTurn(ann)
  const [lost] = named(ann, /changes\/.*-/)
    .sort()
    .slice(-1) as [string]
  const bytes = ann.dav.files.get(lost)
  // As when a backup of the store came back between the upload and the commit.
  ann.dav.files.delete(lost)
  expect((await bob.sync()).error?.code).toBe('remote-damaged')
  const [told] = (await verify(bob.context, { deep: true, repair: true })).discrepancies
  expect(told).toMatchObject({ code: 'changeset-damaged' })
  expect(told?.detail).toContain('davit verify --deep --repair')
  expect(codes(await verify(ann.context, { deep: true }))).toEqual(['changeset-damaged'])
  expect((await verify(ann.context, { deep: true, repair: true })).repaired).toBe(1)
  expect(ann.dav.files.get(lost)).toEqual(bytes)
  await converge(ann, bob)
  expect(bob.read('b.txt')).toBe('b')
})
