/** Two instances that run by themselves, one watching natively and one polling: what one does, the other gets. */
import fs from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { readDisk } from '../support/disk-tree.ts'
import { createMemoryDav } from '../support/memory-dav.ts'
import { openWatchedInstance, type WatchedInstance } from '../support/watched-instance.ts'
import { createStage, gestures, isLongForm } from './gestures.ts'

const sample = [
  'saved as vim does, with 4913, a backup and a swap file',
  'saved by Microsoft Office: the original aside, the new one in, the old one away',
  'two files swapped by three renames',
  'a folder renamed twice and written into at once',
  'a file renamed while it is being written',
  'a tree removed and made again at once with the same names',
  'a git repository made, committed, switched, rebased and stashed',
  'empty folders made, filled and emptied',
  'a file replaced by a folder, and a folder by a file',
  'edited many times within one second, its size unchanged',
]

let ann: WatchedInstance
let bob: WatchedInstance
beforeAll(async () => {
  const dav = createMemoryDav()
  ann = await openWatchedInstance({ name: 'ann', mode: 'native', runs: 'auto', dav })
  bob = await openWatchedInstance({ name: 'bob', mode: 'polling', runs: 'auto', dav })
})
afterAll(async () => {
  await ann?.close()
  await bob?.close()
})

/** What is replicated of each path at and below the folder. */
function treeOf({ files }: WatchedInstance, under: string): Record<string, string> {
  const found: Record<string, string> = {}
  for (const [target, { kind, hash, executable }] of readDisk(files.root, { under }).entries)
    found[target] = `${kind} ${hash} ${executable}`
  return found
}

const chosen = gestures.filter(
  ({ name, isMassive }) => sample.includes(name) || (isLongForm && isMassive !== true),
)

it.each(chosen.map((gesture, index) => [gesture.name, gesture, index] as const))(
  '%s',
  async (_name, gesture, index) => {
    // In turn on either side.
    const [from, to] = index % 2 === 0 ? [ann, bob] : [bob, ann]
    const name = `g${index}`
    const folder = from.files.at(name)
    const outside = path.join(path.dirname(from.files.root), `outside${index}`)
    fs.mkdirSync(folder)
    fs.mkdirSync(outside)
    const stage = createStage(folder, outside)
    await gesture.prepare?.(stage)
    await gesture.act(stage)
    const expected = treeOf(from, name)
    await to.until('the other one has it', () => {
      const [here, there] = [treeOf(from, name), treeOf(to, name)]
      return Object.keys(here).length === Object.keys(there).length && isEqual(here, there)
    })
    // Nothing that was done here came back as something else.
    expect(treeOf(from, name)).toEqual(expected)
    expect(from.database.conflicts.count() + to.database.conflicts.count()).toBe(0)
    await from.follows()
    await to.follows()
  },
)

function isEqual(left: Record<string, string>, right: Record<string, string>): boolean {
  return Object.entries(left).every(([target, entry]) => right[target] === entry)
}
