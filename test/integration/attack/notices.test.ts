import fs from 'node:fs'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createReplicas, type Replica, type Replicas } from '../../support/replicas.ts'

let replicas: Replicas
beforeEach(() => {
  replicas = createReplicas()
})
afterEach(() => replicas.close())

/** Three instances that agree on one file, and are asked afterwards which rules they were told of. */
async function three() {
  const all = [await replicas.open('a'), await replicas.open('b'), await replicas.open('c')] as const
  all[0].files.write('text.txt', 'base\n')
  all[0].files.write('other.txt', 'other\n')
  for (const one of all) await one.sync()
  return all
}

const rulesTold = (one: Replica) =>
  one.events.flatMap(({ type, data }) => (type === 'file.rescued' ? [data['rule']] : []))

test('an edit that wins over an earlier deletion is told on every instance, once', async () => {
  const [a, b, c] = await three()
  fs.rmSync(a.files.at('text.txt'))
  b.files.write('text.txt', 'edited at b\n')
  for (const one of [a, b, a, c, b]) await one.sync()
  for (const one of [a, b, c]) {
    expect(one.tree()['text.txt']).toBe('edited at b\n')
    expect(rulesTold(one)).toEqual(['R7-edit-wins-recommit'])
  }
})

test('an edit that wins over a later deletion is told on every instance, once', async () => {
  const [a, b, c] = await three()
  b.files.write('text.txt', 'edited at b\n')
  fs.rmSync(a.files.at('text.txt'))
  for (const one of [b, a, b, c, a]) await one.sync()
  for (const one of [a, b, c]) {
    expect(one.tree()['text.txt']).toBe('edited at b\n')
    expect(rulesTold(one)).toEqual(['R6-edit-wins-restore'])
  }
})

test('of two renames the committed one wins, and every instance is told, once', async () => {
  const [a, b, c] = await three()
  fs.renameSync(a.files.at('text.txt'), a.files.at('named by a.txt'))
  fs.renameSync(b.files.at('text.txt'), b.files.at('named by b.txt'))
  for (const one of [a, b, a, c, b]) await one.sync()
  for (const one of [a, b, c]) {
    expect(Object.keys(one.tree()).sort()).toEqual(['named by a.txt', 'other.txt'])
    expect(rulesTold(one)).toEqual(['R9-committed-path-wins'])
  }
})
