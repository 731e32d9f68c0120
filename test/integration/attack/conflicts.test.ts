import fs from 'node:fs'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createReplicas, type Replicas } from '../../support/replicas.ts'

let replicas: Replicas
beforeEach(() => {
  replicas = createReplicas()
})
afterEach(() => replicas.close())

/** `b` holds its own edit in an open conflict with the one that `a` committed. */
async function conflicting() {
  const a = await replicas.open('a')
  const b = await replicas.open('b')
  a.files.write('text.txt', 'base\n')
  a.files.write('other.txt', 'other\n')
  await a.sync()
  await b.sync()
  b.files.write('text.txt', 'the edit of b\n')
  a.files.write('text.txt', 'the edit of a\n')
  await a.sync()
  await b.sync()
  await a.sync()
  expect(a.database.conflicts.count()).toBe(1)
  return { a, b }
}

test('deleting a file that is known to be in conflict resolves it, and keeps every side in the trash or the store', async () => {
  const { a, b } = await conflicting()
  fs.rmSync(a.files.at('text.txt'))
  await a.sync()
  await b.sync()
  await a.sync()
  expect(b.tree()).toEqual({ 'other.txt': 'other\n' })
  expect(a.tree()).toEqual(b.tree())
  for (const one of [a, b]) expect(one.database.conflicts.count()).toBe(0)
  const trash = fs.readdirSync(b.files.at('.davit/trash'), { recursive: true, withFileTypes: true })
  const kept = trash.filter((entry) => entry.isFile()).map((entry) => `${entry.parentPath}/${entry.name}`)
  expect(kept.map((file) => fs.readFileSync(file, 'utf8'))).toContain('the edit of b\n')
})

test('a deletion made before the conflict was known here does not take away the side that comes in', async () => {
  const a = await replicas.open('a')
  const b = await replicas.open('b')
  a.files.write('text.txt', 'base\n')
  a.files.write('other.txt', 'other\n')
  await a.sync()
  await b.sync()
  b.files.write('text.txt', 'the edit of b\n')
  a.files.write('text.txt', 'the edit of a\n')
  await a.sync()
  await b.sync()
  // Deleted at a, which has not heard of the conflict.
  fs.rmSync(a.files.at('text.txt'))
  await a.sync()
  await b.sync()
  expect(a.tree()['text.txt']).toBe('the edit of a\n')
  expect(b.tree()['text.txt']).toBe('the edit of b\n')
  expect(a.database.conflicts.count()).toBe(1)
  expect(a.events.map(({ type }) => type)).toContain('file.rescued')
})

test('a conflict whose commit was orphaned by a fork is opened again, and its side is not pushed over the other', async () => {
  const { a, b } = await conflicting()
  const base = b.database.chain.point()
  if (base === null) throw new Error('no head')
  // The store goes back to before the commit that opened the conflict, and somebody commits there: a fork.
  const before = { version: base.version - 1, hash: b.database.chain.hashAt(base.version - 1) ?? '' }
  const head = (point: { version: number; hash: string }) =>
    [...replicas.dav.files.keys()].find((name) => name.includes(`version/`) && name.endsWith(point.hash))
  const name = head(base)
  if (name === undefined) throw new Error('no head in the store')
  const bytes = replicas.dav.files.get(name) as Uint8Array
  replicas.dav.files.delete(name)
  const slash = name.lastIndexOf('/')
  replicas.dav.files.set(
    name.slice(0, slash + 1) +
      name
        .slice(slash + 1)
        .replace(String(base.version), String(before.version))
        .replace(base.hash, before.hash),
    bytes,
  )
  const c = await replicas.open('c')
  c.files.write('new.txt', 'from c\n')
  await c.sync()
  await b.sync()
  await c.sync()
  expect(c.tree()['text.txt']).toBe('the edit of a\n')
  expect(b.tree()['text.txt']).toBe('the edit of b\n')
  expect(b.database.conflicts.count()).toBe(1)
  expect(a.tree()['text.txt']).toBe('the edit of a\n')
})

test('a conflict closes by itself when its side is given up for the committed one', async () => {
  const { a, b } = await conflicting()
  b.files.write('text.txt', 'the edit of a\n')
  await b.sync()
  await a.sync()
  expect(b.database.conflicts.count()).toBe(0)
  expect(a.database.conflicts.count()).toBe(0)
})

test('a conflict closes although the commit of the deletion that resolves it was lost at first', async () => {
  const { a, b } = await conflicting()
  fs.rmSync(b.files.at('text.txt'))
  b.onRequest = ({ method }) => {
    if (method === 'MOVE') throw new Error('the line is cut')
  }
  await expect(b.sync()).rejects.toThrow('the line is cut')
  b.onRequest = () => undefined
  a.files.write('more.txt', 'more\n')
  await a.sync()
  await b.sync()
  await a.sync()
  for (const one of [a, b]) {
    expect(one.tree()['text.txt']).toBeUndefined()
    expect(one.database.conflicts.count()).toBe(0)
  }
})
