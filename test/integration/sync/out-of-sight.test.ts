/** Files whose name elsewhere is ignored here, or cannot be written here. */
import fs from 'node:fs'
import { expect, test } from 'vitest'
import { verify } from '../../../src/instance/verify.ts'
import { DavitError } from '../../../src/model/errors.ts'
import { expectQuiet, expectWell, openPair, type Replica, syncInTurn } from '../../support/replica.ts'

/** Every file but the one with the rule. */
function inSight(replica: Replica): Record<string, unknown> {
  const { '.davitignore': _rule, ...others } = replica.tree()
  return others
}

/** Of two who agree: Bob ignores a folder, and the file that says so. */
async function openWithRule(files: Readonly<Record<string, string>>) {
  const set = await openPair(files)
  set.bob.write('.davitignore', 'scratch/\n.davitignore\n')
  await syncInTurn(set.bob)
  return set
}

test('a file that is moved elsewhere to where it is ignored here leaves into the trash, which is told', async () => {
  const { ann, bob } = await openWithRule({ 'a.txt': 'a' })
  ann.move('a.txt', 'scratch/a.txt')
  await syncInTurn(ann, bob)
  expect(inSight(bob)).toEqual({})
  expect(bob.trash()).toEqual(['a'])
  expect(bob.told('file.rescued')).toMatchObject([{ path: 'a.txt', rule: 'left' }])
  expect(bob.database.trees.counts().pending).toBe(0)
  // It is deleted nowhere, and is here again once it comes back into sight.
  await syncInTurn(bob, ann)
  expect(ann.tree()).toEqual({ 'scratch/a.txt': 'a' })
  ann.move('scratch/a.txt', 'b.txt')
  await syncInTurn(ann, bob)
  expect(inSight(bob)).toEqual({ 'b.txt': 'a' })
  await expectQuiet(ann, bob)
})

test('two files that swap names, one of which is ignored here: the other one has its place', async () => {
  const { ann, bob } = await openWithRule({ 'a.txt': 'a' })
  ann.write('scratch/b.txt', 'b')
  await syncInTurn(ann, bob)
  ann.move('a.txt', 'aside')
  ann.move('scratch/b.txt', 'a.txt')
  ann.move('aside', 'scratch/b.txt')
  await syncInTurn(ann, bob)
  expect(inSight(bob)).toEqual({ 'a.txt': 'b' })
  expect(bob.trash()).toEqual(['a'])
  expect(bob.database.trees.counts().pending).toBe(0)
  await syncInTurn(bob, ann)
  expect(ann.tree()).toEqual({ 'a.txt': 'b', 'scratch/b.txt': 'a' })
  await expectQuiet(ann, bob)
})

test('a file that was renamed here, too, leaves all the same', async () => {
  const { ann, bob } = await openWithRule({ 'a.txt': 'a' })
  ann.move('a.txt', 'scratch/a.txt')
  bob.move('a.txt', 'b.txt')
  await syncInTurn(ann, bob)
  expect(inSight(bob)).toEqual({})
  expect(bob.database.trees.counts().pending).toBe(0)
  await syncInTurn(ann)
  expect(ann.tree()).toEqual({ 'scratch/a.txt': 'a' })
})

test.each([
  ['edited', 'a2', {}],
  ['labelled', 'a', { labels: ['mine'] }],
])('a file that was %s here stays in sight, for everybody', async (_how, text, metadata) => {
  const { ann, bob } = await openWithRule({ 'a.txt': 'a' })
  ann.move('a.txt', 'scratch/a.txt')
  if (text !== 'a') bob.write('a.txt', text)
  else bob.setMetadata('a.txt', metadata)
  await syncInTurn(ann, bob, ann)
  for (const replica of [ann, bob]) {
    expect(inSight(replica)).toEqual({ 'a.txt': text })
    expect(replica.metadata('a.txt')).toEqual(metadata)
  }
  expect(bob.trash()).toEqual([])
  await expectQuiet(ann, bob)
})

test('many files that leave are asked about like many that are deleted', async () => {
  const files = Object.fromEntries(Array.from({ length: 40 }, (_, index) => [`${index}.txt`, `${index}`]))
  const { ann, bob } = await openWithRule(files)
  for (const path of Object.keys(files)) ann.move(path, `scratch/${path}`)
  await syncInTurn(ann)
  expect(await bob.sync()).toMatchObject({ outcome: 'halted', error: { code: 'deletion-guard' } })
  expect(Object.keys(inSight(bob))).toHaveLength(40)
  expectWell(await bob.sync({ force: true }))
  expect(inSight(bob)).toEqual({})
})

test('a file that cannot follow to its new name makes room for the one that has its old name now', async () => {
  const { ann, bob } = await openPair({ 'a.txt': 'a' })
  const move = bob.context.workspace.move.bind(bob.context.workspace)
  bob.disk.move = async (from, to, expected, how) =>
    to === 'a?.txt' ? { kind: 'unrepresentable', detail: 'no ? here' } : move(from, to, expected, how)
  ann.move('a.txt', 'a?.txt')
  await syncInTurn(ann, bob)
  // Nobody else has its name yet.
  expect(inSight(bob)).toEqual({ 'a.txt': 'a' })
  ann.write('a.txt', 'another')
  await syncInTurn(ann)
  await bob.sync()
  await bob.sync()
  expect(inSight(bob)).toEqual({ 'a.txt': 'another' })
  expect(bob.trash()).toEqual(['a'])
  await syncInTurn(ann)
  expect(ann.tree()).toEqual({ 'a.txt': 'another', 'a?.txt': 'a' })
})

test('an empty folder stays one when something comes into it that is ignored', async () => {
  const { ann, bob } = await openPair({ '.davitignore': '*.tmp\n' })
  fs.mkdirSync(ann.at('d'))
  await syncInTurn(ann, bob)
  fs.writeFileSync(bob.at('d/a.tmp'), 'a')
  for (const full of [false, true]) {
    expectWell(await bob.sync({ full }))
    await syncInTurn(ann)
    expect(fs.existsSync(ann.at('d'))).toBe(true)
  }
  expect((await verify(bob.context, {})).discrepancies).toEqual([])
  // Deleted elsewhere it goes for good, whatever is ignored in it here.
  fs.rmdirSync(ann.at('d'))
  await syncInTurn(ann, bob)
  expectWell(await bob.sync({ full: true }))
  await syncInTurn(ann)
  expect(fs.existsSync(ann.at('d'))).toBe(false)
  expect(fs.readFileSync(bob.at('d/a.tmp'), 'utf8')).toBe('a')
  await expectQuiet(ann, bob)
})

test('a file that is to leave, and whose removal fails, is known as it was and leaves later', async () => {
  const { ann, bob } = await openWithRule({ 'a.txt': 'a' })
  ann.move('a.txt', 'scratch/a.txt')
  await syncInTurn(ann)
  const remove = bob.context.workspace.remove.bind(bob.context.workspace)
  bob.disk.remove = async () => {
    throw new DavitError('disk-full', 'no room in the trash', { action: 'retry' })
  }
  await bob.sync()
  expect(inSight(bob)).toEqual({ 'a.txt': 'a' })
  bob.disk.remove = remove
  await syncInTurn(bob, ann)
  expect(inSight(bob)).toEqual({})
  expect(bob.trash()).toEqual(['a'])
  expect(ann.tree()).toEqual({ 'scratch/a.txt': 'a' })
})
