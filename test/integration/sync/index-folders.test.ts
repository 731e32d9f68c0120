import { expect, it } from 'vitest'
import { openReplicas, type Replica } from '../../support/replica.ts'

it('a file far below an empty folder takes the folder out of the index, whatever lies between', async () => {
  const [ann] = (await openReplicas(['ann'])).replicas as [Replica]
  ann.makeFolder('a')
  await ann.sync()
  expect(ann.database.trees.localAt('a')?.state.kind).toBe('folder')
  ann.write('a/b/c/d', '1')
  // Told of the file alone: what was made above it may have come and gone before.
  await ann.engine.exclusively(() => ann.engine.indexPaths(['a/b/c/d']))
  expect(ann.database.trees.localPage({ limit: 10 }).map(({ state }) => state.path)).toEqual(['a/b/c/d'])
})

it('the last file far below gone, the folder that is left stands in the index', async () => {
  const [ann] = (await openReplicas(['ann'])).replicas as [Replica]
  ann.write('a/b/c/d', '1')
  await ann.sync()
  ann.remove('a/b')
  await ann.engine.exclusively(() => ann.engine.indexPaths(['a/b/c/d']))
  expect(ann.database.trees.localPage({ limit: 10 }).map(({ state }) => state.path)).toEqual(['a'])
})
