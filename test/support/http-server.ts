/** Servers on a free loopback port for tests of the HTTP transport. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { DavMethod } from '../../src/remote/transport.ts'
import type { MemoryDav } from './memory-dav.ts'

export interface TestServer {
  /** Without a slash at its end. */
  readonly origin: string
  readonly requests: { method: string; url: string; headers: IncomingMessage['headers'] }[]
  close(): Promise<void>
}

export async function serve(
  handle: (request: IncomingMessage, response: ServerResponse) => void | Promise<void>,
): Promise<TestServer> {
  const requests: TestServer['requests'] = []
  const server: Server = createServer((request, response) => {
    requests.push({ method: request.method ?? '', url: request.url ?? '', headers: request.headers })
    // A client that cuts its request off is no failure of the server.
    Promise.resolve(handle(request, response)).catch(() => response.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

export async function bodyOfMessage(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

/** The server in memory behind real HTTP. Its root is `/dav/store/`. */
export function serveMemoryDav(dav: MemoryDav): Promise<TestServer> {
  const transport = dav.connect()
  const { pathname } = new URL(transport.url)
  return serve(async (request, response) => {
    const body = await bodyOfMessage(request)
    const path = new URL(request.url ?? '/', 'http://dav.test').pathname
    const { destination, overwrite, depth } = request.headers
    const above = pathname.startsWith(path)
      ? pathname.slice(path.length).split('/').filter(Boolean).length
      : 0
    const answer = await transport.request({
      method: request.method as DavMethod,
      name: path.startsWith(pathname) ? path.slice(pathname.length) : '',
      above,
      body,
      overwrite: overwrite === 'T',
      ...(depth === '1' ? { depth: '1' } : {}),
      ...(typeof destination === 'string'
        ? { destination: new URL(destination, 'http://dav.test').pathname.slice(pathname.length) }
        : {}),
    })
    response.writeHead(answer.status, answer.headers)
    for await (const chunk of answer.body) response.write(chunk)
    response.end()
  })
}
