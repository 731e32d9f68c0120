/** Folders whose last file goes, or that get their first one, while the watcher reports single files only. */
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { type RealInstance, type RealInstances, realInstances } from '../support/real-instances.ts'
import { type RunningServer, startServer } from '../support/servers.ts'

let server: RunningServer
let instances: RealInstances
let one: RealInstance

beforeEach(async () => {
  server = await startServer('embedded')
  instances = realInstances()
  one = await instances.open('one', `${server.url}/store`, { watch: true })
})

afterEach(async () => {
  await instances.close()
  await server.stop()
})

function entries(): string[] {
  return one.instance.files.list({}).items.map(({ kind, path }) => `${kind} ${path}`)
}

async function isVerified(): Promise<boolean> {
  return (await one.instance.verify({})).discrepancies.length === 0
}

it('a folder that lost its last file is replicated as an empty one, and no longer once it has a file again', async () => {
  mkdirSync(join(one.folder, 'a/b'), { recursive: true })
  writeFileSync(join(one.folder, 'a/b/last'), 'last')
  writeFileSync(join(one.folder, 'kept'), 'kept')
  await one.sync()
  expect(entries()).toEqual(['file a/b/last', 'file kept'])
  rmSync(join(one.folder, 'a/b/last'))
  await one.sync()
  expect(entries()).toEqual(['folder a/b', 'file kept'])
  expect(await isVerified()).toBe(true)
  writeFileSync(join(one.folder, 'a/b/first'), 'first')
  await one.sync()
  expect(entries()).toEqual(['file a/b/first', 'file kept'])
  expect(await isVerified()).toBe(true)
})

it('a folder whose last file was moved away is an empty one, and what is removed with its folders leaves the one above empty', async () => {
  mkdirSync(join(one.folder, 'a/b/c'), { recursive: true })
  writeFileSync(join(one.folder, 'a/b/c/file'), 'content')
  await one.sync()
  renameSync(join(one.folder, 'a/b/c/file'), join(one.folder, 'file'))
  await one.sync()
  expect(entries()).toEqual(['folder a/b/c', 'file file'])
  rmSync(join(one.folder, 'a/b'), { recursive: true })
  await one.sync()
  expect(entries()).toEqual(['folder a', 'file file'])
  expect(await isVerified()).toBe(true)
})
