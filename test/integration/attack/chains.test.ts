import fs from 'node:fs'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createReplicas, type Replicas } from '../../support/replicas.ts'

let replicas: Replicas
beforeEach(() => {
  replicas = createReplicas()
})
afterEach(() => replicas.close())

const nameOf = (index: number) => `p${String(index).padStart(3, '0')}.txt`

test('a long chain of renames is committed in several changesets when one cannot hold it', async () => {
  const a = await replicas.open('a')
  const count = 90
  for (let index = 0; index < count; index++) a.files.write(nameOf(index), `content ${index}`)
  await a.sync()
  for (let index = 0; index < count; index++) {
    const row = a.database.trees.localAt(nameOf(index))
    if (row === null) throw new Error('no row')
    const metadata = { note: `${index} ${'x'.repeat(60_000)}` }
    a.database.trees.putLocal({ ...row, state: { ...row.state, metadata } })
  }
  await a.sync()
  const ids = Array.from({ length: count }, (_, index) => a.database.trees.remoteAt(nameOf(index))?.id)
  for (let index = count - 1; index >= 0; index--) {
    fs.renameSync(a.files.at(nameOf(index)), a.files.at(nameOf(index + 1)))
  }
  await a.sync()
  expect(a.database.trees.counts().pending).toBe(0)
  for (let index = 0; index < count; index++) {
    expect(a.database.trees.remoteAt(nameOf(index + 1))?.id).toBe(ids[index])
  }
})

test('a dry run where there is no store makes none', async () => {
  const a = await replicas.open('a')
  a.files.write('x.txt', 'x')
  const before = [...replicas.dav.files.keys()]
  await a.sync({}, { dryRun: true }).catch(() => undefined)
  expect([...replicas.dav.files.keys()]).toEqual(before)
})
