import fs from 'node:fs'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { ResolutionStrategy } from '../../../src/model/conflict.ts'
import { isDavitError } from '../../../src/model/errors.ts'
import { converge, cut, expectQuiet, openReplicas, type Replica, syncInTurn } from '../../support/replica.ts'

const names = ['a', 'b', 'c', 'd/a', 'd/b', 'd/e/a', 'E/a', 'd'] as const

type Gesture =
  | { readonly kind: 'write'; readonly path: string }
  | { readonly kind: 'remove'; readonly path: string }
  | { readonly kind: 'move'; readonly from: string; readonly to: string }
  | { readonly kind: 'swap'; readonly from: string; readonly to: string }
  | { readonly kind: 'copy'; readonly from: string; readonly to: string }
  | { readonly kind: 'folder'; readonly path: string }
  | { readonly kind: 'label'; readonly path: string; readonly field: string }
  | { readonly kind: 'executable'; readonly path: string }
  | { readonly kind: 'sync' }
  /** The connection dies at the n-th request of a run. */
  | { readonly kind: 'broken-sync'; readonly after: number }
  | { readonly kind: 'restart' }
  | { readonly kind: 'resolve'; readonly strategy: ResolutionStrategy }

const path = fc.constantFrom(...names)
const pair = fc.record({ from: path, to: path })
const gesture: fc.Arbitrary<Gesture> = fc.oneof(
  { weight: 6, arbitrary: path.map((at): Gesture => ({ kind: 'write', path: at })) },
  { weight: 3, arbitrary: path.map((at): Gesture => ({ kind: 'remove', path: at })) },
  { weight: 4, arbitrary: pair.map((both): Gesture => ({ kind: 'move', ...both })) },
  { weight: 2, arbitrary: pair.map((both): Gesture => ({ kind: 'swap', ...both })) },
  { weight: 1, arbitrary: pair.map((both): Gesture => ({ kind: 'copy', ...both })) },
  { weight: 1, arbitrary: path.map((at): Gesture => ({ kind: 'folder', path: at })) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('label' as const),
      path,
      field: fc.constantFrom('labels', 'x'),
    }),
  },
  { weight: 1, arbitrary: path.map((at): Gesture => ({ kind: 'executable', path: at })) },
  { weight: 6, arbitrary: fc.constant<Gesture>({ kind: 'sync' }) },
  {
    weight: 2,
    arbitrary: fc.nat({ max: 12 }).map((after): Gesture => ({ kind: 'broken-sync', after })),
  },
  { weight: 1, arbitrary: fc.constant<Gesture>({ kind: 'restart' }) },
  {
    weight: 2,
    arbitrary: fc
      .constantFrom<ResolutionStrategy>('local', 'remote', 'both', 'merge')
      .map((strategy): Gesture => ({ kind: 'resolve', strategy })),
  },
)
const script = fc.array(fc.tuple(fc.nat({ max: 2 }), gesture), { minLength: 8, maxLength: 30 })

/** Does nothing where the folder is not made for it, as a person would not either. */
async function make(replica: Replica, one: Gesture, content: string): Promise<void> {
  const isFile = (at: string) => isThere(at) && fs.statSync(replica.at(at)).isFile()
  const isThere = (at: string) => fs.existsSync(replica.at(at))
  const isFree = (at: string) => {
    const parents = at.split('/').map((_, index, all) => all.slice(0, index).join('/'))
    return !isThere(at) && parents.every((folder) => folder === '' || !isFile(folder))
  }
  switch (one.kind) {
    case 'write':
      if (isFile(one.path) || isFree(one.path)) replica.write(one.path, content)
      return
    case 'remove':
      if (isThere(one.path)) replica.remove(one.path)
      return
    case 'move':
      if (isThere(one.from) && isFree(one.to) && !one.to.startsWith(`${one.from}/`))
        replica.move(one.from, one.to)
      return
    case 'swap':
      if (!isFile(one.from) || !isFile(one.to) || one.from === one.to) return
      replica.move(one.from, 'aside')
      replica.move(one.to, one.from)
      replica.move('aside', one.to)
      return
    case 'copy':
      if (isFile(one.from) && isFree(one.to)) replica.write(one.to, replica.read(one.from) ?? '')
      return
    case 'folder':
      if (isFree(one.path)) replica.makeFolder(one.path)
      return
    case 'label': {
      const row = replica.database.trees.localAt(one.path)
      if (row === null || row.state.kind !== 'file' || row.absence !== null) return
      const value = one.field === 'labels' ? [content] : content
      replica.setMetadata(one.path, { ...row.state.metadata, [one.field]: value })
      return
    }
    case 'executable':
      if (isFile(one.path)) fs.chmodSync(replica.at(one.path), 0o755)
      return
    case 'sync':
      await syncInTurn(replica)
      return
    case 'broken-sync': {
      let left = one.after
      replica.network = async (request, send) => {
        if (left < 0) throw cut()
        left -= 1
        if (left >= 0) return send(request)
        // The last one still arrives; its answer does not.
        const response = await send(request)
        await response.discard()
        throw cut()
      }
      await replica.sync()
      replica.network = (request, send) => send(request)
      return
    }
    case 'restart':
      await replica.restart()
      return
    case 'resolve': {
      const [conflict] = replica.conflicts()
      if (conflict === undefined) return
      const more = one.strategy === 'merge' ? { content: Buffer.from(JSON.stringify(content)) } : {}
      try {
        await replica.resolve(conflict.id, one.strategy, more)
      } catch (error) {
        // Somebody else was quicker, or the strategy does not fit the conflict: a person would be told.
        if (!isDavitError(error, 'conflict-stale', 'bad-request')) throw error
      }
      return
    }
  }
}

function contentsOf(replica: Replica): string[] {
  return Object.entries(replica.tree()).flatMap(([at, content]) => (at.endsWith('/') ? [] : [content]))
}

/** Every content that is still to be had: in a folder, in a trash, in the store. */
function kept(replicas: readonly Replica[]): Set<string> {
  const found = new Set<string>()
  for (const replica of replicas) {
    for (const content of contentsOf(replica)) found.add(content)
    for (const content of replica.trash()) found.add(content)
  }
  for (const [name, bytes] of replicas[0]?.dav.files ?? [])
    if (/store\/[0-9a-f]{2}\//.test(name)) found.add(Buffer.from(bytes).toString())
  return found
}

test('however three instances edit and sync, they agree in the end, lose no content, and are quiet then', async () => {
  await fc.assert(
    fc.asyncProperty(script, async (steps) => {
      const set = await openReplicas(['ann', 'bob', 'cyd'])
      const { replicas } = set
      const seen = new Set<string>()
      for (const replica of replicas) replica.maxDelete = { fraction: 1, atLeast: 1_000 }
      try {
        for (const [index, [who, one]] of steps.entries()) {
          const replica = replicas[who] as Replica
          await make(replica, one, `content ${index}`)
          // What a sync could have seen; an edit that its author overwrote before is nobody's loss.
          if (one.kind === 'sync') for (const content of contentsOf(replica)) seen.add(content)
        }
        for (const replica of replicas) for (const content of contentsOf(replica)) seen.add(content)
        await converge(...replicas)
        const there = kept(replicas)
        for (const content of seen) expect(there).toContain(content)
        await expectQuiet(...replicas)
      } finally {
        await set.dispose()
      }
    }),
    { seed: 20_250_101, numRuns: 10 },
  )
})
