import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  startWebdavServer,
  type WebdavServer,
  type WebdavServerOptions,
} from '../../src/webdav-server/webdav-server.ts'
import { basic, type Dav, davClient, listedNames, succeeded } from '../support/dav.ts'
import { rawRequest } from '../support/raw-request.ts'

describe('the embedded WebDAV server', () => {
  let outside: string
  let root: string
  let server: WebdavServer
  let dav: Dav
  const logged: string[] = []

  async function serve(options: Partial<WebdavServerOptions> = {}): Promise<WebdavServer> {
    return startWebdavServer({ root, port: 0, log: (line) => logged.push(line), ...options })
  }

  beforeEach(async () => {
    outside = await mkdtemp(join(tmpdir(), 'davit-embedded-'))
    root = join(outside, 'served')
    await mkdir(root)
    logged.length = 0
    server = await serve()
    dav = davClient(server.url)
  })

  afterEach(async () => {
    await server.close()
    await rm(outside, { recursive: true })
    expect(logged).toEqual([])
  })

  describe('verbs', () => {
    it('keeps plain files under their names and nothing else', async () => {
      expect((await dav('MKCOL', '/a')).status).toBe(201)
      expect((await dav('PUT', '/a/f.txt', { body: 'one' })).status).toBe(201)
      expect((await dav('PUT', '/a/f.txt', { body: 'two' })).status).toBe(204)
      expect(await readdir(root, { recursive: true })).toEqual(['a', join('a', 'f.txt')])
      expect(await readFile(join(root, 'a/f.txt'), 'utf8')).toBe('two')
    })

    it('answers GET and HEAD with length, etag and time, and honours ranges and conditions', async () => {
      const written = await dav('PUT', '/f', { body: '0123456789' })
      const head = await dav('HEAD', '/f')
      expect(head.headers.get('content-length')).toBe('10')
      expect(head.headers.get('last-modified')).toMatch(/GMT$/)
      const etag = head.headers.get('etag') ?? ''
      expect(etag).toBe(written.headers.get('etag'))
      const part = await dav('GET', '/f', { headers: { range: 'bytes=2-4' } })
      expect([part.status, part.text, part.headers.get('content-range')]).toEqual([
        206,
        '234',
        'bytes 2-4/10',
      ])
      expect((await dav('GET', '/f', { headers: { range: 'bytes=-3' } })).text).toBe('789')
      expect((await dav('GET', '/f', { headers: { range: 'bytes=7-' } })).text).toBe('789')
      expect((await dav('GET', '/f', { headers: { range: 'bytes=10-' } })).status).toBe(416)
      expect((await dav('GET', '/f', { headers: { 'if-none-match': etag } })).status).toBe(304)
      expect((await dav('GET', '/f', { headers: { range: 'bytes=0-0', 'if-range': '"x"' } })).status).toBe(
        200,
      )
      expect((await dav('GET', '/missing')).status).toBe(404)
      expect((await dav('GET', '/')).status).toBe(405)
    })

    it('serves contents as downloads that no browser takes for a page', async () => {
      await dav('PUT', '/page.html', { body: '<script>alert(1)</script>' })
      const { headers } = await dav('GET', '/page.html')
      expect(headers.get('content-type')).toBe('application/octet-stream')
      expect(headers.get('x-content-type-options')).toBe('nosniff')
      expect(headers.get('access-control-allow-origin')).toBeNull()
    })

    it('lists odd names, sizes and etags as they are', async () => {
      const names = [
        'a b',
        '\u00e9',
        'e\u0301',
        '😀',
        'a#b',
        '100%',
        'a&b',
        'a?b',
        'a<b',
        '.dot',
        'a"b',
        "a'b",
        'a%20b',
      ]
      for (const name of names)
        expect((await dav('PUT', `/${encodeURIComponent(name)}`, { body: 'x' })).status).toBe(201)
      const reply = await dav('PROPFIND', '/', { headers: { depth: '1' } })
      expect(reply.status).toBe(207)
      expect(listedNames(reply.text, '/')).toEqual([...names].sort())
      const etag = (await dav('HEAD', '/.dot')).headers.get('etag')
      const one = await dav('PROPFIND', '/.dot', { headers: { depth: '0' } })
      expect(one.text).toContain(`<D:getetag>${etag}</D:getetag>`)
      expect(one.text).toContain('<D:getcontentlength>1</D:getcontentlength>')
    })

    it('answers only what a PROPFIND asks for, and refuses deep and broken ones', async () => {
      await dav('MKCOL', '/d')
      const body = '<x:propfind xmlns:x="DAV:"><x:prop><x:resourcetype/></x:prop></x:propfind>'
      const asked = await dav('PROPFIND', '/d', { headers: { depth: '0' }, body })
      expect(asked.text).toContain('<D:collection/>')
      expect(asked.text).not.toContain('getetag')
      expect((await dav('PROPFIND', '/', { headers: { depth: 'infinity' } })).status).toBe(403)
      expect((await dav('PROPFIND', '/')).status).toBe(403)
      expect((await dav('PROPFIND', '/', { headers: { depth: '0' }, body: '<html/>' })).status).toBe(400)
      const long = `<propfind>${'x'.repeat(20_000)}</propfind>`
      expect((await dav('PROPFIND', '/', { headers: { depth: '0' }, body: long })).status).toBe(413)
      expect((await dav('PROPFIND', '/missing', { headers: { depth: '1' } })).status).toBe(404)
    })

    it('moves and copies files and folders, and replaces only when told', async () => {
      await dav('MKCOL', '/a')
      await dav('PUT', '/a/f', { body: 'f' })
      await dav('PUT', '/g', { body: 'g' })
      const to = (destination: string, overwrite: string) => ({ headers: { destination, overwrite } })
      expect((await dav('COPY', '/a', to('/b', 'F'))).status).toBe(201)
      expect((await dav('COPY', '/g', to('/a/f', 'F'))).status).toBe(412)
      expect((await dav('MOVE', '/g', to('/a/f', 'F'))).status).toBe(412)
      expect((await dav('MOVE', '/g', to(`${server.url}/a/f`, 'T'))).status).toBe(204)
      expect((await dav('MOVE', '/a', to('/b', 'T'))).status).toBe(204)
      expect((await dav('MOVE', '/b', to('/b/c', 'T'))).status).toBe(403)
      expect((await dav('COPY', '/b', to('/b/c', 'T'))).status).toBe(403)
      expect((await dav('MOVE', '/b/f', to('/b', 'T'))).status).toBe(403)
      expect((await dav('MOVE', '/b/f', to('/missing/f', 'T'))).status).toBe(409)
      expect((await dav('MOVE', '/missing', to('/x', 'T'))).status).toBe(404)
      expect((await dav('MOVE', '/b/f', to('http://elsewhere.example/x', 'T'))).status).toBe(502)
      expect((await dav('MOVE', '/b/f')).status).toBe(400)
      expect((await readdir(root, { recursive: true })).sort()).toEqual(['b', join('b', 'f')])
      expect((await dav('GET', '/b/f')).text).toBe('g')
    })

    it('refuses what it does not do, by the status that says so', async () => {
      expect((await dav('PUT', '/missing/f', { body: 'x' })).status).toBe(409)
      expect((await dav('MKCOL', '/missing/d')).status).toBe(409)
      await dav('MKCOL', '/d')
      expect((await dav('MKCOL', '/d')).status).toBe(405)
      expect((await dav('PUT', '/d', { body: 'x' })).status).toBe(405)
      expect((await dav('DELETE', '/')).status).toBe(403)
      expect((await dav('DELETE', '/missing')).status).toBe(404)
      for (const method of ['LOCK', 'UNLOCK', 'PROPPATCH', 'POST', 'PATCH'])
        expect((await dav(method, '/d')).status).toBe(405)
      const ranged = await dav('PUT', '/f', { body: 'x', headers: { 'content-range': 'bytes 5-5/10' } })
      expect(ranged.status).toBe(400)
      const allowed = await dav('OPTIONS', '/')
      expect([allowed.status, allowed.headers.get('dav')]).toEqual([200, '1'])
    })
  })

  describe('what ends or corrupts others', () => {
    it('survives If headers on every verb', async () => {
      await dav('PUT', '/f', { body: 'kept' })
      for (const method of ['GET', 'PUT', 'DELETE', 'MOVE', 'COPY', 'MKCOL', 'PROPFIND'])
        expect((await dav(method, '/f', { headers: { if: '(["x"])', depth: '0' } })).status).toBe(412)
      expect((await dav('GET', '/f')).text).toBe('kept')
    })

    it('lets exactly one of 16 DELETEs of one collection succeed', async () => {
      for (let round = 0; round < 10; round++) {
        await dav('MKCOL', '/d')
        for (let index = 0; index < 10; index++) await dav('PUT', `/d/${index}`, { body: 'x' })
        const replies = await Promise.all(Array.from({ length: 16 }, () => dav('DELETE', '/d')))
        expect(replies.filter(succeeded)).toHaveLength(1)
        expect(await readdir(root)).toEqual([])
      }
    })

    it.each(['reset', 'finish'] as const)('keeps the old content when a PUT is cut by %s', async (end) => {
      await dav('PUT', '/old', { body: 'old content' })
      const put = (name: string, length: string) =>
        rawRequest({
          url: server.url,
          head: [`PUT /${name} HTTP/1.1`, 'Host: 127.0.0.1', length],
          body: '64\r\nhalf of it',
          end,
        })
      await put('old', 'Content-Length: 100000')
      await put('new', 'Content-Length: 100000')
      await put('chunked', 'Transfer-Encoding: chunked')
      await server.close()
      expect(await readdir(root)).toEqual(['old'])
      expect(await readFile(join(root, 'old'), 'utf8')).toBe('old content')
    })

    it('removes what a killed server left of an upload', async () => {
      await server.close()
      await mkdir(join(root, '.davit-uploads'))
      await writeFile(join(root, '.davit-uploads/1-1'), 'half')
      server = await serve()
      expect(await readdir(root)).toEqual([])
    })

    it('never shows a reader a part while PUTs replace a file', async () => {
      const contents = ['a', 'b'].map((letter) => letter.repeat(200_000))
      await dav('PUT', '/f', { body: contents[0]! })
      let writing = true
      const readers = Array.from({ length: 3 }, async () => {
        let reads = 0
        for (; writing; reads++) expect(contents).toContain((await dav('GET', '/f')).text)
        return reads
      })
      for (let index = 0; index < 60; index++) await dav('PUT', '/f', { body: contents[index % 2]! })
      writing = false
      for (const reads of await Promise.all(readers)) expect(reads).toBeGreaterThan(0)
    })

    it('answers 2,000 small PUTs, 16 at a time, and lists them', async () => {
      await dav('MKCOL', '/many')
      let next = 0
      await Promise.all(
        Array.from({ length: 16 }, async () => {
          while (next < 2_000) expect((await dav('PUT', `/many/${next++}`, { body: 'x' })).status).toBe(201)
        }),
      )
      const listing = await dav('PROPFIND', '/many', { headers: { depth: '1' } })
      expect(listedNames(listing.text, '/many')).toHaveLength(2_000)
      expect(await readdir(join(root, 'many'))).toHaveLength(2_000)
    })
  })

  describe('races of 16', () => {
    const racers = Array.from({ length: 16 }, (_, index) => index)

    it('one creator wins with If-None-Match', async () => {
      for (let round = 0; round < 20; round++) {
        const replies = await Promise.all(
          racers.map((racer) =>
            dav('PUT', `/f${round}`, { body: `by ${racer}`, headers: { 'if-none-match': '*' } }),
          ),
        )
        expect(replies.map((reply) => reply.status).sort()).toEqual([201, ...Array(15).fill(412)])
        const winner = replies.findIndex(succeeded)
        expect((await dav('GET', `/f${round}`)).text).toBe(`by ${winner}`)
      }
    })

    it('one writer wins with If-Match', async () => {
      await dav('PUT', '/f', { body: 'first' })
      for (let round = 0; round < 20; round++) {
        const etag = (await dav('HEAD', '/f')).headers.get('etag') ?? ''
        const replies = await Promise.all(
          racers.map((racer) =>
            dav('PUT', '/f', { body: `${round}-${racer}`, headers: { 'if-match': etag } }),
          ),
        )
        expect(replies.filter(succeeded)).toHaveLength(1)
        expect((await dav('GET', '/f')).text).toBe(`${round}-${replies.findIndex(succeeded)}`)
      }
    })

    it('one MKCOL wins', async () => {
      for (let round = 0; round < 20; round++) {
        const replies = await Promise.all(racers.map(() => dav('MKCOL', `/d${round}`)))
        expect(replies.map((reply) => reply.status).sort()).toEqual([201, ...Array(15).fill(405)])
      }
    })

    it('one of many sources gets a name with Overwrite: F, and the others stay', async () => {
      for (let round = 0; round < 20; round++) {
        for (const racer of racers) await dav('PUT', `/s${racer}`, { body: `${round}-${racer}` })
        const replies = await Promise.all(
          racers.map((racer) =>
            dav('MOVE', `/s${racer}`, { headers: { destination: `/t${round}`, overwrite: 'F' } }),
          ),
        )
        expect(replies.map((reply) => reply.status).sort()).toEqual([201, ...Array(15).fill(412)])
        expect((await dav('GET', `/t${round}`)).text).toBe(`${round}-${replies.findIndex(succeeded)}`)
        expect((await readdir(root)).filter((name) => name.startsWith('s'))).toHaveLength(15)
      }
    })
  })

  describe('ways out of the folder', () => {
    const line = (method: string, path: string, ...headers: string[]) =>
      rawRequest({
        url: server.url,
        head: [`${method} ${path} HTTP/1.1`, 'Host: 127.0.0.1', 'Connection: close', ...headers],
      })
    const ways = [
      '/../secret',
      '/%2e%2e/secret',
      '/a/..%2f..%2fsecret',
      '/..%5csecret',
      '/%2e%2e%2fsecret',
      '/a/%2E./../secret',
      '/secret%00',
      '/%ff',
      'secret',
      '/.davit-uploads/x',
      '/.DAVIT-uploads/x',
    ]

    it.each(ways)('refuses %s in the request and as a Destination', async (way) => {
      await writeFile(join(outside, 'secret'), 'secret')
      await dav('PUT', '/f', { body: 'kept' })
      for (const method of ['GET', 'PUT', 'DELETE', 'MKCOL', 'PROPFIND'])
        expect(await line(method, way, 'Depth: 0')).toMatch(/^HTTP\/1\.1 40[03] /)
      for (const method of ['MOVE', 'COPY']) {
        expect(await line(method, way, 'Destination: /x')).toMatch(/^HTTP\/1\.1 40[03] /)
        expect(await line(method, '/f', `Destination: ${way}`)).toMatch(/^HTTP\/1\.1 40[03] /)
      }
      expect(await readdir(outside)).toEqual(['secret', 'served'])
      expect(await readFile(join(outside, 'secret'), 'utf8')).toBe('secret')
      expect(await readdir(root)).toEqual(['f'])
    })

    it('does not follow links, list them or copy what they point to', async () => {
      await mkdir(join(outside, 'private'))
      await writeFile(join(outside, 'private/key'), 'secret')
      await mkdir(join(root, 'd'))
      await symlink(join(outside, 'private'), join(root, 'd/folder'))
      await symlink(join(outside, 'private/key'), join(root, 'd/file'))
      for (const path of ['/d/folder', '/d/folder/key', '/d/file']) {
        expect((await dav('GET', path)).status).toBe(403)
        expect((await dav('PUT', path, { body: 'x' })).status).toBe(403)
        expect((await dav('PROPFIND', path, { headers: { depth: '1' } })).status).toBe(403)
        expect((await dav('MOVE', path, { headers: { destination: '/x' } })).status).toBe(403)
      }
      const listing = await dav('PROPFIND', '/d', { headers: { depth: '1' } })
      expect(listedNames(listing.text, '/d')).toEqual([])
      expect((await dav('COPY', '/d', { headers: { destination: '/copy' } })).status).toBe(201)
      expect(await readdir(join(root, 'copy'))).toEqual([])
      expect((await dav('DELETE', '/d')).status).toBe(204)
      expect(await readFile(join(outside, 'private/key'), 'utf8')).toBe('secret')
    })
  })

  describe('who may come in', () => {
    it('wants the password on every verb', async () => {
      await server.close()
      server = await serve({ username: 'anna', password: 'sécret' })
      const stranger = davClient(server.url)
      const guesses = [
        undefined,
        basic('anna', 'wrong'),
        basic('', ''),
        basic('anna', 'sécret2'),
        'Bearer x',
        'Basic',
      ]
      for (const method of ['GET', 'PUT', 'DELETE', 'MKCOL', 'PROPFIND', 'OPTIONS', 'MOVE']) {
        for (const authorization of guesses) {
          const headers = authorization === undefined ? {} : { authorization }
          const reply = await stranger(method, '/f', { headers })
          expect([reply.status, reply.headers.get('www-authenticate')]).toEqual([
            401,
            'Basic realm="davit", charset="UTF-8"',
          ])
        }
      }
      const friend = davClient(server.url, { authorization: basic('anna', 'sécret') })
      expect((await friend('PUT', '/f', { body: 'x' })).status).toBe(201)
    })

    it('without a password answers to loopback names only', async () => {
      for (const host of ['evil.example', 'evil.example:80', '127.0.0.1.evil.example', ''])
        expect(
          await rawRequest({
            url: server.url,
            head: ['GET / HTTP/1.1', `Host: ${host}`, 'Connection: close'],
          }),
        ).toMatch(/^HTTP\/1\.1 403 /)
      for (const host of ['localhost:1', '127.0.0.1', '[::1]:80'])
        expect(
          await rawRequest({
            url: server.url,
            head: ['OPTIONS / HTTP/1.1', `Host: ${host}`, 'Connection: close'],
          }),
        ).toMatch(/^HTTP\/1\.1 200 /)
    })

    it('does not start open to the network, half configured, or without its folder', async () => {
      const wrong: Partial<WebdavServerOptions>[] = [
        { host: '0.0.0.0' },
        { host: '::' },
        { username: 'anna' },
        { password: 'x' },
        { username: 'a:b', password: 'x' },
        { root: join(root, 'missing') },
        { port: Number(new URL(server.url).port) },
      ]
      for (const options of wrong)
        await expect(serve(options)).rejects.toMatchObject({ code: 'configuration-invalid' })
    })
  })

  it('lets go of a file whose reader went away', async () => {
    await dav('PUT', '/big', { body: 'x'.repeat(20_000_000) })
    const response = await fetch(`${server.url}/big`)
    await response.body?.cancel()
    await server.close()
    expect(await readdir(root)).toEqual(['big'])
  })

  it('ends open connections when it is closed, and leaves nothing of their uploads', async () => {
    const cut = rawRequest({
      url: server.url,
      head: ['PUT /f HTTP/1.1', 'Host: 127.0.0.1', 'Content-Length: 100'],
      body: 'half',
    })
    await dav('OPTIONS', '/')
    await Promise.all([server.close(), server.close()])
    expect(await cut).toBe('')
    expect(await readdir(root)).toEqual([])
  })
})
