import { randomBytes } from 'node:crypto'
import { gunzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import type { RunSummary } from '../../../src/model/run.ts'
import { recover } from '../../../src/sync/recover.ts'
import {
  converge,
  expectWell,
  openPair,
  openReplicas,
  openThree,
  type Replica,
  type ReplicaSet,
  syncInTurn,
} from '../../support/replica.ts'

/** The store's files as they are now, to be put back later. */
function save({ dav }: ReplicaSet): () => void {
  const saved = new Map(dav.files)
  return () => {
    dav.files.clear()
    for (const [name, bytes] of saved) dav.files.set(name, bytes)
  }
}

/** A server whose MOVE of a head copies and forgets to delete, once. */
function copyOnce(replica: Replica): void {
  replica.network = async (request, send) => {
    if (request.method !== 'MOVE' || !request.name.startsWith('version/')) return send(request)
    replica.network = (passed, pass) => pass(passed)
    return send({ ...request, method: 'COPY' })
  }
}

type Side = 'first' | 'second'

/** Both commit on the same parent, as where a rename leaves the old name; then one of the two names goes. */
async function fork(set: ReplicaSet, first: Replica, second: Replica, winner: Side): Promise<void> {
  const { files } = set.dav
  const headNow = (): [string, Uint8Array] => {
    const heads = [...files].filter(([name]) => name.startsWith('dav/store/version/'))
    if (heads.length !== 1 || heads[0] === undefined) throw new Error(`${heads.length} heads`)
    return heads[0]
  }
  const parent = headNow()
  await syncInTurn(first)
  const firstHead = headNow()
  files.delete(firstHead[0])
  files.set(...parent)
  await syncInTurn(second)
  if (winner === 'second') return
  files.delete(headNow()[0])
  files.set(...firstHead)
}

const winners = [{ winner: 'first' }, { winner: 'second' }] as const

test('a rename that only copied is healed, and the commit counts once', async () => {
  const { ann, bob, dav } = await openPair({ 'a.txt': 'a' })
  copyOnce(ann)
  ann.write('a.txt', 'a2')
  await syncInTurn(ann, bob)
  expect(bob.read('a.txt')).toBe('a2')
  expect(ann.version()).toBe(2)
  expect([...dav.files.keys()].filter((name) => name.includes('/version/'))).toHaveLength(1)
  await converge(ann, bob)
})

describe.each(winners)('of a fork of which the $winner commit stays', ({ winner }) => {
  test('what the other one committed is committed again, and names what it adopts', async () => {
    const set = await openThree({ 'a.txt': 'a', 'b.txt': 'b', 'c.txt': 'c' })
    const { ann, bob, cyd, dav } = set
    ann.write('a.txt', 'by ann')
    ann.remove('c.txt')
    ann.setMetadata('b.txt', { labels: ['ann'] })
    bob.write('b.txt', 'by bob')
    bob.write('new.txt', 'by bob')
    await fork(set, ann, bob, winner)
    await converge(ann, bob, cyd)
    expect(cyd.tree()).toEqual({ 'a.txt': 'by ann', 'b.txt': 'by bob', 'new.txt': 'by bob' })
    expect(cyd.metadata('b.txt')).toEqual({ labels: ['ann'] })
    expect(cyd.conflicts()).toEqual([])
    const adopts = [...dav.files]
      .filter(([name]) => name.includes('/changes/'))
      .flatMap(([, bytes]) => JSON.parse(gunzipSync(bytes).toString('utf8').split('\n')[0] ?? '{}').adopts)
    expect(adopts).toHaveLength(1)
  })

  test('whoever had taken the orphan in goes on by itself', async () => {
    const set = await openThree({ 'a.txt': 'a', 'b.txt': 'b' })
    const { ann, bob, cyd } = set
    ann.write('a.txt', 'by ann')
    await syncInTurn(ann)
    bob.write('b.txt', 'by bob')
    // Cyd follows ann before the fork shows.
    const heads = () => [...set.dav.files].filter(([name]) => name.startsWith('dav/store/version/'))
    await syncInTurn(cyd)
    ann.write('a.txt', 'by ann, again')
    const [before] = heads()
    await syncInTurn(ann, cyd)
    const [orphaned] = heads()
    if (before === undefined || orphaned === undefined) throw new Error('no head')
    set.dav.files.delete(orphaned[0])
    set.dav.files.set(...before)
    await syncInTurn(bob)
    await converge(ann, bob, cyd)
    expect(bob.tree()).toEqual({ 'a.txt': 'by ann, again', 'b.txt': 'by bob' })
    expect(bob.conflicts()).toEqual([])
  })

  test('two edits of one file are a conflict', async () => {
    const set = await openThree({ 'a.txt': 'a' })
    const { ann, bob, cyd } = set
    ann.write('a.txt', 'by ann')
    bob.write('a.txt', 'by bob')
    await fork(set, ann, bob, winner)
    await converge(ann, bob, cyd)
    expect(cyd.conflict().path).toBe('a.txt')
    expect([ann.read('a.txt'), bob.read('a.txt')]).toEqual(['by ann', 'by bob'])
  })

  test('a conflict that one of them opened is still one', async () => {
    const set = await openThree({ 'a.txt': 'a', 'x.txt': 'x' })
    const { ann, bob, cyd } = set
    cyd.write('a.txt', 'by cyd')
    cyd.setMetadata('a.txt', { author: 'cyd' })
    await syncInTurn(cyd, bob)
    ann.write('a.txt', 'by ann')
    ann.setMetadata('a.txt', { author: 'ann' })
    bob.write('x.txt', 'by bob')
    await fork(set, ann, bob, winner)
    await converge(ann, bob, cyd)
    expect(
      cyd
        .conflicts()
        .map(({ aspect }) => aspect)
        .sort(),
    ).toEqual(['content', 'metadata.author'])
    expect([ann.read('a.txt'), bob.read('a.txt')]).toEqual(['by ann', 'by cyd'])
    expect([ann.metadata('a.txt'), bob.metadata('a.txt')]).toEqual([{ author: 'ann' }, { author: 'cyd' }])
  })

  test('a conflict that one of them changed goes on with the newest candidate', async () => {
    const set = await openThree({ 'a.txt': 'a', 'x.txt': 'x' })
    const { ann, bob, cyd } = set
    cyd.write('a.txt', 'by cyd')
    ann.write('a.txt', 'by ann')
    await converge(cyd, ann, bob)
    ann.write('a.txt', 'by ann, again')
    bob.write('x.txt', 'by bob')
    await fork(set, ann, bob, winner)
    await converge(ann, bob, cyd)
    expect(cyd.conflict().candidates).toMatchObject([{ name: 'ann', size: 13 }])
    expect([ann.read('a.txt'), bob.read('a.txt')]).toEqual(['by ann, again', 'by cyd'])
    await cyd.resolve(cyd.conflict().id, 'local')
    await converge(ann, bob, cyd)
    expect(bob.read('a.txt')).toBe('by ann, again')
  })

  test('a conflict that one of them resolved is resolved, or open as it was', async () => {
    const set = await openThree({ 'a.txt': 'a', 'x.txt': 'x' })
    const { ann, bob, cyd } = set
    cyd.write('a.txt', 'by cyd')
    ann.write('a.txt', 'by ann')
    await converge(cyd, ann, bob)
    const { files } = set.dav
    const [parent] = [...files].filter(([name]) => name.startsWith('dav/store/version/'))
    await ann.resolve(ann.conflict().id, 'merge', { content: Buffer.from('by both') })
    const [resolved] = [...files].filter(([name]) => name.startsWith('dav/store/version/'))
    if (parent === undefined || resolved === undefined) throw new Error('no head')
    files.delete(resolved[0])
    files.set(...parent)
    bob.write('x.txt', 'by bob')
    await syncInTurn(bob)
    if (winner === 'first') {
      for (const name of files.keys()) if (name.startsWith('dav/store/version/')) files.delete(name)
      files.set(...resolved)
    }
    await converge(ann, bob, cyd)
    expect(bob.read('x.txt')).toBe('by bob')
    const texts = [ann, bob, cyd].flatMap((replica) => [replica.read('a.txt'), ...replica.trash()])
    expect(texts).toEqual(expect.arrayContaining(['by both', 'by ann', 'by cyd']))
    for (const conflict of cyd.conflicts()) await cyd.resolve(conflict.id, 'local')
    await converge(ann, bob, cyd)
    expect(bob.read('a.txt')).toBe('by both')
  })
})

test('a store rolled back to an older state halts, and republishing brings all of it back', async () => {
  const set = await openThree({ 'a.txt': 'a', 'b.txt': 'b' })
  const { ann, bob, cyd } = set
  const rollBack = save(set)
  ann.write('a.txt', 'a2')
  await syncInTurn(ann, bob)
  bob.write('b.txt', 'b2')
  bob.write('new.txt', 'new')
  bob.setMetadata('a.txt', { labels: ['x'] })
  await syncInTurn(bob, ann)
  rollBack()
  for (const replica of [ann, bob])
    expect(await replica.sync()).toMatchObject({ outcome: 'halted', error: { code: 'remote-rolled-back' } })
  // Cyd has not seen what is lost, edits, and commits on the rolled back store.
  cyd.write('c.txt', 'by cyd')
  await syncInTurn(cyd)
  expectWell(await ann.recover('republish'))
  // The others go on by themselves.
  await converge(ann, bob, cyd)
  for (const replica of [ann, bob, cyd]) {
    expect(replica.tree()).toEqual({ 'a.txt': 'a2', 'b.txt': 'b2', 'c.txt': 'by cyd', 'new.txt': 'new' })
    expect(replica.metadata('a.txt')).toEqual({ labels: ['x'] })
    expect(replica.engine.halt()).toBeNull()
    expect(replica.conflicts()).toEqual([])
  }
})

test('what is taken back belongs to no later version than the one that it was taken back to', async () => {
  const set = await openPair({ 'a.txt': 'a', 'b.txt': 'b' })
  const { ann } = set
  const restore = save(set)
  for (const text of ['a2', 'a3', 'a4']) {
    ann.write('a.txt', text)
    await syncInTurn(ann)
  }
  ann.remove('b.txt')
  await syncInTurn(ann)
  restore()
  expect((await ann.sync({ full: true })).outcome).toBe('halted')
  await ann.engine.exclusively(() => recover(ann.context, 'republish'))
  expect(ann.version()).toBe(1)
  // A checkpoint with an entry of a later version than its own is refused by everybody.
  expect(ann.database.trees.remotePage({ limit: 10 }).map(({ version }) => version)).toEqual([1, 1])
})

/** Three who agree, of whom Cyd joined by a checkpoint; and the store's head at its version or the one before. */
async function lateJoiner(): Promise<{
  set: Awaited<ReturnType<typeof openPair>>
  cyd: Replica
  takeBackTo(before: 0 | 1): void
}> {
  const paths = Array.from({ length: 12 }, (_, index) => `${index}.txt`)
  const set = await openPair(Object.fromEntries(paths.map((path) => [path, path])))
  const { ann, bob, dav } = set
  // Enough that does not compress to make a checkpoint worth its while.
  for (const path of paths) ann.setMetadata(path, { text: randomBytes(30_000).toString('hex') })
  await syncInTurn(ann)
  ann.write('c.txt', 'after the checkpoint')
  await syncInTurn(ann, bob)
  const cyd = await set.add('cyd')
  await syncInTurn(cyd)
  const checkpoint = cyd.database.chain.checkpoint()
  if (checkpoint === null) throw new Error('there is no checkpoint')
  const takeBackTo = (before: 0 | 1) => {
    const version = checkpoint.version - before
    const heads = [...dav.files].filter(([name]) => name.startsWith('dav/store/version/'))
    for (const [name] of heads) dav.files.delete(name)
    const name = `${String(version).padStart(12, '0')}-${ann.database.chain.hashAt(version)}`
    dav.files.set(`dav/store/version/${name}`, heads[0]?.[1] ?? new Uint8Array())
  }
  return { set, cyd, takeBackTo }
}

test('one who joined by a checkpoint republishes what came after it', async () => {
  const { set, cyd, takeBackTo } = await lateJoiner()
  expect(cyd.database.chain.bytesAt(cyd.database.chain.checkpoint()?.version ?? 0)).toBeNull()
  takeBackTo(0)
  expect(await cyd.sync()).toMatchObject({ outcome: 'halted', error: { code: 'remote-rolled-back' } })
  expectWell(await cyd.recover('republish'))
  await converge(set.ann, set.bob, cyd)
  expect(set.ann.read('c.txt')).toBe('after the checkpoint')
})

test('one who joined by a checkpoint is told that it cannot republish what came before', async () => {
  const { set, cyd, takeBackTo } = await lateJoiner()
  takeBackTo(1)
  await expect(cyd.recover('republish')).rejects.toMatchObject({
    code: 'remote-rolled-back',
    hint: expect.stringContaining('on an instance that has been in the set for longer'),
  })
  expectWell(await set.ann.recover('republish'))
  await converge(set.ann, set.bob, cyd)
  expect(cyd.read('c.txt')).toBe('after the checkpoint')
})

test('a store rolled back can be adopted: what only exists here is kept and committed as new', async () => {
  const set = await openThree({ 'a.txt': 'a', 'b.txt': 'b' })
  const { ann, bob, cyd } = set
  const rollBack = save(set)
  ann.write('new.txt', 'new')
  ann.remove('b.txt')
  await syncInTurn(ann, bob)
  rollBack()
  expect((await ann.sync()).outcome).toBe('halted')
  expectWell(await ann.recover('adopt'))
  expect((await bob.sync()).outcome).toBe('halted')
  expectWell(await bob.recover('adopt'))
  await converge(ann, bob, cyd)
  expect(cyd.tree()).toEqual({ 'a.txt': 'a', 'b.txt': 'b', 'new.txt': 'new' })
})

test('an edit that nobody else has survives either way out', async () => {
  for (const choice of ['republish', 'adopt'] as const) {
    const set = await openPair({ 'a.txt': 'a', 'b.txt': 'b' })
    const { ann, bob } = set
    const rollBack = save(set)
    ann.write('a.txt', 'a2')
    await syncInTurn(ann)
    rollBack()
    expect((await ann.sync()).outcome).toBe('halted')
    ann.write('b.txt', 'edited while it was halted')
    ann.write('a.txt', 'a3')
    expectWell(await ann.recover(choice))
    await converge(ann, bob)
    expect(ann.read('a.txt')).toBe('a3')
    expect(ann.read('b.txt')).toBe('edited while it was halted')
    if (choice === 'republish')
      expect(bob.tree()).toEqual({ 'a.txt': 'a3', 'b.txt': 'edited while it was halted' })
  }
})

test.each(['republish', 'adopt'] as const)(
  'an emptied store halts everybody until one says: %s',
  async (choice) => {
    const { ann, bob, dav } = await openPair({ 'a.txt': 'a', 'b/c.txt': 'c' })
    ann.setMetadata('a.txt', { labels: ['x'] })
    await syncInTurn(ann, bob)
    dav.files.clear()
    for (const replica of [ann, bob])
      expect(await replica.sync()).toMatchObject({ outcome: 'halted', error: { code: 'remote-missing' } })
    expectWell(await ann.recover(choice))
    if (choice === 'adopt') {
      expect(await bob.sync()).toMatchObject({ outcome: 'halted', error: { code: 'remote-foreign' } })
      expectWell(await bob.recover('adopt'))
    }
    await converge(ann, bob)
    expect(bob.tree()).toEqual({ 'a.txt': 'a', 'b/c.txt': 'c' })
    expect(bob.metadata('a.txt')).toEqual({ labels: ['x'] })
  },
)

test('a second first commit, made because the first head came back, halts nobody and loses nothing', async () => {
  const { dav, replicas } = await openReplicas(['ann', 'bob'])
  // A store without a commit, read by both.
  await syncInTurn(...replicas)
  const firstHead = [...dav.files].filter(([name]) => name.includes('/version/'))
  const held: { readonly replica: Replica; readonly target: string; readonly send: () => void }[] = []
  const runs = new Map<Replica, ReturnType<Replica['sync']>>()
  await new Promise<void>((bothAreHeld) => {
    for (const replica of replicas) {
      replica.write(`${replica.name}.txt`, replica.name)
      replica.network = async (request, send) => {
        if (request.method === 'MOVE') {
          replica.network = (passed, sendOn) => sendOn(passed)
          await new Promise<void>((sendIt) => {
            held.push({ replica, target: request.destination ?? '', send: sendIt })
            if (held.length === 2) bothAreHeld()
          })
        }
        return send(request)
      }
      runs.set(replica, replica.sync())
    }
  })
  // The commit that healing will take back goes first, and is told to have succeeded.
  const [first, second] = held.sort((left, right) => (left.target > right.target ? -1 : 1))
  first?.send()
  expectWell((await runs.get(first?.replica as Replica)) as RunSummary)
  for (const [name, bytes] of firstHead) dav.files.set(name, bytes)
  second?.send()
  expectWell((await runs.get(second?.replica as Replica)) as RunSummary)
  await converge(...replicas)
  for (const replica of replicas) expect(replica.tree()).toEqual({ 'ann.txt': 'ann', 'bob.txt': 'bob' })
})

test('the store of another replica set halts, and nothing is mixed', async () => {
  const { ann, dav } = await openPair({ 'a.txt': 'a' })
  const other = await openReplicas(['eve'])
  const [eve] = other.replicas as [Replica]
  eve.write('eve.txt', 'eve')
  await syncInTurn(eve)
  eve.write('eve.txt', 'eve2')
  await syncInTurn(eve)
  dav.files.clear()
  for (const [name, bytes] of other.dav.files) dav.files.set(name, bytes)
  const summary = await ann.sync()
  expect(summary).toMatchObject({ outcome: 'halted' })
  expect(['remote-foreign', 'remote-rolled-back']).toContain(summary.error?.code)
  expect(ann.tree()).toEqual({ 'a.txt': 'a' })
  expectWell(await ann.recover('adopt'))
  expect(ann.tree()).toEqual({ 'a.txt': 'a', 'eve.txt': 'eve2' })
})

test('a database restored from an older copy undoes nobody’s work', async () => {
  const { ann, bob, cyd } = await openThree(
    { 'a.txt': 'a', 'b.txt': 'b', 'c.txt': 'c', 'd.txt': 'd', 'e.txt': 'e' },
    { onDisk: true },
  )
  const copy = ann.copyDatabase()
  // Ann's own later work, and what the others made of it.
  ann.write('a.txt', 'a2 by ann')
  ann.move('b.txt', 'b-moved.txt')
  ann.remove('c.txt')
  ann.setMetadata('d.txt', { labels: ['ann'] })
  ann.write('new.txt', 'new by ann')
  await syncInTurn(ann, bob, cyd)
  bob.write('a.txt', 'a3 by bob')
  bob.write('b-moved.txt', 'b3 by bob')
  bob.write('new.txt', 'new3 by bob')
  bob.write('d.txt', 'd3 by bob')
  bob.remove('e.txt')
  await syncInTurn(bob, cyd)
  await ann.restoreDatabase(copy)
  await converge(ann, bob, cyd)
  for (const replica of [ann, bob, cyd]) {
    expect(replica.tree()).toEqual({
      'a.txt': 'a3 by bob',
      'b-moved.txt': 'b3 by bob',
      'd.txt': 'd3 by bob',
      'new.txt': 'new3 by bob',
    })
    expect(replica.metadata('d.txt')).toEqual({ labels: ['ann'] })
    expect(replica.conflicts()).toEqual([])
  }
})

test('a database restored from an older copy takes content and label of its own for agreed', async () => {
  const { ann, bob } = await openPair({ 'a.txt': 'a' }, { onDisk: true })
  const copy = ann.copyDatabase()
  ann.setMetadata('a.txt', { labels: ['ann'] })
  await syncInTurn(ann, bob)
  ann.write('a.txt', 'a2 by ann')
  await syncInTurn(ann, bob)
  bob.write('a.txt', 'a3 by bob')
  await syncInTurn(bob)
  await ann.restoreDatabase(copy)
  await converge(ann, bob)
  expect(ann.conflicts()).toEqual([])
  expect(bob.tree()).toEqual({ 'a.txt': 'a3 by bob' })
  expect(ann.metadata('a.txt')).toEqual({ labels: ['ann'] })
})
