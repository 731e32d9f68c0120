import { createHash } from 'node:crypto'
import fs from 'node:fs'
import { describe, expect, test } from 'vitest'
import type { ConflictPolicy } from '../../../src/model/conflict.ts'
import { converge, cut, expectQuiet, openPair, openThree, syncInTurn } from '../../support/replica.ts'

/** Ann's edit is committed, bob's is the candidate, cyd made neither. */
async function openConflict() {
  const set = await openThree({ 'a.txt': 'base\n', 'b.txt': 'b' })
  const { ann, bob, cyd } = set
  ann.write('a.txt', 'by ann\n')
  bob.write('a.txt', 'by bob\n')
  await converge(ann, bob, cyd)
  return set
}

const everybody = ['ann', 'bob', 'cyd'] as const

test('two edits of one file wait as one conflict that everybody lists, and everything else goes on', async () => {
  const { ann, bob, cyd } = await openConflict()
  for (const replica of [ann, bob, cyd]) {
    expect(replica.conflict()).toMatchObject({
      id: ann.conflict().id,
      path: 'a.txt',
      kind: 'edit',
      aspect: 'content',
      base: { hash: hashOf('base\n') },
      candidates: [{ name: 'bob', hash: hashOf('by bob\n') }],
    })
  }
  expect([ann.read('a.txt'), bob.read('a.txt'), cyd.read('a.txt')]).toEqual([
    'by ann\n',
    'by bob\n',
    'by ann\n',
  ])
  bob.write('b.txt', 'goes on')
  bob.move('a.txt', 'moved.txt')
  await converge(ann, bob, cyd)
  expect(cyd.tree()).toEqual({ 'b.txt': 'goes on', 'moved.txt': 'by ann\n' })
  expect(bob.read('moved.txt')).toBe('by bob\n')
  await expectQuiet(ann, bob, cyd)
})

describe.each(everybody)('resolved at %s', (at) => {
  test('`local` takes the candidate everywhere', async () => {
    const set = await openConflict()
    await set[at].resolve(set[at].conflict().id, 'local', { candidate: 'bob' })
    await converge(set.ann, set.bob, set.cyd)
    for (const one of everybody) expect(set[one].tree()).toEqual({ 'a.txt': 'by bob\n', 'b.txt': 'b' })
    expect(set.cyd.conflicts()).toEqual([])
    await expectQuiet(set.ann, set.bob, set.cyd)
  })

  test('`remote` keeps the committed side everywhere, and the other one in the trash', async () => {
    const set = await openConflict()
    await set[at].resolve(set[at].conflict().id, 'remote')
    await converge(set.ann, set.bob, set.cyd)
    for (const one of everybody) expect(set[one].tree()).toEqual({ 'a.txt': 'by ann\n', 'b.txt': 'b' })
    expect(set.bob.trash()).toContain('by bob\n')
    expect(set.ann.conflicts()).toEqual([])
  })

  test('`both` keeps the candidate beside the committed side', async () => {
    const set = await openConflict()
    await set[at].resolve(set[at].conflict().id, 'both')
    await converge(set.ann, set.bob, set.cyd)
    for (const one of everybody) {
      const tree = set[one].tree()
      const [copy] = Object.keys(tree).filter((path) => path.startsWith('a (conflict from bob '))
      expect(copy).toMatch(/\.txt$/)
      expect(tree).toEqual({ 'a.txt': 'by ann\n', 'b.txt': 'b', [copy ?? '']: 'by bob\n' })
    }
    expect(set.ann.conflicts()).toEqual([])
  })

  test('`merge` takes the content that was sent along', async () => {
    const set = await openConflict()
    await set[at].resolve(set[at].conflict().id, 'merge', { content: Buffer.from('by both\n') })
    await converge(set.ann, set.bob, set.cyd)
    for (const one of everybody) expect(set[one].tree()).toEqual({ 'a.txt': 'by both\n', 'b.txt': 'b' })
    expect(set.bob.trash()).toContain('by bob\n')
    expect(set.ann.conflicts()).toEqual([])
  })
})

test('`merge` without a content merges by itself where that is clean', async () => {
  const { ann, bob, cyd } = await openThree({ 'a.txt': '1\n2\n3\n4\n5\n6\n7\n' })
  ann.write('a.txt', 'one\n2\n3\n4\n5\n6\n7\n')
  bob.write('a.txt', '1\n2\n3\n4\n5\n6\nseven\n')
  await converge(ann, bob, cyd)
  await cyd.resolve(cyd.conflict().id, 'merge')
  await converge(ann, bob, cyd)
  expect(bob.read('a.txt')).toBe('one\n2\n3\n4\n5\n6\nseven\n')
})

test('a resolution of what was looked at before it changed is refused', async () => {
  const { ann, bob, cyd } = await openConflict()
  const expected = cyd.revision()
  bob.write('a.txt', 'by bob, again\n')
  await syncInTurn(bob)
  await expect(cyd.resolve(cyd.conflict().id, 'local', { expected })).rejects.toMatchObject({
    code: 'conflict-stale',
  })
  expect(cyd.conflict().candidates).toMatchObject([{ name: 'bob', hash: hashOf('by bob, again\n') }])
  await converge(ann, bob, cyd)
  // Anew, with what stands there now.
  await cyd.resolve(cyd.conflict().id, 'local', { expected: cyd.revision() })
  await converge(ann, bob, cyd)
  expect(ann.read('a.txt')).toBe('by bob, again\n')
})

test('of two resolutions at the same time one counts and the other is refused', async () => {
  const { ann, bob, cyd } = await openConflict()
  const { id } = ann.conflict()
  const outcomes = await Promise.allSettled([ann.resolve(id, 'local'), cyd.resolve(id, 'remote')])
  expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
  const refused = outcomes.find((outcome) => outcome.status === 'rejected')
  expect(refused?.reason).toMatchObject({ code: 'conflict-stale' })
  await converge(ann, bob, cyd)
  expect(ann.read('a.txt')).toBe(outcomes[0].status === 'fulfilled' ? 'by bob\n' : 'by ann\n')
  await expect(bob.resolve(id, 'local')).rejects.toMatchObject({ code: 'conflict-stale' })
})

test('an edit that a resolution has not seen is a new conflict, and no byte of it is overwritten', async () => {
  const { ann, bob, cyd } = await openConflict()
  const { id } = ann.conflict()
  bob.write('a.txt', 'by bob, unseen\n')
  await cyd.resolve(id, 'remote')
  await converge(ann, bob, cyd)
  expect(bob.read('a.txt')).toBe('by bob, unseen\n')
  expect(ann.conflict()).toMatchObject({
    base: { hash: hashOf('by bob\n') },
    candidates: [{ name: 'bob', hash: hashOf('by bob, unseen\n') }],
  })
  expect(ann.conflict().id).not.toBe(id)
})

test('editing on while the conflict is open changes the candidate, or the committed side', async () => {
  const { ann, bob, cyd } = await openConflict()
  const { id } = ann.conflict()
  bob.write('a.txt', 'by bob, second\n')
  ann.write('a.txt', 'by ann, second\n')
  await converge(ann, bob, cyd)
  expect(cyd.conflict()).toMatchObject({ id, candidates: [{ hash: hashOf('by bob, second\n') }] })
  expect(cyd.read('a.txt')).toBe('by ann, second\n')
  expect(bob.read('a.txt')).toBe('by bob, second\n')
  expect(cyd.told('conflict.updated').length).toBeGreaterThan(0)
})

test('sides that become equal close the conflict', async () => {
  const { ann, bob, cyd } = await openConflict()
  bob.write('a.txt', 'by ann\n')
  await converge(ann, bob, cyd)
  for (const replica of [ann, bob, cyd]) expect(replica.conflicts()).toEqual([])
  expect(cyd.told('conflict.resolved')).toMatchObject([{ strategy: 'equal' }])
  await expectQuiet(ann, bob, cyd)
})

test('the committed side that becomes equal closes the conflict too', async () => {
  const { ann, bob, cyd } = await openConflict()
  ann.write('a.txt', 'by bob\n')
  await converge(ann, bob, cyd)
  for (const replica of [ann, bob, cyd]) expect(replica.conflicts()).toEqual([])
})

describe.each(everybody)('a file in conflict that is deleted at %s', (at) => {
  test('is gone everywhere, and the conflict with it', async () => {
    const set = await openConflict()
    set[at].remove('a.txt')
    await converge(set.ann, set.bob, set.cyd)
    for (const one of everybody) {
      expect(set[one].tree()).toEqual({ 'b.txt': 'b' })
      expect(set[one].conflicts()).toEqual([])
    }
    if (at !== 'bob') expect(set.bob.trash()).toContain('by bob\n')
  })
})

test('a third edit joins the open conflict', async () => {
  const { ann, bob, cyd } = await openThree({ 'a.txt': 'base\n' })
  ann.write('a.txt', 'by ann\n')
  bob.write('a.txt', 'by bob\n')
  cyd.write('a.txt', 'by cyd\n')
  await converge(ann, bob, cyd)
  expect(
    ann
      .conflict()
      .candidates.map(({ name }) => name)
      .sort(),
  ).toEqual(['bob', 'cyd'])
  await expect(ann.resolve(ann.conflict().id, 'local')).rejects.toMatchObject({ code: 'bad-request' })
  await ann.resolve(ann.conflict().id, 'both')
  await converge(ann, bob, cyd)
  expect(Object.values(bob.tree()).sort()).toEqual(['by ann\n', 'by bob\n', 'by cyd\n'])
  expect(bob.conflicts()).toEqual([])
})

test('a metadata field that both changed waits alone, and each side keeps its value', async () => {
  const { ann, bob, cyd } = await openThree({ 'a.txt': 'a' })
  ann.setMetadata('a.txt', { author: 'ann', year: 1 })
  bob.setMetadata('a.txt', { author: 'bob', place: 'here' })
  await converge(ann, bob, cyd)
  expect(cyd.conflict()).toMatchObject({
    kind: 'metadata',
    aspect: 'metadata.author',
    candidates: [{ name: 'bob', value: 'bob' }],
  })
  expect(ann.metadata('a.txt')).toEqual({ author: 'ann', year: 1, place: 'here' })
  expect(bob.metadata('a.txt')).toEqual({ author: 'bob', year: 1, place: 'here' })
  await expect(cyd.resolve(cyd.conflict().id, 'both')).rejects.toMatchObject({ code: 'bad-request' })
  await cyd.resolve(cyd.conflict().id, 'merge', { content: Buffer.from('"ann and bob"') })
  await converge(ann, bob, cyd)
  for (const replica of [ann, bob, cyd])
    expect(replica.metadata('a.txt')).toEqual({ author: 'ann and bob', year: 1, place: 'here' })
  await expectQuiet(ann, bob, cyd)
})

test('the same file created twice is one file in conflict, and resolves like any other', async () => {
  const { ann, bob, cyd } = await openThree({ 'b.txt': 'b' })
  ann.write('new.txt', 'by ann')
  bob.write('new.txt', 'by bob')
  await converge(ann, bob, cyd)
  expect(cyd.conflict()).toMatchObject({ kind: 'create', path: 'new.txt' })
  await cyd.resolve(cyd.conflict().id, 'local')
  await converge(ann, bob, cyd)
  expect(ann.tree()).toEqual({ 'b.txt': 'b', 'new.txt': 'by bob' })
  expect(bob.idOf('new.txt')).toBe(ann.idOf('new.txt'))
})

describe('by policy', () => {
  async function clash(policy: ConflictPolicy, texts: { base: string; ann: string; bob: string }) {
    const set = await openPair({ 'a.txt': texts.base })
    set.ann.policy = policy
    set.bob.policy = policy
    set.ann.write('a.txt', texts.ann)
    set.bob.write('a.txt', texts.bob)
    return set
  }
  const texts = { base: 'base\n', ann: 'by ann\n', bob: 'by bob\n' }

  test('`local` commits the content of whoever comes later', async () => {
    const { ann, bob } = await clash('local', texts)
    await converge(ann, bob)
    expect(ann.tree()).toEqual({ 'a.txt': 'by bob\n' })
    expect(ann.trash()).toContain('by ann\n')
  })

  test('`remote` takes the committed content, and keeps the other one in the trash', async () => {
    const { ann, bob } = await clash('remote', texts)
    await converge(ann, bob)
    expect(bob.tree()).toEqual({ 'a.txt': 'by ann\n' })
    expect(bob.trash()).toContain('by bob\n')
  })

  test('`newest` takes the later modification time', async () => {
    const { ann, bob } = await clash('newest', texts)
    fs.utimesSync(ann.at('a.txt'), 2_000, 2_000)
    fs.utimesSync(bob.at('a.txt'), 1_000, 1_000)
    await converge(ann, bob)
    expect(bob.tree()).toEqual({ 'a.txt': 'by ann\n' })
  })

  test('`both` keeps both, each in a file', async () => {
    const { ann, bob } = await clash('both', texts)
    await converge(ann, bob)
    expect(ann.read('a.txt')).toBe('by ann\n')
    expect(Object.values(ann.tree()).sort()).toEqual(['by ann\n', 'by bob\n'])
    expect(ann.conflicts()).toEqual([])
  })

  test('`both` makes one copy, however often the other content cannot be fetched', async () => {
    const { ann, bob } = await clash('both', texts)
    await syncInTurn(ann)
    bob.network = async (request, send) => {
      if (request.method === 'GET' && /^[0-9a-f]{2}\//.test(request.name)) throw cut()
      return send(request)
    }
    for (let attempt = 0; attempt < 3; attempt++) {
      expect(await bob.sync()).toMatchObject({ outcome: 'unreachable' })
      bob.clock.advance(120_000)
    }
    bob.network = (request, send) => send(request)
    await converge(ann, bob)
    expect(Object.values(bob.tree()).sort()).toEqual(['by ann\n', 'by bob\n'])
  })

  test('`merge` merges lines that do not touch', async () => {
    const { ann, bob } = await clash('merge', {
      base: '1\n2\n3\n4\n5\n6\n7\n',
      ann: 'one\n2\n3\n4\n5\n6\n7\n',
      bob: '1\n2\n3\n4\n5\n6\nseven\n',
    })
    await converge(ann, bob)
    expect(ann.tree()).toEqual({ 'a.txt': 'one\n2\n3\n4\n5\n6\nseven\n' })
    expect(ann.conflicts()).toEqual([])
  })

  test('`merge` leaves lines that touch to a person', async () => {
    const { ann, bob } = await clash('merge', texts)
    await converge(ann, bob)
    expect(ann.conflict().candidates).toMatchObject([{ name: 'bob' }])
    expect(bob.read('a.txt')).toBe('by bob\n')
  })
})

test('a candidate outlives the instance that made it', async () => {
  const { ann, bob, cyd } = await openConflict()
  fs.rmSync(bob.root, { recursive: true })
  await cyd.resolve(cyd.conflict().id, 'local')
  await converge(ann, cyd)
  expect(ann.read('a.txt')).toBe('by bob\n')
})

function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

test('a content that was pulled beside a conflict of labels is no edit when the commit of that conflict loses', async () => {
  const { ann, bob } = await openPair({ 'a.txt': 'one' })
  ann.setMetadata('a.txt', { title: 'by ann' })
  ann.write('a.txt', 'two')
  await syncInTurn(ann)
  bob.setMetadata('a.txt', { title: 'by bob' })
  // Ann is quicker, with another content.
  bob.network = async (request, send) => {
    if (request.method === 'MOVE') {
      bob.network = (later, pass) => pass(later)
      ann.write('a.txt', 'three')
      await ann.sync()
    }
    return send(request)
  }
  await bob.sync()
  await converge(ann, bob)
  expect(bob.conflicts().map(({ aspect }) => aspect)).toEqual(['metadata.title'])
  for (const replica of [ann, bob]) expect(replica.read('a.txt')).toBe('three')
})

test('a file in conflict that is saved by renaming and renamed between two looks decides nothing', async () => {
  const { ann, bob } = await openPair({ 'a.txt': 'base' })
  ann.write('a.txt', 'by ann')
  bob.write('a.txt', 'by bob')
  await syncInTurn(ann, bob, ann)
  bob.write('.a.txt.swp', 'by bob, again')
  bob.move('.a.txt.swp', 'a.txt')
  bob.move('a.txt', 'b.txt')
  await syncInTurn(bob, ann)
  for (const replica of [ann, bob]) {
    expect(replica.tree()['b.txt']).toBe('by bob, again')
    expect(replica.tree()['a.txt']).toBe('by ann')
  }
  expect(bob.told('file.rescued')).toMatchObject([{ path: 'a.txt', rule: 'R6-edit-wins-restore' }])
})
