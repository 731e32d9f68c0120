import { randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import {
  contentsSent,
  converge,
  expectQuiet,
  openPair,
  openThree,
  syncInTurn,
} from '../../support/replica.ts'

const many = Object.fromEntries(Array.from({ length: 30 }, (_, index) => [`many/${index}.txt`, `${index}`]))

test('a deletion arrives, stays in the trash of the others, and does not come back', async () => {
  const { ann, bob } = await openPair({ 'a.txt': 'a', 'b.txt': 'b' })
  ann.remove('a.txt')
  await syncInTurn(ann, bob, ann, bob)
  expect(bob.tree()).toEqual({ 'b.txt': 'b' })
  expect(bob.trash()).toEqual(['a'])
  await converge(ann, bob)
  await expectQuiet(ann, bob)
})

test('an edit wins over a deletion that was committed before', async () => {
  const { ann, bob } = await openPair({ 'a.txt': 'a', 'b.txt': 'b' })
  const id = ann.idOf('a.txt')
  ann.remove('a.txt')
  bob.write('a.txt', 'edited')
  await syncInTurn(ann, bob, ann)
  expect(ann.read('a.txt')).toBe('edited')
  expect(ann.idOf('a.txt')).toBe(id)
  expect(bob.told('file.rescued').map(({ rule }) => rule)).toEqual(['R7-edit-wins-recommit'])
  await converge(ann, bob)
})

test('an edit wins over a deletion that comes after it', async () => {
  const { ann, bob } = await openPair({ 'a.txt': 'a', 'b.txt': 'b' })
  ann.write('a.txt', 'edited')
  bob.remove('a.txt')
  await syncInTurn(ann, bob, ann)
  expect(bob.read('a.txt')).toBe('edited')
  expect(bob.told('file.rescued').map(({ rule }) => rule)).toEqual(['R6-edit-wins-restore'])
  await converge(ann, bob)
})

test('a deletion wins over a label', async () => {
  const { ann, bob } = await openPair({ 'a.txt': 'a', 'b.txt': 'b' })
  ann.setMetadata('a.txt', { labels: ['x'] })
  bob.remove('a.txt')
  await syncInTurn(ann, bob, ann)
  expect(ann.tree()).toEqual({ 'b.txt': 'b' })
  await converge(ann, bob)
})

test('what both deleted is forgotten without a commit', async () => {
  const { ann, bob } = await openPair({ 'a.txt': 'a', 'b.txt': 'b' })
  ann.remove('a.txt')
  bob.remove('a.txt')
  await syncInTurn(ann, bob)
  expect(bob.version()).toBe(2)
  await converge(ann, bob)
})

test('a file that was deleted and written anew with the same content is a new file', async () => {
  const { ann, bob } = await openPair({ 'a.txt': 'a', 'b.txt': 'b' })
  ann.remove('a.txt')
  await syncInTurn(ann, bob)
  bob.write('a.txt', 'a')
  await syncInTurn(bob, ann)
  expect(ann.read('a.txt')).toBe('a')
  await converge(ann, bob)
})

test('many deletions halt the run that would commit them, and nothing was done', async () => {
  const { ann, bob } = await openPair(many)
  ann.remove('many')
  const halted = await ann.sync()
  expect(halted).toMatchObject({ outcome: 'halted', error: { code: 'deletion-guard' }, version: 1 })
  expect(ann.engine.state).toBe('halted')
  await syncInTurn(bob)
  expect(bob.tree()).toEqual(many)
  // Brought back, it goes on by itself.
  ann.writeAll(many)
  await converge(ann, bob)
  expect(ann.engine.halt()).toBeNull()
})

test('many deletions go through with force', async () => {
  const { ann, bob } = await openPair(many)
  ann.remove('many')
  expect(await ann.sync({ force: true })).toMatchObject({ outcome: 'in-sync', deleted: 30 })
  const halted = await bob.sync()
  expect(halted).toMatchObject({ outcome: 'halted', error: { code: 'deletion-guard' } })
  expect(bob.tree()).toEqual(many)
  expect(await bob.sync({ force: true })).toMatchObject({ outcome: 'in-sync', deleted: 30 })
  expect(Object.keys(bob.tree()).filter((path) => path.endsWith('.txt'))).toEqual([])
  expect(bob.trash()).toHaveLength(30)
  await converge(ann, bob)
})

test('many deletions in small pieces are counted together', async () => {
  const { ann, bob } = await openPair(many)
  const outcomes: string[] = []
  for (let index = 0; index < 30; index += 5) {
    for (let one = index; one < index + 5; one++) ann.remove(`many/${one}.txt`)
    outcomes.push((await ann.sync()).outcome)
    ann.clock.advance(60_000)
  }
  expect(outcomes).toEqual(['in-sync', 'in-sync', 'in-sync', 'halted', 'halted', 'halted'])
  expect((await bob.sync()).outcome).toBe('in-sync')
})

test('a root that vanishes during a run deletes nothing', async () => {
  const { ann, bob } = await openPair({ 'a.txt': 'a', 'b.txt': 'b' })
  const { scan } = ann.context.workspace
  ann.disk.scan = (options) => {
    delete ann.disk.scan
    ann.move('', '../away')
    return scan(options)
  }
  expect(await ann.sync()).toMatchObject({ outcome: 'halted', error: { code: 'workspace-vanished' } })
  await syncInTurn(bob)
  expect(bob.tree()).toEqual({ 'a.txt': 'a', 'b.txt': 'b' })
  ann.move('../away', '')
  await converge(ann, bob)
  expect(ann.tree()).toEqual({ 'a.txt': 'a', 'b.txt': 'b' })
})

test('an emptied folder in place of the workspace halts and deletes nothing', async () => {
  const { ann, bob } = await openPair({ 'a.txt': 'a', 'b.txt': 'b' }, { onDisk: false })
  ann.move('', '../away')
  ann.makeFolder('')
  expect(await ann.sync()).toMatchObject({ outcome: 'halted', error: { code: 'workspace-replaced' } })
  await syncInTurn(bob)
  expect(bob.tree()).toEqual({ 'a.txt': 'a', 'b.txt': 'b' })
  ann.remove('')
  ann.move('../away', '')
  await converge(ann, bob)
})

test('a deletion is not committed when the file is back at that moment', async () => {
  const { ann, bob } = await openPair({ 'a.txt': 'a', 'b.txt': 'b' })
  ann.remove('a.txt')
  const { look } = ann.context.workspace
  ann.disk.look = (path) => {
    if (path === 'a.txt') ann.write('a.txt', 'back, and edited')
    delete ann.disk.look
    return look(path)
  }
  await syncInTurn(ann)
  await converge(ann, bob)
  expect(bob.tree()).toEqual({ 'a.txt': 'back, and edited', 'b.txt': 'b' })
})

test('ignored files stay at home, and a file that is ignored from now on is deleted nowhere', async () => {
  const { ann, bob } = await openPair({ 'a.txt': 'a', 'b.log': 'b', 'c.tmp': 'c' })
  ann.write('.davitignore', '*.log\n')
  ann.write('own.log', 'stays here')
  await syncInTurn(ann, bob)
  expect(bob.read('b.log')).toBe('b')
  expect(bob.read('own.log')).toBeNull()
  // The rules are a file like any other; there they hold too.
  bob.write('b.log', 'not looked at')
  bob.remove('c.tmp')
  await syncInTurn(bob, ann)
  expect(ann.tree()).toEqual({
    '.davitignore': '*.log\n',
    'a.txt': 'a',
    'b.log': 'b',
    'own.log': 'stays here',
  })
  ann.remove('b.log')
  await converge2(ann, bob)
  expect(bob.read('b.log')).toBe('not looked at')
  // Without the rule what is there counts again, and what is gone is fetched.
  ann.remove('.davitignore')
  await syncInTurn(ann, bob)
  expect(ann.read('b.log')).toBe('b')
  await converge(ann, bob)
  expect(ann.read('b.log')).toBe('not looked at')
  expect(bob.read('own.log')).toBe('stays here')

  async function converge2(...replicas: (typeof ann)[]) {
    for (let round = 0; round < 3; round++) await syncInTurn(...replicas)
  }
})

test('a fresh state folder brings nothing back and loses nothing', async () => {
  const { ann, bob, cyd } = await openThree({ 'a.txt': 'a', 'b.txt': 'b', 'c.txt': 'c', 'd.txt': 'd' })
  ann.remove('a.txt')
  ann.write('b.txt', 'b2')
  await syncInTurn(ann, bob)
  // Cyd's folder still has a.txt, and an edit that nobody has seen.
  cyd.write('c.txt', 'edited by cyd')
  cyd.write('new.txt', 'new at cyd')
  await cyd.loseState()
  await converge(ann, bob, cyd)
  expect(ann.read('a.txt')).toBeNull()
  expect(cyd.read('a.txt')).toBeNull()
  expect(cyd.trash()).toContain('a')
  expect(ann.read('new.txt')).toBe('new at cyd')
  expect(cyd.read('b.txt')).toBe('b2')
  expect(cyd.read('c.txt')).toBe('edited by cyd')
  expect(ann.conflict()).toMatchObject({ path: 'c.txt', candidates: [{ name: 'cyd' }] })
  expect(contentsSent(cyd.sent).length).toBe(2)
})

test('a label survives a deletion that was seen but not committed before the file was back', async () => {
  const { ann, bob } = await openPair({ 'a.txt': 'a', 'b.txt': 'b' })
  const id = ann.idOf('a.txt')
  ann.setMetadata('a.txt', { labels: ['kept'] })
  await syncInTurn(ann, bob)
  ann.remove('a.txt')
  await ann.sync({ dryRun: true })
  ann.write('a.txt', 'a, edited')
  await syncInTurn(ann, bob)
  expect(bob.idOf('a.txt')).toBe(id)
  expect(bob.metadata('a.txt')).toEqual({ labels: ['kept'] })
  await converge(ann, bob)
})

test('a fresh state folder asks before it deletes much of what the checkpoint calls deleted', async () => {
  const { ann, bob } = await openPair(many)
  // Enough that does not compress to make a checkpoint worth its while.
  ann.write('label.txt', 'label')
  for (let index = 0; index < 9; index++) {
    await ann.sync()
    ann.setMetadata('label.txt', { text: randomBytes(31_000).toString('hex') })
  }
  ann.remove('many')
  await ann.sync({ force: true })
  ann.setMetadata('label.txt', { text: randomBytes(31_000).toString('hex') })
  await ann.sync()
  expect(ann.database.chain.checkpoint()?.version).toBeGreaterThan(9)
  await bob.loseState()
  expect(await bob.sync()).toMatchObject({ outcome: 'halted', error: { code: 'deletion-guard' } })
  expect(bob.tree()).toEqual(many)
})
