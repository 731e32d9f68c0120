import { describe, expect, it } from 'vitest'
import type { Decision } from '../../../src/reconcile/decision.ts'
import { reconcile } from '../../../src/reconcile/reconcile.ts'
import { settlePaths } from '../../../src/reconcile/settle-paths.ts'
import { type NamedTrees, worldOf } from '../../support/named-trees.ts'
import { file, folder, input, now } from '../../support/three-trees.ts'

/** Decides about the ids named (all by default) and settles their paths. */
function settle(trees: Partial<NamedTrees>, ids?: readonly string[]) {
  const named = { local: {}, synced: {}, remote: {}, ...trees }
  const all = new Set([named.local, named.synced, named.remote].flatMap((tree) => Object.keys(tree)))
  const decisions = [...(ids ?? all)].map((id) =>
    reconcile(
      input({
        id,
        local: named.local[id] ?? null,
        synced: named.synced[id] ?? null,
        remote: named.remote[id] ?? null,
        policy: 'both',
      }),
    ),
  )
  return settlePaths({ decisions, world: worldOf(named), instance: { name: 'laptop' }, now })
}

function paths(decisions: readonly Decision[]): Record<string, string | undefined> {
  return Object.fromEntries(decisions.map(({ id, remote }) => [id, remote?.path]))
}

const aside = 'p (laptop 2026-11-20 14.05).txt'

describe('two files at one path', () => {
  const clash = {
    local: { mine: file('p.txt', 'mine'), theirs: file('old.txt', 'theirs') },
    synced: { theirs: file('old.txt', 'theirs') },
    remote: { theirs: file('p.txt', 'theirs') },
  }

  it('the committed one keeps it, the other keeps its id and takes a readable name', () => {
    const { decisions, blocked } = settle(clash)
    expect(paths(decisions)).toEqual({ mine: aside, theirs: 'p.txt' })
    expect(blocked).toEqual([])
    const [mine] = decisions
    expect(mine).toMatchObject({
      local: { path: aside },
      synced: { path: aside },
      rules: ['R2-push', 'R16-path-taken'],
    })
    expect(mine?.notices).toMatchObject([{ rule: 'R16-path-taken', path: aside }])
  })

  it('the readable name is numbered when it is taken in any tree, in any spelling', () => {
    const taken = { held: file('P (Laptop 2026-11-20 14.05).TXT', 'x') }
    const synced = { ...clash.synced, other: file('p (laptop 2026-11-20 14.05) 2.txt', 'y') }
    const { decisions } = settle({
      local: { ...clash.local, ...taken },
      remote: { ...clash.remote, ...taken },
      synced: { ...synced, ...taken },
    })
    expect(paths(decisions)).toMatchObject({ mine: 'p (laptop 2026-11-20 14.05) 3.txt' })
  })

  it('one outside the batch that is still to be decided blocks', () => {
    const { blocked } = settle(clash, ['theirs'])
    expect(blocked).toEqual([{ id: 'theirs', by: ['mine'] }])
  })

  it('two that swap their paths are no clash', () => {
    const a = file('a', 'one')
    const b = file('b', 'two')
    const synced = { a, b }
    const { decisions } = settle({
      local: synced,
      synced,
      remote: { a: { ...a, path: 'b' }, b: { ...b, path: 'a' } },
    })
    expect(paths(decisions)).toEqual({ a: 'b', b: 'a' })
  })
})

describe('a file where a folder is needed', () => {
  it('goes aside, even when it is the committed one', () => {
    const old = file('p.txt', 'old')
    const { decisions } = settle({
      local: { inside: file('p.txt/x', 'new') },
      synced: { plain: old },
      remote: { plain: file('p.txt', 'edited') },
    })
    expect(paths(decisions)).toEqual({ inside: 'p.txt/x', plain: aside })
    expect(decisions.find(({ id }) => id === 'plain')?.rules).toEqual([
      'R6-edit-wins-restore',
      'R15-renamed-aside',
    ])
  })

  it('waits for deletions below it that are not in the batch', () => {
    const inside = { inside: file('p/x', 'old') }
    const trees = { local: inside, synced: inside, remote: { plain: file('p', 'new') } }
    expect(settle(trees, ['plain']).blocked).toEqual([{ id: 'plain', by: ['inside'] }])
    expect(paths(settle(trees).decisions)).toEqual({ plain: 'p', inside: undefined })
  })

  it('goes aside without waiting for the rest of the folder, of which there may be any number', () => {
    const { decisions, blocked } = settle(
      {
        local: { plain: file('p.txt', 'mine') },
        remote: { one: file('p.txt/1', '1'), two: file('p.txt/2', '2'), three: file('p.txt/3', '3') },
      },
      ['one', 'plain'],
    )
    expect(blocked).toEqual([])
    expect(paths(decisions)).toEqual({ one: 'p.txt/1', plain: aside })
  })

  it('waits for a file above it that is not in the batch', () => {
    const above = { above: file('p', 'old') }
    const { blocked } = settle({ local: above, synced: above, remote: { below: file('p/x', 'new') } }, [
      'below',
    ])
    expect(blocked).toEqual([{ id: 'below', by: ['above'] }])
  })

  it('goes aside even when the store holds both', () => {
    const { decisions } = settle({ remote: { plain: file('p.txt', 'x'), inside: file('p.txt/x', 'y') } })
    expect(paths(decisions)).toEqual({ plain: aside, inside: 'p.txt/x' })
  })

  it('is no clash for an entry of a folder', () => {
    const { decisions } = settle({ local: { entry: folder('d') }, remote: { inside: file('d/x', 'x') } })
    expect(paths(decisions)).toEqual({ entry: 'd', inside: 'd/x' })
  })
})

describe('the name of a copy', () => {
  it('is made free in all trees', () => {
    const name = 'a (conflict from laptop 2026-11-20 14.05)'
    const held = { held: file(`${name}.TXT`, 'kept') }
    const { decisions } = settle({
      local: { a: file('a.txt', 'mine'), ...held },
      synced: { a: file('a.txt', 'base'), ...held },
      remote: { a: file('a.txt', 'theirs'), ...held },
    })
    const [a] = decisions
    expect(a?.copy?.path).toBe(`${name} 2.txt`)
    expect(a?.copy?.state).toEqual({ ...file('a.txt', 'mine'), path: `${name} 2.txt` })
  })
})
