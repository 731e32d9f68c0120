import fs from 'node:fs'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createReplicas, type Replicas } from '../../support/replicas.ts'

let replicas: Replicas
beforeEach(() => {
  replicas = createReplicas()
})
afterEach(() => replicas.close())

test('a file that is no longer ignored does not undo what others did to it meanwhile', async () => {
  const a = await replicas.open('a')
  const b = await replicas.open('b')
  a.files.write('plan.txt', 'one\n')
  await a.sync()
  await b.sync()
  b.files.write('.davitignore', 'plan.txt\n')
  // The rule itself stays here: it is ignored, too.
  b.files.write('.davitignore', 'plan.txt\n.davitignore\n')
  await b.sync()
  a.files.write('plan.txt', 'two, with a week of work\n')
  await a.sync()
  await b.sync()
  fs.rmSync(b.files.at('.davitignore'))
  await b.sync()
  await a.sync()
  expect(a.tree()).toEqual({ 'plan.txt': 'two, with a week of work\n' })
})

test('a file that is deleted and made anew between two looks keeps its metadata', async () => {
  const a = await replicas.open('a')
  a.files.write('note.txt', 'one\n')
  await a.sync()
  const id = a.database.trees.localAt('note.txt')?.id ?? ''
  const row = a.database.trees.triple(id).local
  if (row === null) throw new Error('no row')
  a.database.trees.putLocal({ ...row, state: { ...row.state, metadata: { labels: ['precious'] } } })
  await a.sync()
  fs.rmSync(a.files.at('note.txt'))
  // A tool saves by deleting first; the look falls in between, and the commit after it.
  a.onRequest = () => {
    a.onRequest = () => undefined
    a.files.write('note.txt', 'two\n')
  }
  await a.sync()
  await a.sync()
  const after = a.database.trees.remoteAt('note.txt')
  expect(after?.id).toBe(id)
  expect(after?.state.metadata).toEqual({ labels: ['precious'] })
})

test('a folder that was moved away and replaced by a link is not deleted elsewhere', async () => {
  const a = await replicas.open('a')
  const b = await replicas.open('b')
  for (let index = 0; index < 5; index++) a.files.write(`docs/${index}.txt`, `content ${index}`)
  await a.sync()
  await b.sync()
  fs.renameSync(a.files.at('docs'), a.files.at('.davit/elsewhere'))
  fs.symlinkSync(a.files.at('.davit/elsewhere'), a.files.at('docs'))
  await a.sync()
  await b.sync()
  expect(Object.keys(b.tree())).toHaveLength(5)
})
