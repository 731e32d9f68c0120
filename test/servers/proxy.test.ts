import { readdir } from 'node:fs/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Dav, davClient } from '../support/dav.ts'
import { htmlPage, startProxy, type TestProxy } from '../support/proxy.ts'
import { type RunningServer, startServer } from '../support/servers.ts'

describe('the test proxy', () => {
  let server: RunningServer
  let proxy: TestProxy
  let dav: Dav

  beforeEach(async () => {
    server = await startServer('embedded')
    proxy = await startProxy(server.url)
    dav = davClient(proxy.url)
    await dav('PUT', '/f', { body: 'content' })
    proxy.forget()
  })

  afterEach(async () => {
    await proxy.stop()
    await server.stop()
  })

  it('counts requests and bytes as the client sees them', async () => {
    await dav('PUT', '/a%20b', { body: '12345' })
    await dav('GET', '/f')
    await dav('HEAD', '/f')
    expect(proxy.log).toEqual([
      { method: 'PUT', path: '/a b', status: 201, requestBytes: 5, responseBytes: 0 },
      { method: 'GET', path: '/f', status: 200, requestBytes: 0, responseBytes: 7 },
      { method: 'HEAD', path: '/f', status: 200, requestBytes: 0, responseBytes: 0 },
    ])
    expect([proxy.count(), proxy.count('GET'), proxy.bytes()]).toEqual([3, 1, { sent: 5, received: 7 }])
  })

  it('gives the server its own host and base path in a Destination, absolute or not', async () => {
    await dav('MKCOL', '/base')
    const below = await startProxy(`${server.url}/base/`)
    try {
      const client = davClient(below.url)
      await client('PUT', '/one', { body: '1' })
      const move = (from: string, destination: string) => client('MOVE', from, { headers: { destination } })
      expect((await move('/one', `${below.url}/two`)).status).toBe(201)
      expect((await move('/two', '/three')).status).toBe(201)
      expect((await move('/three', 'http://elsewhere.example/four')).status).toBe(502)
      expect((await dav('GET', '/base/three')).text).toBe('1')
    } finally {
      await below.stop()
    }
  })

  it('spoils the requests that a rule names, after so many, so often', async () => {
    const answer = { kind: 'answer', status: 503, headers: { 'retry-after': '7' }, body: 'busy' } as const
    proxy.spoil({ method: 'GET', path: /^\/f$/, after: 1, times: 2, fault: answer })
    const statuses: number[] = []
    for (let round = 0; round < 4; round++) statuses.push((await dav('GET', '/f')).status)
    expect(statuses).toEqual([200, 503, 503, 200])
    const take = proxy.spoil({ fault: htmlPage })
    expect((await dav('PUT', '/f', { body: 'x' })).text).toContain('Please log in')
    take()
    expect((await dav('GET', '/f')).text).toBe('content')
  })

  it('cuts bodies on either way', async () => {
    proxy.spoil({ method: 'PUT', fault: { kind: 'cut-request', bytes: 3 } })
    proxy.spoil({ method: 'GET', fault: { kind: 'cut-response', bytes: 3 } })
    await expect(dav('PUT', '/f', { body: 'replaced' })).rejects.toThrow()
    await expect(dav('GET', '/f')).rejects.toThrow()
    expect(proxy.log.map((entry) => [entry.status, entry.responseBytes])).toEqual([
      [0, 0],
      [200, 3],
    ])
    proxy.heal()
    expect((await dav('GET', '/f')).text).toBe('content')
  })

  it('drops the reply after the effect, or the request before it', async () => {
    proxy.spoil({ path: /kept/, fault: { kind: 'drop-reply' } })
    proxy.spoil({ path: /lost/, fault: { kind: 'drop-request' } })
    await expect(dav('PUT', '/kept', { body: 'x' })).rejects.toThrow()
    await expect(dav('PUT', '/lost', { body: 'x' })).rejects.toThrow()
    expect((await readdir(server.dataFolder)).sort()).toEqual(['f', 'kept'])
  })

  it('does a request twice and tells of the second or the first time', async () => {
    proxy.spoil({ path: /second/, fault: { kind: 'duplicate' } })
    proxy.spoil({ path: /first/, fault: { kind: 'replay' } })
    expect((await dav('MKCOL', '/second')).status).toBe(405)
    expect((await dav('MKCOL', '/first')).status).toBe(201)
  })

  it('hangs until the client gives up', async () => {
    proxy.spoil({ method: 'GET', fault: { kind: 'hang' } })
    const given = AbortSignal.timeout(50)
    await expect(fetch(`${proxy.url}/f`, { signal: given })).rejects.toThrow('timeout')
  })

  it('delays, gzips unasked and serves stale contents', async () => {
    proxy.spoil({ method: 'HEAD', fault: { kind: 'delay', ms: 1 } })
    expect((await dav('HEAD', '/f')).status).toBe(200)
    proxy.spoil({ method: 'GET', times: 1, fault: { kind: 'gzip' } })
    const zipped = await dav('GET', '/f')
    expect([zipped.headers.get('content-encoding'), zipped.text]).toEqual(['gzip', 'content'])
    proxy.spoil({ method: 'GET', fault: { kind: 'cache' } })
    await dav('GET', '/f')
    await dav('PUT', '/f', { body: 'newer' })
    expect((await dav('GET', '/f')).text).toBe('content')
    proxy.heal()
    expect((await dav('GET', '/f')).text).toBe('newer')
  })

  it('lets a part stay that looks whole to the server', async () => {
    proxy.spoil({ method: 'PUT', fault: { kind: 'keep-torso', bytes: 3 } })
    await expect(dav('PUT', '/f', { body: 'replaced' })).rejects.toThrow()
    expect((await dav('GET', '/f')).text).toBe('rep')
  })

  it('refuses bodies beyond a limit', async () => {
    proxy.spoil({ method: 'PUT', fault: { kind: 'body-limit', bytes: 5 } })
    expect((await dav('PUT', '/f', { body: '123456' })).status).toBe(413)
    expect((await dav('GET', '/f')).text).toBe('content')
    expect((await dav('PUT', '/f', { body: '12345' })).status).toBe(204)
  })

  it('spoils every so-manieth request only', async () => {
    proxy.spoil({ method: 'GET', after: 1, every: 3, fault: { kind: 'answer', status: 503 } })
    const statuses: number[] = []
    for (let round = 0; round < 8; round++) statuses.push((await dav('GET', '/f')).status)
    expect(statuses).toEqual([200, 200, 200, 503, 200, 200, 503, 200])
  })

  it.each([true, false])('is a cache of contents, lengths, listings and 404s; obeying: %s', async (obeys) => {
    proxy.spoil({ fault: { kind: 'shared-cache', obeys } })
    const look = async (headers: Record<string, string>) => [
      (await dav('GET', '/f', { headers })).text,
      (await dav('HEAD', '/f', { headers })).headers.get('content-length'),
      (await dav('GET', '/g', { headers })).status,
      (await dav('PROPFIND', '/', { headers: { depth: '1', ...headers } })).text.includes('/g<'),
    ]
    const before = ['content', '7', 404, false]
    const after = ['newer content', '13', 200, true]
    expect(await look({})).toEqual(before)
    await dav('PUT', '/f', { body: 'newer content' })
    await dav('PUT', '/g', { body: 'new' })
    expect(await look({})).toEqual(before)
    expect(await look({ 'cache-control': 'no-cache' })).toEqual(obeys ? after : before)
    expect(await look({})).toEqual(obeys ? after : before)
  })
})
