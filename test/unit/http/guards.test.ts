import { Hono } from 'hono'
import { describe, expect, it } from 'vitest'
import { createApp } from '../../../src/http/app.ts'
import { checkHost, checkOrigin } from '../../../src/http/request-origin.ts'
import { anApi, token } from '../../support/api.ts'
import { aConflict, aFile, FakeInstance } from '../../support/fake-instance.ts'
import { ManualClock } from '../../support/manual-clock.ts'

const file = `/files/${aFile().id}`
const conflict = `/sync/conflicts/${aConflict().id}`

/** Every route but health, with a body that it accepts. */
const routes: [method: string, path: string, json?: unknown][] = [
  ['POST', '/sync', {}],
  ['POST', '/sync/trigger', {}],
  ['POST', '/sync/full', {}],
  ['POST', '/sync/incremental', {}],
  ['POST', '/sync/recover', { choice: 'adopt' }],
  ['POST', '/sync/verify', {}],
  ['GET', '/sync/status'],
  ['GET', '/sync/runs'],
  ['GET', '/sync/runs/run-1'],
  ['GET', '/sync/scheduler'],
  ['PATCH', '/sync/scheduler', { mode: 'manual' }],
  ['GET', '/sync/conflicts'],
  ['GET', conflict],
  ['GET', `${conflict}/content/base`],
  ['POST', `${conflict}/resolve`, { strategy: 'local' }],
  ['POST', '/sync/resolve-conflict', { id: aConflict().id, strategy: 'local' }],
  ['GET', '/files'],
  ['GET', file],
  ['GET', `${file}/content`],
  ['PUT', '/files/content/notes/new.md', 'text'],
  ['DELETE', file],
  ['POST', `${file}/move`, { path: 'b.md' }],
  ['PATCH', `${file}/metadata`, { labels: ['x'] }],
  ['GET', '/problems'],
  ['GET', '/sse'],
  ['GET', '/sse/subscribe'],
]
const prefixes = ['', '/api', '/api/v1']

const refusals: readonly (readonly [string, number, Record<string, string>])[] = [
  ['no token', 401, { authorization: '' }],
  ['a wrong token', 401, { authorization: 'Bearer nonsense' }],
  ['the token by another scheme', 401, { authorization: `Basic ${token}` }],
  ['a foreign host', 403, { host: 'evil.example' }],
  ['a foreign host that starts like ours', 403, { host: 'localhost.evil.example' }],
  ['a foreign origin', 403, { origin: 'https://evil.example' }],
  ['a null origin', 403, { origin: 'null' }],
  ['an origin on another port', 403, { origin: 'http://localhost:9999' }],
]

describe.each(refusals)('%s', (_name, status, headers) => {
  it.each(routes)('is refused by %s %s and changes nothing', async (method, path, json) => {
    for (const prefix of prefixes) {
      const { call, instance } = anApi()
      const response = await call(prefix + path, { method, headers, ...(json === undefined ? {} : { json }) })
      expect(response.status).toBe(status)
      expect(response.headers.get('content-type')).toBe('application/problem+json')
      expect(await response.json()).toMatchObject({ status, title: expect.any(String) })
      expect(instance.calls).toEqual([])
      expect(instance.listeners.size).toBe(0)
    }
  })
})

describe('a body that is not declared as JSON', () => {
  const withBody = routes.filter(([method]) => method !== 'GET' && method !== 'PUT')
  it.each(withBody)('is refused by %s %s and changes nothing', async (method, path, json) => {
    const types = ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x', '']
    for (const type of types) {
      const { call, instance } = anApi()
      const body = new Blob([JSON.stringify(json ?? {})]).stream()
      const response = await call(path, { method, body, headers: { 'content-type': type } })
      expect(response.status).toBe(415)
      expect(instance.calls).toEqual([])
    }
  })

  it('is JSON also with a charset or as a merge patch', async () => {
    const { call } = anApi()
    for (const type of ['application/json; charset=utf-8', 'application/merge-patch+json']) {
      const response = await call(`${file}/metadata`, {
        method: 'PATCH',
        body: '{"labels":["x"]}',
        headers: { 'content-type': type },
      })
      expect(response.status).toBe(200)
    }
  })
})

describe('every route', () => {
  it.each(routes)('%s %s answers the same under each prefix', async (method, path, json) => {
    const answers = []
    for (const prefix of prefixes) {
      const { call } = anApi()
      const response = await call(prefix + path, { method, ...(json === undefined ? {} : { json }) })
      expect(response.status).toBeLessThan(300)
      expect(response.headers.get('x-content-type-options')).toBe('nosniff')
      expect(response.headers.get('cache-control')).toBe('no-store')
      if (path.startsWith('/sse')) await response.body?.cancel()
      else answers.push([response.status, await response.text()])
    }
    for (const answer of answers) expect(answer).toEqual(answers[0])
  })

  it('refuses a body with an unknown key', async () => {
    for (const [method, path, json] of routes) {
      if (method === 'GET' || method === 'PUT' || path.endsWith('/metadata')) continue
      const { call, instance } = anApi()
      const body = { ...(json as object), surprise: 1 }
      const response = await call(path, { method, json: body })
      expect([path, response.status]).toEqual([path, 400])
      expect(instance.calls).toEqual([])
    }
  })

  it('takes our own origin', async () => {
    const { call } = anApi()
    const own = { host: 'davit.example.org', origin: 'https://davit.example.org' }
    expect((await call('/sync', { method: 'POST', headers: own })).status).toBe(202)
  })
})

describe('health', () => {
  it('needs no token but is refused to foreign hosts', async () => {
    const { call } = anApi()
    for (const path of ['/health/live', '/api/health/live', '/api/v1/health/ready']) {
      expect((await call(path, { headers: { authorization: '' } })).status).toBe(200)
      expect((await call(path, { headers: { host: 'evil.example' } })).status).toBe(403)
    }
  })
})

describe('the host check', () => {
  const isRefused = (host: string, allowed: string[], port: number | null) => {
    try {
      checkHost(host, allowed, port)
      return false
    } catch {
      return true
    }
  }
  it('takes loopback names with the port that is served', () => {
    for (const host of ['localhost:7410', '127.0.0.1:7410', '[::1]:7410']) {
      expect(isRefused(host, [], 7410)).toBe(false)
      expect(isRefused(host, [], 7411)).toBe(true)
    }
    expect(isRefused('localhost', [], 80)).toBe(false)
    expect(isRefused('127.0.0.1.nip.example:7410', [], 7410)).toBe(true)
  })
  it('takes configured names, with their port where they state one', () => {
    expect(isRefused('nas.local:1234', ['nas.local'], 7410)).toBe(false)
    expect(isRefused('NAS.local', ['nas.local'], 7410)).toBe(false)
    expect(isRefused('nas.local:1234', ['nas.local:443'], 7410)).toBe(true)
    expect(isRefused('[fd00::1]:7410', ['fd00::1'], 7410)).toBe(false)
  })
  it('takes bare addresses, never names, where all addresses are served', () => {
    expect(isRefused('192.0.2.7:7410', ['0.0.0.0'], 7410)).toBe(false)
    expect(isRefused('rebound.example:7410', ['0.0.0.0'], 7410)).toBe(true)
  })
  it('refuses what is no host', () => {
    for (const host of ['', 'localhost/', 'evil@localhost', 'localhost#', 'a b']) {
      expect(isRefused(host, [], null)).toBe(true)
    }
  })
  it('refuses origins that only look like ours', () => {
    for (const origin of ['null', '', 'file://', 'http://localhost:7410.evil.example', 'https://localhost']) {
      expect(() => checkOrigin(origin, 'localhost:7410')).toThrow()
    }
    expect(() => checkOrigin('http://localhost:7410', 'localhost:7410')).not.toThrow()
  })
})

describe('an app without a token', () => {
  it('is not made', () => {
    const make = () =>
      createApp({ instance: () => new FakeInstance(), token: '', allowedHosts: [], clock: new ManualClock() })
    expect(make).toThrow('token is empty')
  })
})

describe('mounted in another app', () => {
  const mounted = () => {
    const instance = new FakeInstance()
    const app = createApp({
      instance: () => instance,
      token,
      allowedHosts: 'mounted',
      clock: new ManualClock(),
    })
    const host = new Hono()
    host.get('/', (c) => c.text('the host'))
    host.route('/davit', app)
    return { host, instance }
  }
  const headers = { authorization: `Bearer ${token}`, host: 'app.example.org' }

  it('answers below its folder, with its own errors, and leaves the rest alone', async () => {
    const { host } = mounted()
    expect(await (await host.request('/')).text()).toBe('the host')
    expect((await host.request('/davit/sync/status', { headers })).status).toBe(200)
    const refused = await host.request('/davit/api/v1/sync/status')
    expect([refused.status, refused.headers.get('content-type')]).toEqual([401, 'application/problem+json'])
    expect((await host.request('/davit/nothing', { headers })).status).toBe(404)
  })

  it('finds the path of an upload', async () => {
    const { host, instance } = mounted()
    const path = '/davit/api/files/content/files/content/a%20b.md'
    const response = await host.request(path, { method: 'PUT', headers, body: 'x' })
    expect(response.status).toBe(201)
    expect(instance.calls).toEqual([['put', { path: 'files/content/a b.md', text: 'x' }]])
  })
})
