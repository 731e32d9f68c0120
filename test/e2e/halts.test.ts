/** Disks that come and go, stores that are emptied or swapped: halt, delete nothing, go on when the world is back. */
import { cp, mkdir, rename, rm } from 'node:fs/promises'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { startWebdavServer } from '../../src/webdav-server/webdav-server.ts'
import { Bench, filesOf, type Served, until } from '../support/process.ts'

let bench: Bench
let server: { readonly url: string; close(): Promise<void> }
let anna: Served
const files = Object.fromEntries(Array.from({ length: 15 }, (_, i) => [`notes/${i}.md`, `note ${i}`]))

const remote = () => `${server.url}/team`

beforeEach(async () => {
  bench = await Bench.make()
  await mkdir(bench.path('dav'))
  server = await startWebdavServer({ root: bench.path('dav'), port: 0 })
  for (const [path, text] of Object.entries(files)) await bench.write(`a/${path}`, text)
})
afterEach(async () => {
  await bench.clear()
  await server.close()
})

async function serveAnna(): Promise<void> {
  // Little patience, so that what fails is told soon and tried again soon.
  await bench.write(
    'davit.yml',
    `{instance: anna, workspace: a, remote: {url: "${remote()}"}, sync: {poll: 200ms, retry: {attempts: 1, max: 500ms}}}`,
  )
  anna = await bench.serve('a', '--create', '--config', 'davit.yml')
  expect(await anna.sync()).toMatchObject({ outcome: 'in-sync', version: 1 })
}

const state = async () => (await anna.status()).state
const halted = async (code: string) => {
  const { state, lastError } = await anna.status()
  return state === 'halted' && lastError?.code === code
}

it('a workspace that vanishes under a running instance halts it, and goes on when it is back', async () => {
  await serveAnna()
  await rename(bench.path('a'), bench.path('away'))
  await until(async () => (await state()) === 'halted', 'the halt')
  expect(await anna.sync()).toMatchObject({ outcome: 'halted', deleted: 0 })
  await mkdir(bench.path('a'))
  expect(await anna.sync()).toMatchObject({ outcome: 'halted', deleted: 0 })
  await rm(bench.path('a'), { recursive: true })
  await rename(bench.path('away'), bench.path('a'))
  await until(async () => (await state()) === 'idle', 'going on by itself')
  expect(await filesOf(bench.path('a'))).toEqual(files)
  await bench.write('a/notes/0.md', 'edited after')
  await until(async () => (await anna.status()).localVersion === 2, 'the next commit')
})

it('with its state elsewhere, an emptied workspace is exit 4 with what to do, and nothing is deleted', async () => {
  const common = ['--workspace', 'a', '--state', 'state', '--remote', remote(), '--json']
  const first = await bench.run(['sync', '--create', ...common])
  expect(first.code, first.stderr).toBe(0)
  const store = await filesOf(bench.path('dav'))
  await rename(bench.path('a'), bench.path('away'))
  const gone = await bench.run(['sync', '--json', '--state', 'state'])
  expect([gone.code, gone.json()]).toMatchObject([4, { code: 'workspace-vanished' }])
  await mkdir(bench.path('a'))
  const empty = await bench.run(['sync', '--json', '--state', 'state'])
  expect([empty.code, empty.json()]).toMatchObject([4, { error: { code: 'workspace-replaced' } }])
  const forced = await bench.run(['sync', '--force', '--state', 'state'])
  expect([forced.code, forced.stderr]).toEqual([4, expect.stringMatching(/\n.+\n/)])
  expect(await filesOf(bench.path('dav'))).toEqual(store)
  await rm(bench.path('a'), { recursive: true })
  await rename(bench.path('away'), bench.path('a'))
  expect((await bench.run(['sync', '--state', 'state'])).code).toBe(0)
})

it('a wiped workspace stops at the guard, and force lets the deletions through', async () => {
  await serveAnna()
  await rm(bench.path('a/notes'), { recursive: true })
  await until(() => halted('deletion-guard'), 'the guard')
  const { lastError } = await anna.status()
  expect(`${lastError?.message} ${lastError?.hint}`).toMatch(/15.*--force/s)
  const sync = await bench.run(['sync', '--config', 'davit.yml'])
  expect([sync.code, sync.stderr]).toEqual([4, expect.stringContaining('--force')])
  const forced = await bench.run(['sync', '--force', '--json', '--config', 'davit.yml'])
  expect([forced.code, forced.json()]).toMatchObject([0, { deleted: 15 }])
})

it('an emptied store halts; coming back it goes on by itself; republish gives it everything again', async () => {
  await serveAnna()
  await rename(bench.path('dav/team'), bench.path('kept'))
  await mkdir(bench.path('dav/team'))
  await until(() => halted('remote-missing'), 'the halt')
  expect(await filesOf(bench.path('a'))).toEqual(files)
  await rm(bench.path('dav/team'), { recursive: true })
  await rename(bench.path('kept'), bench.path('dav/team'))
  await until(async () => (await state()) === 'idle', 'going on by itself')

  await rm(bench.path('dav/team'), { recursive: true })
  await mkdir(bench.path('dav/team'))
  await until(() => halted('remote-missing'), 'the second halt')
  const recovered = await anna.call('POST', '/sync/recover', { json: { choice: 'republish' } })
  expect([recovered.status, recovered.body], recovered.text).toMatchObject([200, { outcome: 'in-sync' }])
  expect(await filesOf(bench.path('a'))).toEqual(files)
  const other = await bench.run(['sync', '--create', '--workspace', 'b', '--remote', remote()])
  expect(other.code, other.stderr).toBe(0)
  expect(await filesOf(bench.path('b'))).toEqual(files)
  expect((await anna.call('POST', '/sync/recover', { json: { choice: 'maybe' } })).status).toBe(400)
})

it('another store in its place halts, and adopt joins it with everything kept', async () => {
  await serveAnna()
  await bench.write('o/other.md', 'of the other store')
  await bench.run(['sync', '--create', '--workspace', 'o', '--remote', `${server.url}/other`])
  await rm(bench.path('dav/team'), { recursive: true })
  await cp(bench.path('dav/other'), bench.path('dav/team'), { recursive: true })
  await until(() => halted('remote-foreign'), 'the halt')
  const sync = await bench.run(['sync', '--config', 'davit.yml'])
  expect([sync.code, sync.stderr]).toEqual([4, expect.stringContaining('davit recover adopt')])
  const adopt = await bench.run(['recover', 'adopt', '--json', '--config', 'davit.yml'])
  expect([adopt.code, adopt.json()], adopt.stdout).toMatchObject([0, { outcome: 'in-sync' }])
  expect(await filesOf(bench.path('a'))).toEqual({ ...files, 'other.md': 'of the other store' })
})

it('a server that goes away and comes back is told, and exit 5 while it is away', async () => {
  await serveAnna()
  const port = Number(new URL(server.url).port)
  await server.close()
  await bench.write('a/meanwhile.md', 'written while it was away')
  const sync = await bench.run(['sync', '--json', '--config', 'davit.yml'])
  expect([sync.code, sync.json()]).toMatchObject([5, { outcome: 'unreachable' }])
  expect(await state()).toBe('unreachable')
  server = await startWebdavServer({ root: bench.path('dav'), port })
  await until(async () => (await anna.status()).localVersion === 2, 'going on by itself')
  expect(await state()).toBe('idle')
})
