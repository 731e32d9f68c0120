import fs from 'node:fs'
import { expect, test } from 'vitest'
import type { FileId, FilePath } from '../../../src/model/file-state.ts'
import { verifyPulled } from '../../../src/sync/verify-pulled.ts'
import { converge, cut, openPair, type Replica, syncInTurn } from '../../support/replica.ts'

const eighty = Object.fromEntries(
  Array.from({ length: 80 }, (_, index) => [`folder/${index}.txt`, `content ${index}`]),
)

/** What the index holds at a path each time when the workspace is asked to bring its names to the disk. */
function indexedWhenMadeDurable(replica: Replica, path: string): boolean[] {
  const seen: boolean[] = []
  replica.disk.makeDurable = async () => {
    seen.push(replica.database.trees.localAt(path) !== null)
  }
  return seen
}

test('a deletion and a rename are on the disk before the index says so', async () => {
  const { ann, bob } = await openPair({ 'a.txt': 'a', 'b.txt': 'b' })
  ann.remove('a.txt')
  ann.move('b.txt', 'c/b.txt')
  await syncInTurn(ann)
  const removed = indexedWhenMadeDurable(bob, 'a.txt')
  await syncInTurn(bob)
  expect(removed[0]).toBe(true)
  expect(bob.database.trees.localAt('a.txt')).toBeNull()
  expect(bob.read('c/b.txt')).toBe('b')
})

test('what a power cut took of a large pull is fetched again, and deleted or reverted nowhere', async () => {
  const { ann, bob } = await openPair(eighty)
  for (let index = 0; index < 80; index++) {
    ann.write(`folder/${index}.txt`, `edited ${index}`)
    ann.write(`new/${index}.txt`, `new ${index}`)
  }
  await syncInTurn(ann, bob)
  // The names of some never reached the disk; others are what they were before, or empty.
  bob.remove('new/1.txt')
  bob.remove('new/2.txt')
  for (const index of [3, 4]) {
    bob.remove(`folder/${index}.txt`)
    bob.write(`folder/${index}.txt`, `content ${index}`)
    fs.utimesSync(bob.at(`folder/${index}.txt`), 1_500_000_000, 1_500_000_000)
  }
  bob.write('folder/5.txt', '')
  bob.write('folder/6.txt', 'mine since')
  await verifyPulled(bob.context, null)
  await converge(ann, bob)
  for (const replica of [ann, bob]) {
    expect(replica.read('new/1.txt')).toBe('new 1')
    expect(replica.read('new/2.txt')).toBe('new 2')
    for (const index of [3, 4, 5]) expect(replica.read(`folder/${index}.txt`)).toBe(`edited ${index}`)
    expect(replica.read('folder/6.txt')).toBe('mine since')
  }
  const rescued = bob.events.filter(({ type }) => type === 'file.rescued')
  expect(rescued).toHaveLength(5)
})

function idAt(replica: Replica, path: FilePath): FileId {
  const id = replica.database.trees.localAt(path)?.id
  if (id === undefined) throw new Error(`${path} is not indexed`)
  return id
}

/** Half of the content, under the time that was set; as a disk tells it that keeps whole seconds. */
function tear(replica: Replica, path: FilePath): void {
  const { remote } = replica.database.trees.triple(idAt(replica, path))
  const seconds = Math.floor((remote?.state.mtimeUs ?? 0) / 1_000_000)
  replica.write(path, (replica.read(path) ?? '').slice(0, 4))
  fs.utimesSync(replica.at(path), seconds, seconds)
}

/** The index as it was left by a disk that keeps whole seconds. */
async function indexInSeconds(replica: Replica, path: FilePath): Promise<void> {
  const { trees } = replica.database
  const local = trees.localAt(path)
  if (local === null) throw new Error(`${path} is not indexed`)
  const seconds = Math.floor(local.state.mtimeUs / 1_000_000)
  fs.utimesSync(replica.at(path), seconds, seconds)
  const found = await replica.context.workspace.look(path)
  if (found?.kind !== 'file') throw new Error(`${path} is no file`)
  trees.putLocal({ ...local, stamp: found.stamp })
}

test('what a power cut tore is told by its time, also where the disk keeps whole seconds', async () => {
  const { ann, bob } = await openPair({})
  for (let index = 0; index < 80; index++) ann.write(`${index}.txt`, `content ${index}`)
  // By a clock that is ahead: not older than the pull.
  fs.utimesSync(ann.at('7.txt'), 2_500_000_000.125, 2_500_000_000.125)
  await syncInTurn(ann, bob)
  await indexInSeconds(bob, '7.txt')
  tear(bob, '7.txt')
  await verifyPulled(bob.context, null)
  await converge(ann, bob)
  for (const replica of [ann, bob]) expect(replica.read('7.txt')).toBe('content 7')
})

test('what a power cut tore is fetched again, also when it was renamed since it was pulled', async () => {
  const { ann, bob } = await openPair({})
  for (let index = 0; index < 80; index++) ann.write(`${index}.txt`, `content ${index}`)
  await syncInTurn(ann, bob)
  ann.move('7.txt', 'elsewhere.txt')
  bob.move('8.txt', 'here.txt')
  await syncInTurn(ann)
  await syncInTurn(bob)
  for (const path of ['elsewhere.txt', 'here.txt']) {
    await indexInSeconds(bob, path)
    tear(bob, path)
  }
  await verifyPulled(bob.context, null)
  await converge(ann, bob)
  for (const replica of [ann, bob]) {
    expect(replica.read('elsewhere.txt')).toBe('content 7')
    expect(replica.read('here.txt')).toBe('content 8')
  }
})

test('what a power cut tore before its row was written is fetched again, not taken for an edit', async () => {
  const { ann, bob } = await openPair(eighty)
  for (let index = 0; index < 80; index++) ann.write(`folder/${index}.txt`, `edited ${index}`)
  const before = [1, 2, 3].map((index) => bob.database.trees.triple(idAt(bob, `folder/${index}.txt`)))
  await syncInTurn(ann, bob)
  for (const { id, local, synced } of before) {
    bob.database.trees.putLocal(local!)
    bob.database.trees.putSynced(id, synced)
  }
  tear(bob, 'folder/1.txt')
  // The old content was never replaced, or somebody has written since.
  bob.write('folder/2.txt', 'content 2')
  bob.write('folder/3.txt', 'mine since')
  await verifyPulled(bob.context, null)
  await converge(ann, bob)
  expect(bob.read('folder/1.txt')).toBe('edited 1')
  expect(ann.read('folder/1.txt')).toBe('edited 1')
  expect(bob.conflicts().map(({ path }) => path)).toEqual(['folder/3.txt'])
  expect(bob.read('folder/3.txt')).toBe('mine since')
})

test('what was merged is brought to the disk for good, in a large pull too', async () => {
  const lines = 'one\ntwo\nthree\nfour\nfive\nsix\n'
  const { ann, bob } = await openPair({ ...eighty, 'merged.md': lines })
  bob.policy = 'merge'
  for (let index = 0; index < 80; index++) ann.write(`folder/${index}.txt`, `edited ${index}`)
  ann.write('merged.md', lines.replace('one', 'ONE'))
  await syncInTurn(ann)
  bob.write('merged.md', lines.replace('six', 'SIX'))
  const durable: FilePath[] = []
  const place = bob.context.workspace.place.bind(bob.context.workspace)
  bob.disk.place = (staged, path, options) => {
    if (options.durable) durable.push(path)
    return place(staged, path, options)
  }
  await syncInTurn(bob)
  expect(bob.read('merged.md')).toBe(lines.replace('one', 'ONE').replace('six', 'SIX'))
  expect(durable).toEqual(['merged.md'])
})

test('what was renamed after a power cut, and before the next start, is one file, whole', async () => {
  const { ann, bob } = await openPair({})
  for (let index = 0; index < 80; index++) ann.write(`folder/${index}.txt`, `content ${index}`)
  await syncInTurn(ann, bob)
  const id = ann.idOf('folder/8.txt')
  bob.write('folder/7.txt', '')
  bob.move('folder', 'renamed')
  await verifyPulled(bob.context, null)
  await converge(ann, bob)
  for (const replica of [ann, bob]) {
    expect(replica.read('renamed/8.txt')).toBe('content 8')
    expect(replica.idOf('renamed/8.txt')).toBe(id)
    // Torn, and fetched again to where it was.
    expect(replica.read('folder/7.txt')).toBe('content 7')
    expect(replica.read('renamed/7.txt')).toBeNull()
    expect(Object.keys(replica.tree())).toHaveLength(80)
  }
})

test('files that were swapped, or moved over each other, between a pull and a power cut are no torn ones', async () => {
  const { ann, bob } = await openPair({})
  for (let index = 0; index < 80; index++) {
    ann.write(`${index}.txt`, `content ${index}`)
    // Older than the pull, as what it replaced would be.
    fs.utimesSync(ann.at(`${index}.txt`), 1_500_000_000 + index, 1_500_000_000 + index)
  }
  await syncInTurn(ann, bob)
  bob.move('7.txt', 'aside')
  bob.move('8.txt', '7.txt')
  bob.move('aside', '8.txt')
  bob.remove('9.txt')
  bob.move('10.txt', '9.txt')
  await verifyPulled(bob.context, null)
  await converge(ann, bob)
  for (const replica of [ann, bob]) {
    expect([replica.read('7.txt'), replica.read('8.txt')]).toEqual(['content 8', 'content 7'])
    // Whether somebody deleted the one, or the machine took its name, cannot be told: it is fetched again.
    const contents = Object.values(replica.tree())
    expect(contents).toHaveLength(80)
    for (const content of ['content 9', 'content 10']) expect(contents).toContain(content)
  }
  expect(bob.events.filter(({ data }) => data['rule'] === 'torn')).toHaveLength(1)
})

test('torn files that were swapped before the next start are fetched again', async () => {
  const { ann, bob } = await openPair({})
  for (let index = 0; index < 80; index++) ann.write(`${index}.txt`, `content ${index}`)
  await syncInTurn(ann, bob)
  for (const path of ['7.txt', '8.txt']) {
    await indexInSeconds(bob, path)
    tear(bob, path)
  }
  bob.move('7.txt', 'aside')
  bob.move('8.txt', '7.txt')
  bob.move('aside', '8.txt')
  await verifyPulled(bob.context, null)
  await converge(ann, bob)
  for (const replica of [ann, bob])
    expect([replica.read('7.txt'), replica.read('8.txt')]).toEqual(['content 7', 'content 8'])
})

test('what a pull had replaced that was torn in its turn is fetched again', async () => {
  const { ann, bob } = await openPair({})
  for (const text of ['first', 'second']) {
    for (let index = 0; index < 80; index++) ann.write(`${index}.txt`, `the ${text} content ${index}`)
    await syncInTurn(ann, bob)
    if (text === 'first') await indexInSeconds(bob, '7.txt')
  }
  // The new name never reached the disk, and the file that it had replaced was not written out either.
  const [former] = bob.database.history.ofFile(bob.idOf('7.txt'), { limit: 1 })
  const seconds = Math.floor((former?.state.mtimeUs ?? 0) / 1_000_000)
  bob.remove('7.txt')
  bob.write('7.txt', 'the fir')
  fs.utimesSync(bob.at('7.txt'), seconds, seconds)
  await verifyPulled(bob.context, null)
  await converge(ann, bob)
  for (const replica of [ann, bob]) expect(replica.read('7.txt')).toBe('the second content 7')
})

test('an edit by a clock that went back is no torn file', async () => {
  const { ann, bob } = await openPair(eighty)
  for (let index = 0; index < 80; index++) ann.write(`folder/${index}.txt`, `edited ${index}`)
  await syncInTurn(ann, bob)
  bob.write('folder/3.txt', 'mine since')
  fs.utimesSync(bob.at('folder/3.txt'), 1_500_000_000, 1_500_000_000)
  await verifyPulled(bob.context, null)
  await converge(ann, bob)
  expect(ann.read('folder/3.txt')).toBe('mine since')
})

/** A run whose commit is carried out, and never answered: its attempt stays open. */
async function syncUnanswered(replica: Replica): Promise<void> {
  replica.network = async (request, send) => {
    const response = await send(request)
    if (request.method !== 'MOVE') return response
    replica.network = async () => {
      throw cut()
    }
    throw cut()
  }
  expect(await replica.sync()).toMatchObject({ outcome: 'unreachable' })
  replica.network = (request, send) => send(request)
  expect(replica.database.chain.attempts()).toHaveLength(1)
}

test('what a power cut tore while a commit of its labels was open is fetched again, and deleted nowhere', async () => {
  const { ann, bob } = await openPair({})
  for (let index = 0; index < 80; index++) ann.write(`${index}.txt`, `content ${index}`)
  await syncInTurn(ann, bob)
  bob.setMetadata('7.txt', { title: 'by bob' })
  // Of this one the two disagree: bob's side goes into a conflict.
  ann.setMetadata('8.txt', { title: 'by ann' })
  bob.setMetadata('8.txt', { title: 'by bob' })
  await syncInTurn(ann)
  await syncUnanswered(bob)
  for (const path of ['7.txt', '8.txt']) {
    await indexInSeconds(bob, path)
    tear(bob, path)
  }
  await bob.restart()
  await verifyPulled(bob.context, null)
  await converge(bob, ann)
  for (const replica of [ann, bob]) {
    expect(replica.read('7.txt')).toBe('content 7')
    expect(replica.metadata('7.txt')).toEqual({ title: 'by bob' })
    expect(replica.read('8.txt')).toBe('content 8')
  }
  expect(ann.told('file.deleted')).toEqual([])
})
