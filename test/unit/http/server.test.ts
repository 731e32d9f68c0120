import { once } from 'node:events'
import { request } from 'node:http'
import { connect, type Socket } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { createApp } from '../../../src/http/app.ts'
import { type ApiServer, type ServeOptions, serve } from '../../../src/http/server.ts'
import { FakeInstance } from '../../support/fake-instance.ts'
import { systemLikeClock } from '../../support/timers.ts'

const token = 'a-secret-token'
const headers = { authorization: `Bearer ${token}` }
const open: ApiServer[] = []

async function aServer(options: Partial<ServeOptions> = {}) {
  const instance = new FakeInstance()
  const reported: unknown[] = []
  const app = createApp({
    instance: () => instance,
    token,
    allowedHosts: [],
    clock: systemLikeClock,
    report: (error) => void reported.push(error),
  })
  const server = await serve(app, { host: '127.0.0.1', port: 0, clock: systemLikeClock, ...options })
  open.push(server)
  return { instance, server, reported, port: Number(new URL(server.url).port) }
}

afterEach(async () => {
  for (const server of open.splice(0)) await server.close()
})

/** Waits, turn by turn, until something holds; the test's own time limit ends a wait in vain. */
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setImmediate(resolve))
}

async function rawRequest(port: number, text: string): Promise<Socket> {
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => {})
  await once(socket, 'connect')
  socket.write(text)
  return socket
}

describe('a server', () => {
  it('states its address without a slash at the end and answers there', async () => {
    const { server } = await aServer()
    expect(server.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/)
    expect((await fetch(`${server.url}/health/live`)).status).toBe(200)
    expect((await fetch(`${server.url}/api/v1/sync/status`, { headers })).status).toBe(200)
  })

  it('says that its port is taken', async () => {
    const { port } = await aServer()
    await expect(aServer({ port })).rejects.toMatchObject({ code: 'configuration-invalid' })
  })

  it('is not offered to other machines unless that is meant', async () => {
    for (const host of ['0.0.0.0', '::', '192.0.2.1', 'example.org']) {
      await expect(aServer({ host })).rejects.toMatchObject({ code: 'configuration-invalid' })
    }
    const { server } = await aServer({ host: '0.0.0.0', exposed: true })
    expect(server.url).toMatch(/^http:\/\/0\.0\.0\.0:\d+$/)
  })

  it('refuses a foreign Host, another port, and dots in the path as they were sent', async () => {
    const { instance, port } = await aServer()
    const status = async (path: string, host: string, method = 'GET') => {
      const call = request({ port, host: '127.0.0.1', path, method, headers: { ...headers, host } })
      call.end()
      const [response] = await once(call, 'response')
      response.resume()
      return response.statusCode
    }
    expect(await status('/sync/status', `127.0.0.1:${port}`)).toBe(200)
    expect(await status('/sync/status', 'evil.example')).toBe(403)
    expect(await status('/sync/status', `localhost:${port + 1}`)).toBe(403)
    for (const path of ['a/../b', 'a/%2e%2E/b', '../../sync', './b', 'a/..?x=1']) {
      expect(await status(`/files/content/${path}`, `localhost:${port}`, 'PUT')).toBe(400)
    }
    expect(instance.calls).toEqual([])
  })

  it('writes nothing when an upload breaks off', async () => {
    const { instance, port, reported } = await aServer()
    const head = `PUT /files/content/a.md HTTP/1.1\r\nHost: localhost:${port}\r\nAuthorization: Bearer ${token}\r\n`
    for (const framing of [
      'Content-Length: 10\r\n\r\nhalf',
      'Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n',
    ]) {
      const socket = await rawRequest(port, head + framing)
      const before = reported.length
      await new Promise((resolve) => setImmediate(resolve))
      socket.destroy()
      await until(() => reported.length > before)
    }
    expect(instance.calls).toEqual([])
  })

  it('takes an upload of many pieces', async () => {
    const { instance, server } = await aServer()
    const text = 'line of text\n'.repeat(100_000)
    const put = await fetch(`${server.url}/files/content/big.txt`, { method: 'PUT', body: text, headers })
    expect(put.status).toBe(201)
    expect(instance.contents.get('big.txt')).toBe(text)
  })

  it('sends events as they happen, and forgets a client that hangs up', async () => {
    const { instance, server } = await aServer()
    const abort = new AbortController()
    const response = await fetch(`${server.url}/sse`, { headers, signal: abort.signal })
    const source = (response.body as ReadableStream<Uint8Array>).getReader()
    expect(Buffer.from((await source.read()).value ?? []).toString()).toBe(': connected\n\n')
    instance.emit({ type: 'sync.started', data: {} })
    expect(Buffer.from((await source.read()).value ?? []).toString()).toContain('event: sync.started\n')
    abort.abort()
    await until(() => instance.listeners.size === 0)
  })

  it('forgets many clients that vanish at once', async () => {
    const { instance, port } = await aServer()
    const head = `GET /sse HTTP/1.1\r\nHost: localhost:${port}\r\nAuthorization: Bearer ${token}\r\n\r\n`
    const sockets: Socket[] = []
    for (let index = 0; index < 100; index++) sockets.push(await rawRequest(port, head))
    await until(() => instance.listeners.size === 100)
    for (const [index, socket] of sockets.entries()) {
      if (index % 2 === 0) socket.resetAndDestroy()
      else socket.destroy()
    }
    await until(() => instance.listeners.size === 0)
  })

  it('drops a client that does not read once more than 4 MiB wait', async () => {
    const { instance, port } = await aServer()
    const head = `GET /sse HTTP/1.1\r\nHost: localhost:${port}\r\nAuthorization: Bearer ${token}\r\n\r\n`
    const socket = await rawRequest(port, head)
    socket.pause()
    await until(() => instance.listeners.size === 1)
    const path = 'x'.repeat(256 * 1024)
    for (let sent = 0; sent < 400 && instance.listeners.size > 0; sent++) {
      instance.emit({ type: 'file.added', data: { path } })
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect(instance.listeners.size).toBe(0)
    socket.destroy()
  })

  it('closes with streams and idle connections open, and twice', async () => {
    const { instance, server, port } = await aServer()
    const response = await fetch(`${server.url}/sse`, { headers })
    const idle = await rawRequest(port, '')
    const ended = response.text()
    await Promise.all([server.close(), server.close()])
    expect(await ended).toBe(': connected\n\n')
    expect(instance.listeners.size).toBe(0)
    idle.destroy()
    await expect(fetch(`${server.url}/health/live`)).rejects.toThrow()
  })
})
