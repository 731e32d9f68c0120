/** The routes of a live instance, with their shapes and statuses, as another program meets them. */
import { mkdir } from 'node:fs/promises'
import { request } from 'node:http'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { FileView, Page } from '../../src/instance/instance.ts'
import { startWebdavServer } from '../../src/webdav-server/webdav-server.ts'
import { Bench, type Served } from '../support/process.ts'
import { startProxy, type TestProxy } from '../support/proxy.ts'

let bench: Bench
let server: { readonly url: string; close(): Promise<void> }
let proxy: TestProxy
let anna: Served

beforeAll(async () => {
  bench = await Bench.make()
  await mkdir(bench.path('dav'))
  server = await startWebdavServer({ root: bench.path('dav'), port: 0 })
  proxy = await startProxy(server.url)
  await bench.write('a/one.txt', 'one')
  await bench.write('a/sub/two.txt', 'two')
  const common = ['--create', '--remote', `${proxy.url}/team`, '--instance', 'anna', '--mode', 'manual']
  anna = await bench.serve('a', ...common)
  expect(await anna.sync()).toMatchObject({ outcome: 'in-sync', version: 1, uploaded: 2 })
})
afterAll(async () => {
  await bench.clear()
  await proxy.stop()
  await server.close()
})

const list = async (query: string) => (await anna.call<Page<FileView>>('GET', `/files${query}`)).body.items

it('the status asks the remote nothing, and every prefix leads to it', async () => {
  const before = proxy.count()
  for (const prefix of ['', '/api', '/api/v1']) {
    const { status, body } = await anna.call('GET', `${prefix}/sync/status`)
    expect([status, body]).toMatchObject([
      200,
      { state: 'idle', mode: 'manual', localVersion: 1, remoteVersion: 1, pending: 0, files: 2, lock: {} },
    ])
  }
  expect(proxy.count()).toBe(before)
})

it('whoever has no token, another host or another origin is refused with a problem document', async () => {
  const calls = [
    [401, { headers: { authorization: '' } }],
    [401, { headers: { authorization: 'Bearer wrong' } }],
    [403, { headers: { origin: 'https://evil.example' } }],
  ] as const
  for (const [status, call] of calls) {
    const answer = await anna.call('GET', '/sync/status', call)
    expect([answer.status, answer.body]).toMatchObject([status, { status, code: expect.any(String) }])
    expect(answer.headers.get('content-type')).toBe('application/problem+json')
  }
  const rebound = await new Promise<number | undefined>((resolve, reject) => {
    const headers = { host: 'evil.example', authorization: `Bearer ${anna.token}` }
    request(`${anna.url}/sync/status`, { headers }, (response) => resolve(response.resume().statusCode))
      .on('error', reject)
      .end()
  })
  expect(rebound).toBe(403)
  expect((await anna.call('GET', '/health/live', { headers: { authorization: '' } })).status).toBe(200)
})

it('runs are started, waited for and paged', async () => {
  const started = await anna.call<{ runId: string }>('POST', '/sync', { json: {} })
  expect([started.status, started.body]).toMatchObject([202, { runId: expect.any(String) }])
  await anna.sync()
  const run = await anna.call('GET', `/sync/runs/${started.body.runId}`)
  expect(run.body).toMatchObject({ runId: started.body.runId, outcome: 'in-sync', phases: {} })
  const first = await anna.call<Page<object>>('GET', '/sync/runs?limit=1')
  const next = await anna.call<Page<object>>('GET', `/sync/runs?limit=1&cursor=${first.body.nextCursor}`)
  expect([first.body.items.length, next.body.items.length]).toEqual([1, 1])
  expect(next.body.items).not.toEqual(first.body.items)
  expect((await anna.call('GET', '/sync/runs/nothing')).status).toBe(404)
  expect((await anna.call('POST', '/sync', { json: { fast: true } })).status).toBe(400)
})

it('files are listed by filters, and edited under If-Match', async () => {
  expect((await list('?prefix=sub/')).map(({ path }) => path)).toEqual(['sub/two.txt'])
  const [one] = await list('?path=one.txt')
  const { id = '', revision = '' } = one ?? {}
  const match = { 'if-match': `"${revision}"` }
  const labelled = await anna.call<FileView>('PATCH', `/files/${id}/metadata`, {
    ...{ headers: { ...match, 'content-type': 'application/merge-patch+json' } },
    body: JSON.stringify({ labels: ['draft'] }),
  })
  expect([labelled.status, labelled.body.metadata]).toEqual([200, { labels: ['draft'] }])
  const stale = await anna.call('PATCH', `/files/${id}/metadata`, { json: { x: 1 }, headers: match })
  expect(stale.status).toBe(412)
  expect((await list('?label=draft')).map(({ path }) => path)).toEqual(['one.txt'])
  expect((await list('?status=pending')).map(({ path }) => path)).toEqual(['one.txt'])

  const put = await anna.call<FileView>('PUT', '/files/content/deep/new%20file.txt', { body: 'new' })
  expect([put.status, put.body.path]).toEqual([201, 'deep/new file.txt'])
  expect((await anna.call('GET', `/files/${put.body.id}/content`)).text).toBe('new')
  const moved = await anna.call<FileView>('POST', `/files/${put.body.id}/move`, { json: { path: 'm.txt' } })
  expect([moved.status, moved.body.path, bench.has('a/m.txt')]).toEqual([200, 'm.txt', true])
  expect((await anna.call('PUT', '/files/content/%2e%2e%2fout.txt', { body: 'x' })).status).toBe(400)
  await anna.sync()
  const [current] = await list('?path=m.txt')
  expect((await anna.call('DELETE', `/files/${current?.id}`)).status).toBe(200)
  expect(bench.has('a/m.txt')).toBe(false)
  expect(await anna.sync()).toMatchObject({ outcome: 'in-sync', deleted: 1 })
  expect((await list('?deleted=true')).map(({ path }) => path)).toEqual(['m.txt'])
  for (const path of ['/files/nothing', '/files/nothing/content', '/sync/conflicts/nothing']) {
    expect([path, (await anna.call('GET', path)).status]).toEqual([path, 404])
  }
  const resolve = await anna.call('POST', '/sync/conflicts/nothing/resolve', { json: { strategy: 'local' } })
  expect(resolve.status).toBe(404)
})
