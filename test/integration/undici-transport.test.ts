import { createHash } from 'node:crypto'
import { inspect } from 'node:util'
import { gzipSync } from 'node:zlib'
import { afterEach, describe, expect, it } from 'vitest'
import { openUndiciTransport, type UndiciTransportOptions } from '../../src/remote/undici-transport.ts'
import { openWebdavRemote } from '../../src/remote/webdav-remote.ts'
import { withRetry } from '../../src/remote/with-retry.ts'
import { sourceOf } from '../support/changesets.ts'
import { bodyOfMessage, serve, type TestServer } from '../support/http-server.ts'
import { createImpatientClock } from '../support/real-clock.ts'
import { createSeededRandom } from '../support/virtual-clock.ts'

const canary = 'pa55-canary:Ä"\\'
const closing: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

async function open(
  handle: Parameters<typeof serve>[0],
  options: Partial<UndiciTransportOptions> = {},
  path = '/dav',
) {
  const server = await serve(handle)
  closing.push(() => server.close())
  return { server, ...connect(server, options, path) }
}

function connect(server: TestServer, options: Partial<UndiciTransportOptions> = {}, path = '/dav') {
  const clock = createImpatientClock()
  const random = createSeededRandom(3)
  const transport = openUndiciTransport({
    url: server.origin + path,
    timeoutMs: 2_000,
    concurrency: 4,
    clock,
    random,
    ...options,
  })
  closing.push(() => transport.close())
  const remote = openWebdavRemote({
    transport,
    clock,
    random,
    instance: () => ({ id: random.uuid(), name: 'test' }),
  })
  return { transport, clock, random, remote }
}

async function errorOf(work: Promise<unknown>) {
  const error: unknown = await work.then(
    () => null,
    (reason: unknown) => reason,
  )
  expect(error).not.toBeNull()
  return error as Error & { code: string; action: string; hint?: string; retryAfterMs?: number }
}

describe('what is sent', () => {
  it('asks for plain bytes past every cache, with a length, a Destination and an Overwrite', async () => {
    const { server, transport } = await open(async (request, response) => {
      await bodyOfMessage(request)
      response.writeHead(201).end()
    })
    await transport.request({ method: 'PUT', name: 'a/b', body: sourceOf(new Uint8Array(100_000)) })
    await transport.request({ method: 'PUT', name: 'a/b', body: sourceOf(new Uint8Array(0)) })
    await transport.request({ method: 'MOVE', name: 'a/b', destination: 'a/c' })
    await transport.request({
      method: 'MOVE',
      name: 'a/b',
      destination: 'a/c',
      destinationForm: 'path',
      overwrite: true,
    })
    const [put, empty, move, other] = server.requests.map((request) => request.headers)
    expect(put).toMatchObject({
      'accept-encoding': 'identity',
      'cache-control': 'no-cache',
      pragma: 'no-cache',
    })
    expect(put).toMatchObject({ 'content-length': '100000' })
    expect(put).not.toHaveProperty('transfer-encoding')
    expect(empty).toMatchObject({ 'content-length': '0' })
    expect(move).toMatchObject({ destination: `${server.origin}/dav/a/c`, overwrite: 'F' })
    expect(other).toMatchObject({ destination: '/dav/a/c', overwrite: 'T' })
    expect(transport.traffic()).toMatchObject({ requests: 4, byMethod: { PUT: 2, MOVE: 2 } })
    expect(transport.traffic().bytesSent).toBeGreaterThan(100_000)
  })

  it('builds on a root with spaces, percent signs and letters of any kind', async () => {
    const { server, transport } = await open(
      (_, response) => void response.writeHead(404).end(),
      {},
      '/my dav/100%/a%20b/Tür/',
    )
    await transport.request({ method: 'HEAD', name: 'version/x' })
    await transport.request({ method: 'PROPFIND', name: '', above: 2, depth: '0' })
    expect(server.requests.map((request) => request.url)).toEqual([
      '/my%20dav/100%25/a%20b/T%C3%BCr/version/x',
      '/my%20dav/100%25/',
    ])
    expect(transport.foldersAbove).toBe(4)
  })

  it('refuses a URL with a query, a fragment or another scheme', () => {
    for (const url of ['ftp://h/a', 'https://h/a?b=c', 'https://h/a#b', 'nonsense']) {
      expect(() =>
        openUndiciTransport({
          url,
          timeoutMs: 1,
          concurrency: 1,
          clock: createImpatientClock(),
          random: createSeededRandom(1),
        }),
      ).toThrowError(expect.objectContaining({ code: 'configuration-invalid' }))
    }
  })
})

describe('timeouts and broken answers', () => {
  it('gives up on a server that never answers, and on one that stops in the middle of a body', async () => {
    const { transport } = await open(
      (request, response) => {
        if (request.url?.endsWith('silent') === true) return
        response.writeHead(200, { 'content-length': '100' })
        response.write('half')
      },
      { timeoutMs: 300 },
    )
    const silent = await errorOf(transport.request({ method: 'GET', name: 'silent' }))
    expect(silent).toMatchObject({ code: 'remote-unreachable', action: 'retry' })
    const response = await transport.request({ method: 'GET', name: 'half' })
    const half = await errorOf(
      (async () => {
        for await (const chunk of response.body) expect(chunk.length).toBeGreaterThan(0)
      })(),
    )
    expect(half).toMatchObject({ code: 'remote-unreachable', action: 'retry' })
  })

  it('says that nothing listens, and ends with the reason of the signal', async () => {
    const server = await serve(() => {})
    await server.close()
    const { transport } = connect(server)
    const refused = await errorOf(transport.request({ method: 'GET', name: 'x' }))
    expect(refused).toMatchObject({ code: 'remote-unreachable', details: { code: 'ECONNREFUSED' } })
    expect(refused.message).toContain(`${server.origin}/dav/x`)
    const stopped = new Error('stopped here')
    const error = await errorOf(
      transport.request({ method: 'GET', name: 'x', signal: AbortSignal.abort(stopped) }),
    )
    expect(error).toBe(stopped)
  })

  it("passes a source's own error through", async () => {
    const { transport } = await open(async (request, response) => {
      await bodyOfMessage(request).catch(() => {})
      response.writeHead(201).end()
    })
    const failure = new Error('the disk is gone')
    const body = {
      size: 10,
      open: async function* () {
        yield new Uint8Array(5)
        throw failure
      },
    }
    expect(await errorOf(transport.request({ method: 'PUT', name: 'x', body }))).toBe(failure)
  })

  it('inflates nothing: a gzip bomb, an HTML page and an endless listing are errors', async () => {
    const bomb = gzipSync(new Uint8Array(64 * 1024 * 1024))
    const { remote } = await open((request, response) => {
      if (request.method === 'GET') response.writeHead(200, { 'content-encoding': 'gzip' }).end(bomb)
      else
        response
          .writeHead(request.method === 'PROPFIND' ? 207 : 200, { 'content-type': 'text/html' })
          .end('<html>Log in</html>')
    })
    const point = { version: 1, hash: 'a'.repeat(64) }
    expect(await errorOf(remote.readChangeset(point))).toMatchObject({
      code: 'remote-unexpected',
      action: 'retry',
    })
    expect(remote.traffic().bytesReceived).toBeLessThan(bomb.length + 2_000)
    expect(await errorOf(remote.check(point))).toMatchObject({ code: 'remote-unexpected' })
    expect(await errorOf(remote.listHeads())).toMatchObject({ code: 'remote-unexpected' })
  })
})

describe('redirects', () => {
  it('are followed for reading within the origin, and not for ever', async () => {
    const { server, transport } = await open((request, response) => {
      if (request.url === '/dav/a') response.writeHead(302, { location: '/other/b' }).end()
      else if (request.url === '/other/b') response.writeHead(200).end('here')
      else response.writeHead(302, { location: request.url }).end()
    })
    expect((await transport.request({ method: 'GET', name: 'a' })).status).toBe(200)
    expect(await errorOf(transport.request({ method: 'GET', name: 'loop' }))).toMatchObject({
      code: 'remote-unexpected',
    })
    expect(server.requests.length).toBeLessThan(10)
  })

  it('are never followed for writing or to another origin, take no credentials along, and name the right URL', async () => {
    const other = await serve((_, response) => void response.writeHead(200).end())
    closing.push(() => other.close())
    const { server, transport } = await open(
      (request, response) => {
        const host = request.method === 'GET' ? other.origin : `http://${request.headers.host}`
        response
          .writeHead(301, {
            location: host.replace('//', '//u:secret@') + (request.url ?? '').replace('/dav', '/new/dav'),
          })
          .end()
      },
      { username: 'anna', password: canary },
    )
    const put = await errorOf(transport.request({ method: 'PUT', name: 'ab/x', body: new Uint8Array(3) }))
    expect(put).toMatchObject({ code: 'remote-unexpected', action: 'ask' })
    expect(put.hint).toContain(`${server.origin}/new/dav/;`)
    const get = await errorOf(transport.request({ method: 'GET', name: 'ab/x' }))
    expect(get.hint).toContain(`${other.origin}/new/dav/`)
    expect(other.requests).toEqual([])
    expect(inspect([put, get], { depth: 10 })).not.toMatch(/pa55|secret/)
  })
})

describe('credentials', () => {
  it('are sent as Basic at once, or as a bearer token, and taken from the URL when they stand there', async () => {
    const { server } = await open((_, response) => void response.writeHead(204).end())
    await connect(server, { username: 'anna', password: canary }).transport.request({
      method: 'GET',
      name: '',
    })
    await connect(server, { token: 'tok' }).transport.request({ method: 'GET', name: '' })
    const inUrl = connect(server, { url: `${server.origin.replace('//', '//anna:p%40ss@')}/dav` }).transport
    await inUrl.request({ method: 'GET', name: '' })
    expect(server.requests.map((request) => request.headers.authorization)).toEqual([
      `Basic ${Buffer.from(`anna:${canary}`).toString('base64')}`,
      'Bearer tok',
      `Basic ${Buffer.from('anna:p@ss').toString('base64')}`,
    ])
    expect(inUrl.url).toBe(`${server.origin}/dav/`)
  })

  for (const algorithm of ['MD5', 'SHA-256'] as const) {
    it(`answer a Digest challenge with ${algorithm}, count up, and follow a stale nonce`, async () => {
      let nonce = 'first'
      const counts: string[] = []
      const hash = (text: string) =>
        createHash(algorithm === 'MD5' ? 'md5' : 'sha256')
          .update(text)
          .digest('hex')
      const { transport } = await open(
        async (request, response) => {
          await bodyOfMessage(request)
          const authorization = request.headers.authorization ?? ''
          const field = (name: string) => new RegExp(`${name}="?([^",]*)"?`).exec(authorization)?.[1] ?? ''
          const secret = hash(`anna:a realm, quoted:pässword`)
          const action = hash(`${request.method}:${request.url}`)
          const expected = hash(`${secret}:${nonce}:${field('nc')}:${field('cnonce')}:auth:${action}`)
          if (
            authorization.startsWith('Digest') &&
            field('nonce') === nonce &&
            field('response') === expected
          ) {
            counts.push(field('nc'))
            response.writeHead(201).end()
            return
          }
          const stale = authorization.startsWith('Digest') ? ', stale=true' : ''
          response
            .writeHead(401, {
              'www-authenticate': [
                'Basic realm="x"',
                `Digest realm="a realm, quoted", qop="auth,auth-int", algorithm=${algorithm}, nonce="${nonce}", opaque="o"${stale}`,
              ],
            })
            .end()
        },
        { username: 'anna', password: 'pässword' },
      )
      const put = () => transport.request({ method: 'PUT', name: 'x', body: sourceOf(new Uint8Array(10)) })
      expect((await put()).status).toBe(201)
      expect((await put()).status).toBe(201)
      nonce = 'second'
      expect((await put()).status).toBe(201)
      expect(counts).toEqual(['00000001', '00000002', '00000001'])
      expect(transport.traffic().requests).toBe(5)
    })
  }

  it('that are wrong end in a bounded number of requests, and show up in no message', async () => {
    const { remote, server } = await open(
      (_, response) =>
        void response
          .writeHead(401, { 'www-authenticate': `Digest realm="r", nonce="${Math.random()}", qop="auth"` })
          .end('no'),
      { username: 'anna', password: canary },
    )
    const error = await errorOf(remote.listHeads())
    expect(error).toMatchObject({ code: 'remote-unauthorized', action: 'ask' })
    expect(error.message).toContain(`${server.origin}/dav/version/`)
    expect(inspect(error, { depth: 10 })).not.toContain('pa55')
    expect(server.requests.length).toBeLessThanOrEqual(3)
  })
})

describe('retries', () => {
  it('obey Retry-After in seconds and as a date, and give up after the attempts', async () => {
    let answers: [number, Record<string, string>][] = []
    const { server, transport, clock, random } = await open((_, response) => {
      const [status, headers] = answers.shift() ?? [503, {}]
      response.writeHead(status, headers).end()
    })
    const retrying = withRetry(transport, { attempts: 4, baseMs: 1, maxMs: 2, clock, random })
    answers = [
      [503, { 'retry-after': '7' }],
      [429, { 'retry-after': 'Thu, 01 Jan 2026 00:00:20 GMT', date: 'Thu, 01 Jan 2026 00:00:00 GMT' }],
      [503, { 'retry-after': '86400' }],
      [200, {}],
    ]
    expect((await retrying.request({ method: 'HEAD', name: 'x' })).status).toBe(200)
    const long = clock.slept.filter((ms) => ms > 100).map((ms) => Math.round(ms / 1000))
    expect(long).toEqual(expect.arrayContaining([7, 20, 60]))
    expect(Math.max(...long)).toBe(60)
    expect((await retrying.request({ method: 'HEAD', name: 'x' })).status).toBe(503)
    expect(server.requests).toHaveLength(8)
  })

  it('never repeat a write, and ask once more when a password was good before', async () => {
    let status = 200
    const { server, transport, clock, random } = await open(
      (_, response) => void response.writeHead(status).end(),
    )
    const retrying = withRetry(transport, { attempts: 4, baseMs: 1, maxMs: 2, clock, random })
    await retrying.request({ method: 'HEAD', name: 'x' })
    status = 503
    await retrying.request({ method: 'MOVE', name: 'x', destination: 'y' })
    await retrying.request({ method: 'PUT', name: 'x', body: new Uint8Array(1) })
    expect(server.requests).toHaveLength(3)
    status = 401
    expect((await retrying.request({ method: 'PUT', name: 'x', body: new Uint8Array(1) })).status).toBe(401)
    expect(server.requests).toHaveLength(5)
  })
})

describe('limits', () => {
  it('pace bodies both ways by the clock', async () => {
    const { transport, clock } = await open(
      async (request, response) => {
        await bodyOfMessage(request)
        response.writeHead(200).end(new Uint8Array(50_000))
      },
      { uploadBytesPerSecond: 10_000, downloadBytesPerSecond: 25_000 },
    )
    const start = clock.monotonic()
    const response = await transport.request({
      method: 'PUT',
      name: 'x',
      body: sourceOf(new Uint8Array(100_000)),
    })
    const sent = clock.monotonic()
    expect(sent - start).toBeGreaterThan(9_000)
    for await (const chunk of response.body) expect(chunk.length).toBeLessThanOrEqual(6_250)
    expect(clock.monotonic() - sent).toBeGreaterThan(1_500)
  })
})
