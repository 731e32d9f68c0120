/**
 * A loopback HTTP proxy in front of a server: it counts requests and bytes, and breaks what its rules tell it to.
 * Bodies are held in memory, so that a request can be repeated and a reply cut at an exact byte.
 */
import {
  createServer,
  request as httpRequest,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  type ServerResponse,
} from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'

export interface LoggedRequest {
  readonly method: string
  /** Decoded, below the base URL, such as `/version/0`. */
  readonly path: string
  /** What the client was told; 0 when it was told nothing. */
  readonly status: number
  /** Of the bodies, as the client sent and received them. */
  readonly requestBytes: number
  readonly responseBytes: number
}

export type Fault =
  /** Waits before the request goes on. */
  | { readonly kind: 'delay'; readonly ms: number }
  /** Hands on the first bytes of the request's body and cuts both connections. */
  | { readonly kind: 'cut-request'; readonly bytes: number }
  /** Hands on the first bytes of the request's body as if they were all, and cuts the client's connection: a torso stays. */
  | { readonly kind: 'keep-torso'; readonly bytes: number }
  /** Hands back the first bytes of the reply's body under its full length and cuts the connection. */
  | { readonly kind: 'cut-response'; readonly bytes: number }
  /** The server does it all, and the client's connection is cut instead of a reply. */
  | { readonly kind: 'drop-reply' }
  /** The client's connection is cut, the server sees nothing. */
  | { readonly kind: 'drop-request' }
  /** The server gets the request twice, one after the other; the client gets the second reply. */
  | { readonly kind: 'duplicate' }
  /** The server gets the request twice; the client gets the first reply. */
  | { readonly kind: 'replay' }
  /** Answers itself; the server sees nothing. */
  | {
      readonly kind: 'answer'
      readonly status: number
      readonly headers?: Readonly<Record<string, string>>
      readonly body?: string | Uint8Array
    }
  /** Never answers; the server sees nothing. Ends with the client's patience or the proxy. */
  | { readonly kind: 'hang' }
  /** Sends the reply's body gzipped, whether asked for or not. */
  | { readonly kind: 'gzip' }
  /** Answers a GET with what the first such GET of this path brought. */
  | { readonly kind: 'cache' }
  /**
   * Answers GET, HEAD and PROPFIND with what the first such request brought, 404 too. `obeys`: not where the request
   * says `Cache-Control: no-cache`; what that brings is kept instead.
   */
  | { readonly kind: 'shared-cache'; readonly obeys: boolean }
  /** Refuses bodies of more than so many bytes with 413; the server sees nothing of them. */
  | { readonly kind: 'body-limit'; readonly bytes: number }

/** The reply of a portal or login page: 200 with HTML. */
export const htmlPage: Fault = {
  kind: 'answer',
  status: 200,
  headers: { 'content-type': 'text/html; charset=utf-8' },
  body: '<!doctype html><html><body><h1>Please log in</h1></body></html>',
}

export interface ProxyRule {
  /** Default: every method. */
  readonly method?: string
  /** Matched against the decoded path. Default: every path. */
  readonly path?: RegExp
  /** How many matching requests to let pass first. Default 0. */
  readonly after?: number
  /** How many requests to spoil then. Default: all. */
  readonly times?: number
  /** Of those only every so-manieth. Default: each. */
  readonly every?: number
  readonly fault: Fault
}

export interface TestProxy {
  /** Stands for the server's base URL. Without a slash at the end. */
  readonly url: string
  /** Finished requests, in the order in which they ended. */
  readonly log: readonly LoggedRequest[]
  /** Adds a rule and returns what takes it away again. The first rule that applies to a request wins. */
  spoil(rule: ProxyRule): () => void
  /** Takes all rules away. */
  heal(): void
  /** Empties the log. */
  forget(): void
  /** Logged requests, of one method or all. */
  count(method?: string): number
  /** Bytes of all logged bodies. */
  bytes(): { readonly sent: number; readonly received: number }
  stop(): Promise<void>
}

interface Reply {
  readonly status: number
  readonly headers: OutgoingHttpHeaders
  readonly body: Buffer
}

interface Forward {
  readonly method: string
  readonly target: string
  readonly headers: OutgoingHttpHeaders
  readonly body: Buffer
}

/** Headers that belong to one connection. The body's length is set anew. */
const hopHeaders = [
  'connection',
  'keep-alive',
  'transfer-encoding',
  'te',
  'trailer',
  'upgrade',
  'content-length',
]

/** Starts a proxy on a free loopback port in front of `baseUrl`, which may have a path. */
export async function startProxy(baseUrl: string): Promise<TestProxy> {
  const base = new URL(baseUrl.replace(/\/$/, ''))
  const basePath = base.pathname.replace(/\/$/, '')
  const log: LoggedRequest[] = []
  let rules: { readonly rule: ProxyRule; seen: number }[] = []
  const cache = new Map<string, Reply>()
  const stopping = new AbortController()

  function faultFor(method: string, path: string): Fault | undefined {
    let found: Fault | undefined
    for (const entry of rules) {
      const { rule } = entry
      if (rule.method !== undefined && rule.method !== method) continue
      if (rule.path !== undefined && !rule.path.test(path)) continue
      const index = entry.seen++ - (rule.after ?? 0)
      const isInTurn = (index + 1) % (rule.every ?? 1) === 0
      if (found === undefined && index >= 0 && isInTurn && index < (rule.times ?? Number.POSITIVE_INFINITY))
        found = rule.fault
    }
    return found
  }

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const method = request.method ?? ''
    const path = decodePath(request.url ?? '/')
    let requestBytes = 0
    let status = 0
    let responseBytes = 0
    try {
      const fault = faultFor(method, path)
      if (fault?.kind === 'hang') {
        await ended(response, stopping.signal)
        return
      }
      const body = await readAll(request)
      requestBytes = body.length
      const forward: Forward = {
        method,
        target: basePath + (request.url ?? '/'),
        headers: rewritten(request, base, basePath),
        body,
      }
      const reply = await replyTo(forward, fault, path)
      if (reply === null) {
        response.destroy()
        return
      }
      status = reply.status
      responseBytes = send(method, reply, fault, response)
    } finally {
      log.push({ method, path, status, requestBytes, responseBytes })
    }
  }

  /** What the client gets; `null` when its connection is cut. */
  async function replyTo(forward: Forward, fault: Fault | undefined, path: string): Promise<Reply | null> {
    switch (fault?.kind) {
      case 'delay':
        await sleep(fault.ms, undefined, { signal: stopping.signal })
        return exchange(base, forward)
      case 'cut-request':
        await sendCut(base, forward, fault.bytes)
        return null
      case 'keep-torso':
        await exchange(base, { ...forward, body: forward.body.subarray(0, fault.bytes) })
        return null
      case 'drop-reply':
        await exchange(base, forward)
        return null
      case 'drop-request':
        return null
      case 'duplicate':
        await exchange(base, forward)
        return exchange(base, forward)
      case 'replay': {
        const first = await exchange(base, forward)
        await exchange(base, forward)
        return first
      }
      case 'answer':
        return {
          status: fault.status,
          headers: { ...fault.headers },
          body: Buffer.from(fault.body ?? ''),
        }
      case 'gzip': {
        const { status, headers, body } = await exchange(base, forward)
        return { status, headers: { ...headers, 'content-encoding': 'gzip' }, body: gzipSync(body) }
      }
      case 'cache': {
        if (forward.method !== 'GET') return exchange(base, forward)
        const reply = cache.get(path) ?? (await exchange(base, forward))
        cache.set(path, reply)
        return reply
      }
      case 'shared-cache': {
        if (!['GET', 'HEAD', 'PROPFIND'].includes(forward.method)) return exchange(base, forward)
        const key = `${forward.method} ${path} ${String(forward.headers['depth'])}`
        const isAskedPast = /no-cache/i.test(String(forward.headers['cache-control'] ?? ''))
        const known = fault.obeys && isAskedPast ? undefined : cache.get(key)
        const reply = known ?? (await exchange(base, forward))
        cache.set(key, reply)
        return reply
      }
      case 'body-limit':
        return forward.body.length > fault.bytes
          ? { status: 413, headers: {}, body: Buffer.alloc(0) }
          : exchange(base, forward)
      default:
        return exchange(base, forward)
    }
  }

  const server = createServer((request, response) => {
    // A failure here is the server's or the client's cut connection, or the proxy's own end: the client sees a cut.
    handle(request, response).catch(() => response.destroy())
  })
  // Idle connections stay open for the client to decide.
  server.keepAliveTimeout = 0
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo

  return {
    url: `http://127.0.0.1:${port}`,
    log,
    spoil(rule) {
      const entry = { rule, seen: 0 }
      rules.push(entry)
      return () => {
        rules = rules.filter((other) => other !== entry)
      }
    },
    heal() {
      rules = []
      cache.clear()
    },
    forget() {
      log.length = 0
    },
    count: (method) => log.filter((entry) => method === undefined || entry.method === method).length,
    bytes: () => ({
      sent: log.reduce((sum, entry) => sum + entry.requestBytes, 0),
      received: log.reduce((sum, entry) => sum + entry.responseBytes, 0),
    }),
    async stop() {
      stopping.abort()
      server.closeAllConnections()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}

function decodePath(url: string): string {
  const path = url.split('?', 1)[0] ?? ''
  try {
    return decodeURIComponent(path)
  } catch {
    // Not ours to refuse: the server sees it as it is.
    return path
  }
}

/** The headers as the server has to see them: its own host in `Host` and `Destination`. */
function rewritten(request: IncomingMessage, base: URL, basePath: string): OutgoingHttpHeaders {
  const headers: OutgoingHttpHeaders = { ...request.headers, host: base.host }
  for (const name of hopHeaders) delete headers[name]
  const { destination } = request.headers
  if (typeof destination === 'string') {
    const absolute = /^https?:\/\/([^/?#]*)(.*)$/i.exec(destination)
    if (absolute === null) Object.assign(headers, { destination: basePath + destination })
    else if (absolute[1] === request.headers.host)
      Object.assign(headers, { destination: `${base.protocol}//${base.host}${basePath}${absolute[2]}` })
  }
  return headers
}

/** Sends a reply, spoiled as asked, and returns how many bytes of its body went out. */
function send(method: string, reply: Reply, fault: Fault | undefined, response: ServerResponse): number {
  const headers = { ...reply.headers }
  for (const name of hopHeaders) if (name !== 'content-length' || method !== 'HEAD') delete headers[name]
  const bodiless = method === 'HEAD' || reply.status === 204 || reply.status === 304
  if (!bodiless) headers['content-length'] = reply.body.length
  response.writeHead(reply.status, headers)
  if (bodiless) {
    response.end()
    return 0
  }
  if (fault?.kind === 'cut-response' && fault.bytes < reply.body.length) {
    response.flushHeaders()
    response.write(reply.body.subarray(0, fault.bytes), () => response.destroy())
    return fault.bytes
  }
  response.end(reply.body)
  return reply.body.length
}

/** One request to the server, on a connection of its own: what one test breaks does not reach the next request. */
function exchange(base: URL, forward: Forward): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest(
      {
        host: base.hostname,
        port: base.port,
        method: forward.method,
        path: forward.target,
        headers: withLength(forward),
        agent: false,
      },
      (incoming) => {
        readAll(incoming).then(
          (body) => resolve({ status: incoming.statusCode ?? 0, headers: { ...incoming.headers }, body }),
          reject,
        )
      },
    )
    outgoing.on('error', reject)
    outgoing.end(forward.body)
  })
}

/** Sends the head with the full length and the first bytes of the body, then resets the connection. */
function sendCut(base: URL, forward: Forward, bytes: number): Promise<void> {
  return new Promise((resolve) => {
    const outgoing = httpRequest({
      host: base.hostname,
      port: base.port,
      method: forward.method,
      path: forward.target,
      headers: { ...forward.headers, 'content-length': forward.body.length },
      agent: false,
    })
    // The server may answer or close before that.
    outgoing.on('error', () => resolve())
    outgoing.on('close', () => resolve())
    outgoing.flushHeaders()
    const first = forward.body.subarray(0, Math.min(bytes, Math.max(0, forward.body.length - 1)))
    outgoing.write(first, () => outgoing.destroy())
  })
}

function withLength(forward: Forward): OutgoingHttpHeaders {
  const bodiless = forward.body.length === 0 && !['PUT', 'POST', 'PATCH'].includes(forward.method)
  return bodiless ? forward.headers : { ...forward.headers, 'content-length': forward.body.length }
}

async function readAll(stream: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of stream as AsyncIterable<Buffer>) chunks.push(chunk)
  return Buffer.concat(chunks)
}

/** Resolves when the client has gone away or the signal says so. */
function ended(response: ServerResponse, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    response.once('close', () => resolve())
    signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
