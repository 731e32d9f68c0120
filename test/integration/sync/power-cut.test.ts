import fs from 'node:fs'
import { expect, test } from 'vitest'
import { verifyPulled } from '../../../src/sync/verify-pulled.ts'
import { converge, openPair, type Replica, syncInTurn } from '../../support/replica.ts'

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
