/** The soak itself runs by `scripts/soak.mjs` only. Here: that its oracle notices what it is for. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { HashCache, hashOf, readHoldings, readTree } from './contents.ts'
import { Hand } from './hand.ts'
import { History, resolver } from './history.ts'
import {
  type ConflictSeen,
  findConflictDifferences,
  findDifferences,
  findLosses,
  findLostLabels,
  findStrayCandidates,
  findSurprises,
  type Tree,
} from './oracle.ts'
import { type SoakOptions, soak } from './soak.ts'
import { findDrift, type UsageRow } from './usage.ts'

const { DAVIT_SOAK: asked } = process.env

if (asked !== undefined) {
  const options = JSON.parse(asked) as SoakOptions
  it(
    'instances that people, programs and trouble work on agree, lose nothing and bring nothing back',
    async () => {
      const { violations, folder } = await soak(options)
      expect(violations, `seed ${options.seed}, everything is in ${folder}`).toEqual([])
    },
    (options.minutes * 2 + 30) * 60_000,
  )
}

let folder: string
let history: History

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'davit-oracle-'))
  history = new History(() => 0)
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const tree = (files: Readonly<Record<string, string>>): Tree =>
  new Map(Object.entries(files).map(([path, text]) => [path, { hash: hashOf(text), executable: false }]))
const rules = (found: readonly { readonly rule: string; readonly path: string | null }[]) =>
  found.map(({ rule, path }) => `${rule} ${path}`)

/** A gesture after which these texts stand there; `null`: nothing. */
function does(
  instance: string,
  results: Readonly<Record<string, string | null>>,
  links: [string, string][] = [],
) {
  const hashes = Object.entries(results).map(([path, text]) => ({
    path,
    hash: text === null ? null : hashOf(text),
  }))
  history.add({ instance, what: 'gesture', results: hashes, destroyed: [], links })
}

function surprises(
  before: Tree,
  after: Tree,
  isLeftOut: (path: string) => boolean = () => false,
  newConflicts: readonly string[] = [],
) {
  for (const { hash } of before.values()) if (hash !== null) history.known.add(hash)
  const { gestures, known } = history
  return rules(findSurprises({ before, after, gestures, isLeftOut, known, newConflicts }))
}

describe('a content', () => {
  const at = (path: string) => join(folder, 'anna', path)
  const make = (what: (hand: Hand) => void) => {
    const draft = Hand.do({ name: 'anna', workspace: at(''), graveyard: folder }, 'gesture', what)
    if (draft !== null) history.add(draft)
  }
  const losses = async () =>
    rules(
      findLosses(history, await readHoldings([join(folder, 'anna')], join(folder, 'none'), new HashCache())),
    )

  it('that is nowhere any more is lost', async () => {
    make((hand) => hand.write('a.txt', 'precious'))
    expect(await losses()).toEqual([])
    writeFileSync(at('a.txt'), 'something else')
    expect(await losses()).toEqual(['S4 a.txt'])
  })

  it('that its own user replaced or deleted may go, unless it was acknowledged before', async () => {
    make((hand) => hand.write('a.txt', 'first'))
    make((hand) => hand.write('b.txt', 'second'))
    history.acknowledge('anna', 1, () => true)
    make((hand) => hand.write('a.txt', 'first, edited'))
    make((hand) => hand.remove('b.txt'))
    expect(await losses()).toEqual(['S4 a.txt'])
  })

  it('stays owed however its user moves it', async () => {
    make((hand) => hand.write('a.txt', 'one'))
    make((hand) => hand.write('d/b.txt', 'two'))
    make((hand) => hand.swap('a.txt', 'd/b.txt'))
    make((hand) => hand.renameFolder('d', 'e'))
    make((hand) => hand.rename('a.txt', 'c.txt'))
    expect(await losses()).toEqual([])
    rmSync(at('e'), { recursive: true })
    rmSync(at('c.txt'))
    expect((await losses()).sort()).toEqual(['S4 c.txt', 'S4 e/b.txt'])
  })

  it('in the store counts when its bytes are what its name says', async () => {
    const folderOfIt = hashOf('kept').slice(0, 2)
    const name = `store/${folderOfIt}/${hashOf('kept')}-${'0'.repeat(16)}`
    make((hand) => hand.write(name, 'ke'))
    const held = async () => readHoldings([], at('store'), new HashCache())
    expect((await held()).has(hashOf('kept'))).toBe(false)
    writeFileSync(at(name), 'kept')
    expect((await held()).has(hashOf('kept'))).toBe(true)
  })
})

describe('a path', () => {
  it('that was deleted and comes back is noticed, in this interval and in a later one', () => {
    does('anna', { 'a.txt': null })
    expect(surprises(tree({ 'a.txt': 'old' }), tree({ 'a.txt': 'old' }))).toEqual(['S5 a.txt'])
    expect(surprises(tree({}), tree({ 'b.txt': 'old' }))).toContain('S5 b.txt')
  })

  it('that was deleted here and edited there may come back, but not when it was only renamed beside', () => {
    does('anna', { 'a.txt': null })
    does('ben', { 'a.txt': 'edited' })
    expect(surprises(tree({ 'a.txt': 'old' }), tree({ 'a.txt': 'edited' }))).toEqual([])
    history.gestures.length = 0
    does('anna', { 'a.txt': null, 'b.txt': 'old' }, [['a.txt', 'b.txt']])
    does('ben', { 'a.txt': null, 'c.txt': 'old' }, [['a.txt', 'c.txt']])
    expect(surprises(tree({ 'a.txt': 'old' }), tree({ 'c.txt': 'old' }))).toEqual([])
    expect(surprises(tree({ 'a.txt': 'old' }), tree({ 'a.txt': 'old', 'c.txt': 'old' }))).toEqual([
      'S5 a.txt',
    ])
  })

  it('that was renamed and deleted here may come back for an edit under its old name elsewhere', () => {
    does('anna', { 'a.txt': null, 'b.txt': 'old' }, [['a.txt', 'b.txt']])
    does('ben', { 'a.txt': 'edited' })
    does('anna', { 'b.txt': null })
    expect(surprises(tree({ 'a.txt': 'old' }), tree({ 'b.txt': 'edited' }))).toEqual([])
  })

  it('that was taken away and taken again by one gesture is no deletion', () => {
    does('ben', { 'b.txt': 'work' })
    const results = (['a.txt', 'b.txt'] as const).flatMap((path, index) => [
      { path, hash: null },
      { path, hash: hashOf(['two', 'one'][index] ?? '') },
    ])
    const links = [
      ['a.txt', 'b.txt'],
      ['b.txt', 'a.txt'],
    ] as const
    history.add({ instance: 'anna', what: 'swap', results, destroyed: [], links })
    const before = tree({ 'a.txt': 'one', 'b.txt': 'two' })
    expect(surprises(before, tree({ 'a.txt': 'two', 'b.txt': 'one' }))).toEqual([])
  })

  it('that goes away, or goes back to an older content, although nobody did that, is noticed', () => {
    does('anna', { 'b.txt': 'new' })
    const before = tree({ 'a.txt': 'one', 'b.txt': 'old' })
    expect(surprises(before, tree({ 'a.txt': 'one', 'b.txt': 'new' }))).toEqual([])
    expect(surprises(before, tree({ 'b.txt': 'new' }))).toEqual(['S6 a.txt'])
    expect(surprises(before, tree({ 'a.txt': 'one', 'b.txt': 'old' }))).toEqual(['S10 b.txt'])
    expect(surprises(before, tree({ 'a.txt': 'one', 'b.txt': 'old' }), (path) => path === 'b.txt')).toEqual(
      [],
    )
    expect(surprises(before, tree({ 'a.txt': 'one', 'b.txt': 'ne' }))).toEqual(['S7 b.txt', 'S10 b.txt'])
  })

  it('on which a conflict was resolved may hold any content that somebody meant', () => {
    does('anna', { 'a.txt': 'new' })
    history.add({
      instance: resolver,
      what: 'resolves',
      results: [],
      destroyed: [],
      links: [],
      touches: ['a.txt'],
    })
    expect(surprises(tree({ 'a.txt': 'old' }), tree({ 'a.txt': 'old' }))).toEqual([])
    expect(surprises(tree({ 'a.txt': 'old' }), tree({}))).toEqual(['S6 a.txt'])
  })

  it('that is in conflict although only one touched it is noticed', () => {
    does('anna', { 'a.txt': 'new', 'b.txt': 'one' })
    does('ben', { 'b.txt': 'two' })
    const [before, after] = [tree({ 'a.txt': 'old' }), tree({ 'a.txt': 'new', 'b.txt': 'one' })]
    const isInConflict = (path: string) => ['a.txt', 'b.txt'].includes(path)
    expect(surprises(before, after, isInConflict, ['a.txt', 'b.txt'])).toEqual(['S11 a.txt'])
  })

  it('is told with the gestures that concerned it, under its former names too', () => {
    does('anna', { 'a.txt': 'one' })
    does('ben', { 'z.txt': 'two' })
    does('anna', { 'a.txt': null, 'b.txt': 'one' }, [['a.txt', 'b.txt']])
    expect(history.about('b.txt').map(({ number }) => number)).toEqual([1, 3])
  })
})

it('a label that is not on its file any more is lost, unless the file was deleted meanwhile', () => {
  const label = { instance: 'anna', fileId: 'f', path: 'a.txt', label: 'seen', afterGesture: 0 }
  const lost = (labels: string[]) =>
    rules(findLostLabels(history, [label], new Map([['f', { path: 'b.txt', labels }]])))
  does('ben', { 'a.txt': null, 'b.txt': 'text' }, [['a.txt', 'b.txt']])
  does('ben', { 'b.txt': 'text, edited' })
  expect(lost(['seen', 'other'])).toEqual([])
  expect(lost(['other'])).toEqual(['S4 b.txt'])
  does('cyd', { 'a.txt': null })
  expect(lost(['other'])).toEqual([])
})

it('workspaces that differ are told, path by path', async () => {
  const hand = (name: string) => ({ name, workspace: join(folder, name), graveyard: folder })
  for (const name of ['anna', 'ben']) {
    Hand.do(hand(name), 'write', (each) => each.write('same.txt', 'same'))
    Hand.do(hand(name), 'write', (each) => each.write('mode.txt', 'same'))
    Hand.do(hand(name), 'write', (each) => each.write('.davit/own', name))
  }
  Hand.do(hand('anna'), 'write', (each) => each.write('d/more.txt', 'more'))
  Hand.do(hand('ben'), 'make', (each) => each.makeFolder('empty'))
  Hand.do(hand('ben'), 'mode', (each) => each.toggleMode('mode.txt'))
  const trees = new Map<string, Tree>()
  for (const name of ['anna', 'ben']) trees.set(name, await readTree(join(folder, name), new HashCache()))
  expect(rules(findDifferences(trees, () => false)).sort()).toEqual([
    'L1 d/more.txt',
    'L1 empty',
    'L1 mode.txt',
  ])
  expect(findDifferences(trees, () => true)).toEqual([])
})

it('conflicts that are not the same everywhere are told, and workspaces that hold none of their sides', () => {
  const one = { instance: 'anna', hash: hashOf('one') }
  const remote = { instance: 'remote', hash: hashOf('two') }
  const conflict: ConflictSeen = { id: 'c1', path: 'a.txt', aspect: 'content', candidates: [remote, one] }
  const lists = (other: readonly ConflictSeen[]) =>
    new Map([
      ['anna', [conflict]],
      ['ben', other],
    ])
  expect(findConflictDifferences(lists([conflict]))).toEqual([])
  expect(rules(findConflictDifferences(lists([])))).toEqual(['L5 a.txt'])
  expect(rules(findConflictDifferences(lists([{ ...conflict, candidates: [remote] }])))).toEqual(['L5 a.txt'])
  const trees = new Map([
    ['anna', tree({ 'a.txt': 'one' })],
    ['ben', tree({ 'a.txt': 'other' })],
  ])
  expect(rules(findStrayCandidates(trees, [conflict]))).toEqual(['L5 a.txt'])
})

it('growth beyond its bound is drift, and what shrinks or stays is none', () => {
  const megabyte = 1024 * 1024
  const rows = (rss: (index: number) => number, handles: (index: number) => number): UsageRow[] =>
    Array.from({ length: 12 }, (_, index) => ({
      instance: 'anna',
      minute: index,
      rssBytes: rss(index) * megabyte,
      handles: handles(index),
      threads: 10,
      databaseBytes: 0,
      walBytes: 0,
      trashBytes: 0,
      leftovers: 0,
      upMs: 0,
      version: 1,
      files: 1,
    }))
  expect(
    findDrift(
      rows(
        (index) => 150 + index,
        () => 40,
      ),
    ),
  ).toEqual([])
  expect(
    findDrift(
      rows(
        (index) => 100 + 20 * index,
        (index) => 40 + 3 * index,
      ),
    ),
  ).toEqual(['anna: RSS grew from 180.0 to 300.0 MB', 'anna: handles grew from 52 to 70'])
})
