import fs from 'node:fs'
import { expect, test } from 'vitest'
import { DavitError } from '../../../src/model/errors.ts'
import type { Transport } from '../../../src/remote/transport.ts'
import {
  contentsSent,
  converge,
  cut,
  expectQuiet,
  expectWell,
  type Network,
  openPair,
  openReplicas,
  openThree,
  type Replica,
  syncInTurn,
} from '../../support/replica.ts'

const writes = ['PUT', 'MOVE', 'DELETE', 'MKCOL', 'COPY']
type Request = Parameters<Transport['request']>[0]

/** Loses the answer to the n-th write; with `dead` nothing passes any more after it. */
function losing(n: number, dead: boolean): { readonly network: Network; readonly wasLost: () => boolean } {
  let seen = 0
  let lost = false
  return {
    wasLost: () => lost,
    network: async (request: Request, send) => {
      if (lost && dead) throw cut()
      const isWrite = writes.includes(request.method)
      const response = await send(request)
      if (!isWrite || lost || seen++ < n) return response
      await response.discard()
      lost = true
      throw cut()
    },
  }
}

const edits = (replica: Replica) => {
  replica.write('a.txt', 'a2')
  replica.write('new/b.txt', 'b')
  replica.remove('gone.txt')
  replica.move('from.txt', 'to.txt')
}
const before = { 'a.txt': 'a', 'gone.txt': 'g', 'from.txt': 'f', 'stays.txt': 's' }
const after = { 'a.txt': 'a2', 'new/b.txt': 'b', 'stays.txt': 's', 'to.txt': 'f' }

test.each([
  { what: 'one answer is lost', dead: false },
  { what: 'the connection dies', dead: true },
])('a commit counts exactly once at whichever write $what', async ({ dead }) => {
  for (let n = 0; ; n++) {
    const { ann, bob } = await openPair(before)
    edits(ann)
    const { network, wasLost } = losing(n, dead)
    ann.network = network
    await ann.sync()
    ann.network = (request, send) => send(request)
    await ann.restart()
    expectWell(await ann.sync())
    expect(ann.version(), `write ${n}`).toBe(2)
    await converge(ann, bob)
    expect(bob.tree()).toEqual(after)
    expect(bob.version(), `write ${n}`).toBe(2)
    if (!wasLost()) {
      expect(n).toBeGreaterThan(4)
      return
    }
  }
})

test('an attempt that was open at the end of the process is settled by the next one', async () => {
  const { ann, bob } = await openPair(before, { onDisk: true })
  edits(ann)
  ann.network = async (request, send) => {
    const response = await send(request)
    if (request.method !== 'MOVE') return response
    ann.network = async () => {
      throw cut()
    }
    throw cut()
  }
  expect(await ann.sync()).toMatchObject({ outcome: 'unreachable' })
  expect(ann.database.chain.attempts()).toHaveLength(1)
  // Meanwhile it counts for the others already, and they go on from it.
  await syncInTurn(bob)
  expect(bob.tree()).toEqual(after)
  bob.write('a.txt', 'a3, by bob')
  await syncInTurn(bob)
  ann.network = (request, send) => send(request)
  await ann.restart()
  await syncInTurn(ann)
  expect(ann.database.chain.attempts()).toEqual([])
  expect(ann.read('a.txt')).toBe('a3, by bob')
  expect(ann.version()).toBe(3)
  await converge(ann, bob)
})

test('an attempt that never arrived is repeated as it is', async () => {
  const { ann, bob } = await openPair(before)
  edits(ann)
  ann.network = async (request, send) => {
    if (request.method === 'MOVE') throw cut()
    return send(request)
  }
  expect((await ann.sync()).outcome).toBe('unreachable')
  const [attempt] = ann.database.chain.attempts()
  ann.network = (request, send) => send(request)
  await ann.restart()
  await syncInTurn(ann, bob)
  expect(ann.database.chain.hashAt(2)).toBe(attempt?.point.hash)
  expect(bob.tree()).toEqual(after)
  await converge(ann, bob)
})

test('an attempt of a store that was rolled back meanwhile does not hide that', async () => {
  const { ann, bob, dav } = await openPair(before)
  const saved = new Map(dav.files)
  bob.write('stays.txt', 'more')
  await syncInTurn(bob, ann)
  edits(ann)
  ann.network = async (request, send) => {
    if (request.method === 'MOVE') throw cut()
    return send(request)
  }
  expect((await ann.sync()).outcome).toBe('unreachable')
  dav.files.clear()
  for (const [name, bytes] of saved) dav.files.set(name, bytes)
  ann.network = (request, send) => send(request)
  await ann.restart()
  expect(await ann.sync()).toMatchObject({ outcome: 'halted', error: { code: 'remote-rolled-back' } })
  await ann.recover('republish')
  await converge(ann, bob)
  expect(bob.tree()).toEqual({ ...after, 'stays.txt': 'more' })
})

test('an attempt of a store that was emptied meanwhile does not hide that', async () => {
  const { ann, bob, dav } = await openPair(before)
  edits(ann)
  ann.network = async (request, send) => {
    if (request.method === 'MOVE') throw cut()
    return send(request)
  }
  await ann.sync()
  dav.files.clear()
  ann.network = (request, send) => send(request)
  expect(await ann.sync()).toMatchObject({ outcome: 'halted', error: { code: 'remote-missing' } })
  await ann.recover('republish')
  await converge(ann, bob)
  expect(bob.tree()).toEqual(after)
})

test('four instances that commit at the same time all get through', async () => {
  const { replicas } = await openReplicas(['ann', 'bob', 'cyd', 'dan'])
  await syncInTurn(...replicas)
  for (let round = 0; round < 3; round++) {
    for (const replica of replicas) replica.write(`${replica.name}-${round}.txt`, `${replica.name} ${round}`)
    for (const summary of await Promise.all(replicas.map((replica) => replica.sync()))) expectWell(summary)
  }
  await converge(...replicas)
  expect(Object.keys(replicas[0]?.tree() ?? {})).toHaveLength(12)
  expect(replicas[0]?.version()).toBe(12)
  // A commit that lost does not send its content again.
  for (const replica of replicas) expect(contentsSent(replica.sent)).toHaveLength(3)
  await expectQuiet(...replicas)
})

test('a file that cannot be read is left for later, and the others go on', async () => {
  const { ann, bob } = await openPair({ 'a.txt': 'a', 'b.txt': 'b' })
  ann.write('a.txt', 'a2')
  ann.write('b.txt', 'b2')
  const { hash } = ann.context.workspace
  ann.disk.hash = async (path, signal) => {
    if (path === 'a.txt') throw new DavitError('file-busy', 'it is being written', { action: 'retry' })
    return hash(path, signal)
  }
  expect(await ann.sync()).toMatchObject({
    outcome: 'failed',
    problems: [{ path: 'a.txt', code: 'file-busy' }],
  })
  await syncInTurn(bob)
  expect(bob.tree()).toEqual({ 'a.txt': 'a', 'b.txt': 'b2' })
  delete ann.disk.hash
  await converge(ann, bob)
  expect(bob.tree()).toEqual({ 'a.txt': 'a2', 'b.txt': 'b2' })
  expect(ann.database.problems.page({ limit: 10 })).toEqual([])
  expect(ann.told('problem.resolved')).toMatchObject([{ path: 'a.txt', code: 'file-busy' }])
})

test('a new file that cannot be read makes the run fail, and comes later', async () => {
  const { ann, bob } = await openPair({ 'a.txt': 'a' })
  ann.write('new.txt', 'new')
  ann.write('other.txt', 'other')
  const { hash } = ann.context.workspace
  ann.disk.hash = async (path, signal) => {
    if (path === 'new.txt') throw new DavitError('file-unreadable', 'no permission', { action: 'ask' })
    return hash(path, signal)
  }
  expect(await ann.sync()).toMatchObject({
    outcome: 'failed',
    problems: [{ path: 'new.txt', code: 'file-unreadable' }],
  })
  await syncInTurn(bob)
  expect(bob.tree()).toEqual({ 'a.txt': 'a', 'other.txt': 'other' })
  delete ann.disk.hash
  await converge(ann, bob)
  expect(bob.read('new.txt')).toBe('new')
})

test('a file that changes between the decision and the step is never overwritten', async () => {
  const { ann, bob } = await openPair({ 'a.txt': 'a', 'b.txt': 'b' })
  ann.write('a.txt', 'by ann')
  ann.remove('b.txt')
  await syncInTurn(ann)
  const { place, remove } = bob.context.workspace
  bob.disk.place = async (staged, path, options) => {
    delete bob.disk.place
    bob.write(path, 'by bob, just now')
    return place(staged, path, options)
  }
  bob.disk.remove = async (path, options) => {
    delete bob.disk.remove
    bob.write(path, 'edited, just now')
    return remove(path, options)
  }
  await syncInTurn(bob)
  await converge(ann, bob)
  expect(bob.read('a.txt')).toBe('by bob, just now')
  expect(ann.read('a.txt')).toBe('by ann')
  expect(ann.conflict()).toMatchObject({ path: 'a.txt', candidates: [{ name: 'bob' }] })
  expect(ann.read('b.txt')).toBe('edited, just now')
})

test('a file that changes while it is uploaded is sent as it is afterwards', async () => {
  const { ann, bob } = await openPair({ 'a.txt': 'a' })
  ann.write('a.txt', 'half')
  const { source } = ann.context.workspace
  ann.disk.source = (path, stamp) => {
    delete ann.disk.source
    ann.write(path, 'whole, and longer')
    return source(path, stamp)
  }
  await syncInTurn(ann)
  await converge(ann, bob)
  expect(bob.read('a.txt')).toBe('whole, and longer')
})

test('a new file at the path of one that is being fetched is kept', async () => {
  const { ann, bob, cyd } = await openThree({ 'a.txt': 'a' })
  ann.write('new.txt', 'by ann')
  await syncInTurn(ann)
  const { place } = bob.context.workspace
  bob.disk.place = async (staged, path, options) => {
    delete bob.disk.place
    bob.write(path, 'by bob')
    return place(staged, path, options)
  }
  await converge(ann, bob, cyd)
  expect(bob.read('new.txt')).toBe('by bob')
  expect(cyd.read('new.txt')).toBe('by ann')
  expect(cyd.conflict()).toMatchObject({ kind: 'create', path: 'new.txt' })
})

/** Bob is stopped after the first of two files was put in its place; the other one is held up before. */
async function stoppedBetweenTwoFiles(stop: (bob: Replica) => never, first: Record<string, string> = {}) {
  const set = await openPair({ 'old.txt': 'o', ...first })
  const { ann, bob } = set
  ann.write('one.txt', '1')
  ann.write('two.txt', '2')
  expectWell(await ann.sync())
  const { workspace } = bob.context
  const place = workspace.place.bind(workspace)
  let placed = 0
  bob.disk.place = async (...args) => {
    if (placed++ === 1) stop(bob)
    return place(...args)
  }
  await bob.sync()
  delete bob.disk.place
  const arrived = ['one.txt', 'two.txt'].filter((path) => bob.read(path) === ann.read(path))
  expect(arrived).toHaveLength(1)
  return { ...set, arrived: arrived[0] as string }
}

const failing = (): never => {
  throw new DavitError('disk-full', 'the disk is full', { action: 'ask' })
}
/** From here on nothing is written down any more, as after a kill. */
const dying = (bob: Replica): never => {
  const database = bob.database as { transaction: unknown }
  const { transaction } = bob.database
  database.transaction = () => {
    database.transaction = transaction
    throw new Error('killed')
  }
  throw new Error('killed')
}

test.each([
  { how: 'failed', stop: failing },
  { how: 'was killed', stop: dying },
])('what a pull had put in place before it $how is deleted when others have deleted it', async ({ stop }) => {
  const { ann, bob, arrived } = await stoppedBetweenTwoFiles(stop)
  ann.remove(arrived)
  expectWell(await ann.sync())
  await bob.restart()
  expectWell(await bob.sync())
  expect(bob.read(arrived)).toBeNull()
  await converge(ann, bob)
  expect(ann.read(arrived)).toBeNull()
})

test.each([
  { how: 'failed', stop: failing },
  { how: 'was killed', stop: dying },
])('what a pull had put in place before it $how follows what others made of it since', async ({ stop }) => {
  const { ann, bob, arrived } = await stoppedBetweenTwoFiles(stop)
  ann.write(arrived, 'edited since')
  expectWell(await ann.sync())
  await bob.restart()
  expectWell(await bob.sync())
  expect(bob.conflicts()).toEqual([])
  expect(bob.read(arrived)).toBe('edited since')
  await converge(ann, bob)
})

const replaced = { 'one.txt': 'of before', 'two.txt': 'of before' }

test.each([
  { how: 'failed', stop: failing },
  { how: 'was killed', stop: dying },
])('what a pull had replaced before it $how follows what others made of it since', async ({ stop }) => {
  const { ann, bob, arrived } = await stoppedBetweenTwoFiles(stop, replaced)
  ann.write(arrived, 'edited since')
  expectWell(await ann.sync())
  await bob.restart()
  expectWell(await bob.sync())
  expect(bob.conflicts()).toEqual([])
  expect(bob.read(arrived)).toBe('edited since')
  await converge(ann, bob)
})

test.each([
  { how: 'failed', stop: failing },
  { how: 'was killed', stop: dying },
])('what a pull had replaced before it $how is deleted when others have deleted it', async ({ stop }) => {
  const { ann, bob, arrived } = await stoppedBetweenTwoFiles(stop, replaced)
  ann.remove(arrived)
  expectWell(await ann.sync())
  await bob.restart()
  expectWell(await bob.sync())
  expect(bob.read(arrived)).toBeNull()
  await converge(ann, bob)
  expect(ann.read(arrived)).toBeNull()
})

test('a merge that was put in place when the process was killed is still an edit', async () => {
  const text = (first: string, last: string) => `${first}\n\nin\nbetween\n\n${last}\n`
  const { ann, bob } = await openPair({ 'one.txt': text('a', 'z'), 'two.txt': text('a', 'z') })
  bob.policy = 'merge'
  for (const path of ['one.txt', 'two.txt']) {
    ann.write(path, text('a', 'by ann'))
    bob.write(path, text('by bob', 'z'))
  }
  expectWell(await ann.sync())
  const { workspace } = bob.context
  const place = workspace.place.bind(workspace)
  let placed = 0
  bob.disk.place = async (...args) => {
    if (placed++ === 1) dying(bob)
    return place(...args)
  }
  expect((await bob.sync()).outcome).toBe('failed')
  delete bob.disk.place
  const merged = ['one.txt', 'two.txt'].filter((path) => bob.read(path) === text('by bob', 'by ann'))
  expect(merged).toHaveLength(1)
  ann.write('one.txt', text('a', 'by ann again'))
  ann.write('two.txt', text('a', 'by ann again'))
  expectWell(await ann.sync())
  await bob.restart()
  await converge(bob, ann)
  for (const path of ['one.txt', 'two.txt']) expect(bob.read(path)).toMatch(/^by bob\n/)
})

test('a changeset whose upload is in doubt is committed under another name, so that the first may still arrive, cut', async () => {
  const { ann, bob } = await openPair(before)
  let late: Request | null = null
  ann.network = async (request, send) => {
    if (late !== null || request.method !== 'PUT' || !request.name.startsWith('changes/'))
      return send(request)
    late = request
    throw cut()
  }
  edits(ann)
  expectWell(await ann.sync())
  const names = ann.sent
    .filter(({ method, name }) => method === 'PUT' && name.startsWith('changes/'))
    .map(({ name }) => name)
  expect(new Set(names.slice(-2)).size).toBe(2)
  const { name, body } = late as unknown as { name: string; body: Uint8Array }
  await ann.dav.connect().request({ method: 'PUT', name, body: body.subarray(0, 10) })
  expectWell(await bob.sync())
  expect(bob.tree()).toEqual(after)
})

/** What a process that is killed in the middle of a step does no more. */
function killed(): never {
  throw new Error('killed here')
}

test('a folder that was just emptied when the process ended is removed by the next one, and comes back nowhere', async () => {
  const { ann, bob } = await openPair({ 'gone/deep/a': 'a', 'renamed/b': 'b', stays: 's' }, { onDisk: true })
  ann.makeFolder('empty')
  await syncInTurn(ann, bob)
  ann.remove('gone')
  ann.move('renamed/b', 'new/b')
  fs.rmdirSync(ann.at('renamed'))
  await syncInTurn(ann)
  bob.disk.removeFolder = async () => killed()
  expect((await bob.sync()).outcome).toBe('failed')
  expect(fs.existsSync(bob.at('gone/deep'))).toBe(true)
  delete bob.disk.removeFolder
  await bob.restart()
  await converge(bob, ann)
  expect(bob.tree()).toEqual({ 'new/b': 'b', stays: 's', 'empty/': '' })
  expect(ann.version()).toBe(bob.version())
  expect(bob.version()).toBe(3)
})

test('a folder that was just made when the process ended is nobody’s wish', async () => {
  const { ann, bob } = await openPair({ stays: 's' }, { onDisk: true })
  ann.write('made/deep/a', 'a')
  await syncInTurn(ann)
  bob.disk.place = async () => {
    bob.makeFolder('made/deep')
    return killed()
  }
  expect((await bob.sync()).outcome).toBe('failed')
  delete bob.disk.place
  // Deleted again before the next start: nothing may be left of it.
  ann.remove('made')
  await syncInTurn(ann)
  await bob.restart()
  await converge(bob, ann)
  expect(bob.tree()).toEqual({ stays: 's' })
})

test('a file that had its parked name and its own when the process ended stays where it was', async () => {
  const { ann, bob } = await openPair({ a: 'one', b: 'two', c: 'three' }, { onDisk: true })
  ann.move('a', 'aside')
  ann.move('b', 'a')
  ann.move('aside', 'b')
  await syncInTurn(ann)
  bob.disk.park = async (id, path) => {
    fs.linkSync(bob.at(path), bob.at(`.davit/parked/${id}`))
    return killed()
  }
  expect((await bob.sync()).outcome).toBe('failed')
  delete bob.disk.park
  // Now the name that it is to have is free.
  bob.move('a', 'taken along')
  await bob.restart()
  await converge(bob, ann)
  expect(bob.tree()).toEqual({ a: 'two', b: 'one', c: 'three' })
  expect(fs.readdirSync(bob.at('.davit/parked'))).toEqual([])
})

test('a copy that was just made of what is to be replaced when the process ended is made once', async () => {
  const { ann, bob } = await openPair({ 'd/a.txt': 'base' }, { onDisk: true })
  bob.policy = 'both'
  ann.write('d/a.txt', 'by ann')
  await syncInTurn(ann)
  bob.write('d/a.txt', 'by bob')
  bob.disk.place = async (staged, path) => {
    fs.copyFileSync(staged.path, bob.at(path))
    return killed()
  }
  expect((await bob.sync()).outcome).toBe('failed')
  delete bob.disk.place
  await bob.restart()
  await converge(bob, ann)
  expect(Object.values(bob.tree()).sort()).toEqual(['by ann', 'by bob'])
})

test('a file that had two names in the middle of its move when the process ended has one again', async () => {
  const { ann, bob } = await openPair({ a: 'one', b: 'two', 'd/c': 'edited by bob' }, { onDisk: true })
  ann.move('a', 'aside')
  ann.move('b', 'a')
  ann.move('aside', 'b')
  ann.move('d/c', 'd/renamed')
  await syncInTurn(ann)
  bob.write('d/c', 'edited by bob, too')
  bob.disk.move = async (from, to) => {
    fs.linkSync(bob.at(from), bob.at(to))
    return killed()
  }
  expect((await bob.sync()).outcome).toBe('failed')
  delete bob.disk.move
  await bob.restart()
  await converge(bob, ann)
  expect(bob.tree()).toEqual({ a: 'two', b: 'one', 'd/renamed': 'edited by bob, too' })
  expect(fs.readdirSync(bob.at('.davit/parked'))).toEqual([])
})

/** Pulls everything to the disk, and ends before the index says so. */
async function pullAndDie(replica: Replica): Promise<void> {
  replica.disk.makeDurable = async () => killed()
  expect((await replica.sync()).outcome).toBe('failed')
  delete replica.disk.makeDurable
}

test.each([
  {
    what: 'a file moved to where another one was removed',
    act: async (ann: Replica) => {
      ann.remove('b')
      await syncInTurn(ann)
      ann.move('a', 'b')
    },
    tree: { b: 'one', c: 'three', d: 'four' },
    ids: { b: 'a' },
  },
  {
    what: 'a new file where another one moved away',
    act: async (ann: Replica) => {
      ann.move('a', 'x')
      await syncInTurn(ann)
      ann.write('a', 'new')
    },
    tree: { a: 'new', b: 'two', c: 'three', d: 'four', x: 'one' },
    ids: { x: 'a' },
  },
  {
    what: 'a new file where another one was removed',
    act: async (ann: Replica) => {
      ann.remove('a')
      await syncInTurn(ann)
      ann.write('a', 'new')
    },
    tree: { a: 'new', b: 'two', c: 'three', d: 'four' },
    ids: {},
  },
  {
    what: 'a file renamed and edited',
    act: async (ann: Replica) => {
      ann.move('a', 'x')
      await syncInTurn(ann)
      ann.write('x', 'edited')
      ann.write('a', 'new')
    },
    tree: { a: 'new', b: 'two', c: 'three', d: 'four', x: 'edited' },
    ids: { x: 'a' },
  },
  {
    what: 'a file renamed and edited, and nothing in its place',
    act: async (ann: Replica) => {
      ann.move('a', 'x')
      await syncInTurn(ann)
      ann.write('x', 'edited')
    },
    tree: { b: 'two', c: 'three', d: 'four', x: 'edited' },
    ids: { x: 'a' },
  },
])(
  '$what: nothing of it is taken for somebody’s wish when the process ended before it was written down',
  async ({ act, tree, ids }) => {
    const { ann, bob } = await openPair({ a: 'one', b: 'two', c: 'three', d: 'four' }, { onDisk: true })
    const before = new Map(['a', 'b', 'c', 'd'].map((path) => [path, ann.database.trees.localAt(path)?.id]))
    await act(ann)
    await syncInTurn(ann)
    const version = ann.version()
    await pullAndDie(bob)
    await bob.restart()
    await converge(bob, ann)
    expect(bob.tree()).toEqual(tree)
    for (const [path, former] of Object.entries(ids))
      expect(ann.database.trees.remoteAt(path)?.id, path).toBe(before.get(former))
    expect(ann.version()).toBe(version)
  },
)

test.each([
  {
    what: 'a chain',
    act: (ann: Replica) => {
      ann.move('a', 'x')
      ann.move('b', 'a')
    },
    last: 'x',
  },
  {
    what: 'two that changed places',
    act: (ann: Replica) => {
      ann.move('a', 'aside')
      ann.move('b', 'a')
      ann.move('aside', 'b')
    },
    last: 'b',
  },
])(
  'of $what that a pull had moved when the process ended, the file that is deleted then is the one that is gone',
  async ({ act, last }) => {
    const { ann, bob } = await openPair({ a: 'one', b: 'two', c: 'three', d: 'four' }, { onDisk: true })
    ann.write('b', 'by ann')
    bob.write('b', 'by bob')
    await syncInTurn(ann, bob, ann)
    const { fileId } = bob.conflict()
    act(ann)
    await syncInTurn(ann)
    await pullAndDie(bob)
    expect(bob.read(last)).toBe('one')
    bob.remove(last)
    await bob.restart()
    await converge(bob, ann)
    expect(ann.tree()).toEqual({ a: 'by ann', c: 'three', d: 'four' })
    expect(bob.tree()).toEqual({ a: 'by bob', c: 'three', d: 'four' })
    expect(bob.conflict().fileId).toBe(fileId)
    expect(bob.database.trees.localAt('a')?.id).toBe(fileId)
  },
)

test('a file that is made where a pull had moved one away when it failed is a file of its own', async () => {
  const { ann, bob } = await openPair({ a: 'one', b: 'two' })
  const id = ann.database.trees.localAt('a')?.id
  ann.move('a', 'x')
  ann.write('new', 'new')
  await syncInTurn(ann)
  bob.disk.place = async () => killed()
  expect((await bob.sync()).outcome).toBe('failed')
  delete bob.disk.place
  bob.write('a', 'by bob')
  await converge(bob, ann)
  expect(ann.tree()).toEqual({ a: 'by bob', b: 'two', new: 'new', x: 'one' })
  expect(ann.database.trees.remoteAt('x')?.id).toBe(id)
})
