import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Arrival, type DisplacedRow, detectMoves } from '../../../src/reconcile/detect-moves.ts'

interface Look {
  readonly inode: number
  readonly content: string
  readonly born?: number
}

const stamp = ({ inode, content, born }: Look) => ({
  size: content.length,
  mtimeMs: 1,
  ctimeMs: 1,
  inode,
  birthtimeMs: born ?? 1_000 + inode,
})

type Tree = Readonly<Record<string, Look>>

/** What a scan finds between two looks at a folder. The id of a file is its old path. */
function between(before: Tree, after: Tree) {
  const displaced: DisplacedRow[] = []
  const arrivals: Arrival[] = []
  for (const [path, look] of Object.entries(before)) {
    const now = after[path]
    if (now?.inode === look.inode && (now.born ?? 0) === (look.born ?? 0)) continue
    const how = now === undefined ? 'vanished' : 'replaced'
    displaced.push({ id: path, path, stamp: stamp(look), hash: look.content, size: look.content.length, how })
  }
  for (const [path, look] of Object.entries(after)) {
    const old = before[path]
    if (old?.inode === look.inode && (old.born ?? 0) === (look.born ?? 0)) continue
    const how = old === undefined ? 'appeared' : 'replaced'
    arrivals.push({ path, stamp: stamp(look), hash: look.content, size: look.content.length, how })
  }
  return { displaced, arrivals }
}

function moves(before: Tree, after: Tree): string[] {
  return detectMoves(between(before, after)).map(({ from, to }) => `${from} → ${to}`)
}

const one = { inode: 1, content: 'one' }
const two = { inode: 2, content: 'two' }
const three = { inode: 3, content: 'three' }

describe('a move is recognised', () => {
  it('by inode and birth time, even when the file was edited too', () => {
    expect(moves({ a: one }, { b: { inode: 1, content: 'edited' } })).toEqual(['a → b'])
  })

  it('by content when it went over another disk', () => {
    expect(moves({ a: one }, { b: { inode: 9, content: 'one' } })).toEqual(['a → b'])
  })

  it('by inode and content where birth times are not kept', () => {
    expect(moves({ a: { ...one, born: 0 } }, { b: { ...one, born: 0 } })).toEqual(['a → b'])
  })

  it('in a swap of two files', () => {
    expect(moves({ a: one, b: two }, { a: two, b: one })).toEqual(['a → b', 'b → a'])
  })

  it('in a chain whose last link is a new path', () => {
    expect(moves({ a: one, b: two }, { b: one, c: two })).toEqual(['a → b', 'b → c'])
  })

  it('in a cycle of three', () => {
    expect(moves({ a: one, b: two, c: three }, { a: three, b: one, c: two })).toEqual([
      'a → b',
      'b → c',
      'c → a',
    ])
  })

  it('of an empty folder, by inode', () => {
    const folder = { stamp: stamp(one), hash: null, size: 0 }
    const displaced = [{ id: 'f', path: 'f', ...folder, how: 'vanished' }] as const
    expect(detectMoves({ displaced, arrivals: [{ path: 'g', ...folder, how: 'appeared' }] })).toHaveLength(1)
    const file = [{ path: 'g', stamp: stamp(one), hash: 'one', size: 3, how: 'appeared' }] as const
    expect(detectMoves({ displaced, arrivals: file })).toEqual([])
  })
})

describe('no move is recognised', () => {
  it('when an editor saves by renaming a new file over the old one', () => {
    expect(moves({ a: one }, { a: { inode: 9, content: 'edited' } })).toEqual([])
  })

  it('when an editor keeps the old file as a backup: the path stays with its file', () => {
    expect(moves({ a: one }, { a: { inode: 9, content: 'edited' }, 'a~': one })).toEqual([])
  })

  it('when a file was moved over another: that path stays with its file', () => {
    expect(moves({ a: one, b: two }, { b: one })).toEqual([])
  })

  it('when a chain begins with a file that is new', () => {
    expect(moves({ a: one, b: two }, { a: { inode: 9, content: 'x' }, b: one, c: two })).toEqual([])
  })

  it('when the inode was reused for another content', () => {
    expect(moves({ a: one }, { b: { inode: 1, content: 'new', born: 5 } })).toEqual([])
    expect(moves({ a: { ...one, born: 0 } }, { b: { inode: 1, content: 'new', born: 0 } })).toEqual([])
  })

  it('when hard links make the inode ambiguous', () => {
    expect(moves({ a: one, b: one }, { c: one })).toEqual([])
    expect(moves({ a: one }, { b: one, c: one })).toEqual([])
  })

  it('when several have the same content, or it is empty', () => {
    const copy = (inode: number) => ({ inode, content: 'one' })
    expect(moves({ a: copy(1), b: copy(2) }, { c: copy(8) })).toEqual([])
    expect(moves({ a: copy(1) }, { b: copy(8), c: copy(9) })).toEqual([])
    expect(moves({ a: { inode: 1, content: '' } }, { b: { inode: 9, content: '' } })).toEqual([])
  })

  it('of one file to two paths: the inode decides before the content', () => {
    const before = { a: one, b: { inode: 2, content: 'one' } }
    const after = { c: one, d: { inode: 9, content: 'one' } }
    expect(moves(before, after)).toEqual(['a → c', 'b → d'])
  })
})

describe('for any change of a folder', () => {
  const tree = fc.dictionary(
    fc.constantFrom('a', 'b', 'c', 'd', 'e'),
    fc.record({ inode: fc.integer({ min: 1, max: 6 }), content: fc.constantFrom('', 'x', 'y') }),
  )

  it('ids never end at one path, and a replaced path changes its file only for a known one', () => {
    fc.assert(
      fc.property(tree, tree, (before, after) => {
        const changes = between(before, after)
        const found = detectMoves(changes)
        const targets = found.map(({ to }) => to)
        expect(new Set(targets).size).toBe(found.length)
        expect(new Set(found.map(({ id }) => id)).size).toBe(found.length)
        for (const { to } of found) {
          const stood = changes.displaced.find(({ path }) => path === to)
          if (stood !== undefined) expect(found.map(({ from }) => from)).toContain(to)
        }
        for (const { from } of found) {
          if (Object.hasOwn(after, from)) expect(targets).toContain(from)
        }
      }),
      { numRuns: 3_000 },
    )
  })

  it('any permutation of distinct files is told exactly', () => {
    const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g']
    const shuffled = fc.shuffledSubarray(names, { minLength: 4, maxLength: 4 })
    fc.assert(
      fc.property(shuffled, shuffled, (from, to) => {
        const place = (paths: readonly string[]) =>
          Object.fromEntries(paths.map((path, index) => [path, { inode: index + 1, content: `c${index}` }]))
        const expected = from
          .map((path, index) => `${path} → ${to[index]}`)
          .filter((_, index) => from[index] !== to[index])
        expect(moves(place(from), place(to))).toEqual(expected.sort())
      }),
      { numRuns: 1_000 },
    )
  })
})
