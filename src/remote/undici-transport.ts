/**
 * The transport over HTTP: one pool of connections to one origin. Sends every request plain (no compression, no cache),
 * with timeouts, and keeps credentials to the origin they were given for.
 */
import { rootCertificates } from 'node:tls'
import { type Dispatcher, Pool } from 'undici'
import type { Clock, Random } from '../model/clock.ts'
import type { ContentSource } from '../model/content.ts'
import { DavitError } from '../model/errors.ts'
import { redirectsMax } from '../model/limits.ts'
import { type Authentication, createAuthentication } from './authentication.ts'
import { parseBaseUrl } from './base-url.ts'
import { connectionError } from './connection-error.ts'
import { redirectError, redirectTarget } from './redirect.ts'
import type { Traffic } from './remote.ts'
import { requestUrl, type Transport, type TransportRequest, type TransportResponse } from './transport.ts'
import { withLimit } from './with-limit.ts'

export interface UndiciTransportOptions {
  /** May contain credentials (used when none are given), spaces and percent signs. */
  readonly url: string
  readonly username?: string
  readonly password?: string
  /** A bearer token; goes before user name and password. */
  readonly token?: string
  /** PEM; accepted besides the certificate authorities that Node knows. */
  readonly ca?: string
  /** PEM. */
  readonly clientCertificate?: { readonly cert: string; readonly key: string }
  /** For connecting, for the head of an answer, and between two pieces of its body. In milliseconds. */
  readonly timeoutMs: number
  /** Connections at once. */
  readonly concurrency: number
  /** Bytes of bodies a second; 0: without a limit. */
  readonly uploadBytesPerSecond?: number
  readonly downloadBytesPerSecond?: number
  readonly clock: Clock
  readonly random: Random
}

/**
 * Servers close idle connections after 5 s (Apache, Node) and meet a PUT or MOVE half-way. The pool's timers are up to
 * a second late, so connections are given up well before 4 s.
 */
const keepAliveMs = 2_900
const redirectStatuses = [301, 302, 303, 307, 308]
const discardedBytesMax = 256 * 1024

/** Throws `configuration-invalid` for a URL that cannot be used; connects with the first request. */
export function openUndiciTransport(options: UndiciTransportOptions): Transport {
  const base = parseBaseUrl(options.url)
  const authentication = createAuthentication(
    {
      ...(options.token === undefined ? {} : { token: options.token }),
      ...(options.username === undefined ? (base.credentials ?? {}) : { username: options.username }),
      ...(options.password === undefined ? {} : { password: options.password }),
    },
    options.random,
  )
  const pool = new Pool(base.origin, {
    connections: Math.max(1, options.concurrency),
    pipelining: 1,
    keepAliveTimeout: keepAliveMs,
    keepAliveMaxTimeout: keepAliveMs,
    keepAliveTimeoutThreshold: 1_000,
    bodyTimeout: options.timeoutMs,
    headersTimeout: options.timeoutMs,
    connect: {
      timeout: options.timeoutMs,
      ...(options.ca === undefined ? {} : { ca: [...rootCertificates, options.ca] }),
      ...(options.clientCertificate ?? {}),
    },
  })
  const transport = createTransport(base, pool, authentication, options)
  return withLimit(transport, options)
}

function createTransport(
  base: { readonly href: string; readonly origin: string; readonly foldersAbove: number },
  pool: Pool,
  authentication: Authentication,
  options: UndiciTransportOptions,
): Transport {
  const traffic = { requests: 0, bytesSent: 0, bytesReceived: 0, byMethod: {} as Record<string, number> }

  function headersFor(request: TransportRequest, target: string): Record<string, string> {
    const { body, destination } = request
    const length =
      body instanceof Uint8Array ? body.length : (body?.size ?? (request.method === 'PUT' ? 0 : null))
    const authorization = authentication.header(request.method, target)
    return {
      'accept-encoding': 'identity',
      'cache-control': 'no-cache',
      pragma: 'no-cache',
      'user-agent': 'davit',
      ...request.headers,
      ...(length === null ? {} : { 'content-length': String(length) }),
      ...(request.depth === undefined ? {} : { depth: request.depth }),
      ...(destination === undefined
        ? {}
        : {
            destination:
              request.destinationForm === 'path'
                ? new URL(base.href + destination).pathname
                : base.href + destination,
            overwrite: request.overwrite === true ? 'T' : 'F',
          }),
      ...(authorization === null ? {} : { authorization }),
    }
  }

  function countSent(bytes: number): void {
    traffic.bytesSent += bytes
  }

  /** A throttled upload takes as long as its share of the bandwidth allows, and longer than any answer may. */
  function headersTimeoutFor(request: TransportRequest): number {
    const rate = options.uploadBytesPerSecond ?? 0
    if (rate <= 0 || request.body === undefined || request.body instanceof Uint8Array)
      return options.timeoutMs
    return options.timeoutMs + Math.ceil((request.body.size * options.concurrency * 1000) / rate)
  }

  async function send(request: TransportRequest, url: URL): Promise<TransportResponse> {
    const target = url.pathname + url.search
    const headers = headersFor(request, target)
    const { body } = request
    const source =
      body === undefined || body instanceof Uint8Array ? null : watchSource(body, request.signal, countSent)
    traffic.requests++
    traffic.byMethod[request.method] = (traffic.byMethod[request.method] ?? 0) + 1
    traffic.bytesSent += request.method.length + target.length + sizeOf(headers)
    if (body instanceof Uint8Array) traffic.bytesSent += body.length
    try {
      const answer = await pool.request({
        path: target,
        method: request.method as Dispatcher.HttpMethod,
        headers,
        headersTimeout: headersTimeoutFor(request),
        ...(source !== null ? { body: source.read() as never } : {}),
        ...(body instanceof Uint8Array ? { body } : {}),
        ...(request.signal === undefined ? {} : { signal: request.signal }),
      })
      return responseOf(request, url, answer)
    } catch (error) {
      throw failureOf(request, error, source?.failure() ?? null)
    }
  }

  function failureOf(request: TransportRequest, error: unknown, sourceFailure: unknown): unknown {
    if (request.signal?.aborted === true) return request.signal.reason
    if (sourceFailure !== null) return sourceFailure
    return error instanceof DavitError
      ? error
      : connectionError(`${request.method} ${requestUrl({ url: base.href }, request)}`, error)
  }

  function responseOf(
    request: TransportRequest,
    url: URL,
    answer: Dispatcher.ResponseData,
  ): TransportResponse {
    const headers: Record<string, string> = {}
    for (const [name, value] of Object.entries(answer.headers)) {
      if (value !== undefined) headers[name] = Array.isArray(value) ? value.join(', ') : value
    }
    traffic.bytesReceived += 16 + sizeOf(headers)
    return {
      status: answer.statusCode,
      headers,
      url: url.href,
      body: (async function* () {
        try {
          for await (const chunk of answer.body as AsyncIterable<Uint8Array>) {
            traffic.bytesReceived += chunk.length
            yield chunk
          }
        } catch (error) {
          throw failureOf(request, error, null)
        }
      })(),
      // Reads what is left of a short body, so that the connection can be used again; cuts off a long one.
      discard: async () => {
        await answer.body.dump({ limit: discardedBytesMax }).catch(() => {})
      },
    }
  }

  return {
    url: base.href,
    foldersAbove: base.foldersAbove,
    async request(request) {
      let url = new URL(requestUrl({ url: base.href }, request))
      let challenges = 0
      for (let redirects = 0; ; ) {
        const response = await send(request, url)
        if (response.status === 401 && challenges < 2) {
          if (!authentication.learn(response.headers['www-authenticate'] ?? '')) return response
          challenges++
          await response.discard()
          continue
        }
        if (!redirectStatuses.includes(response.status)) return response
        await response.discard()
        const redirect = redirectTarget(request, url, response)
        if (redirect.kind === 'refused' || ++redirects > redirectsMax)
          throw redirectError(request, url, response.status, redirect.location)
        url = redirect.url
      }
    },
    traffic: (): Traffic => ({ ...traffic, byMethod: { ...traffic.byMethod } }),
    close: () => pool.destroy(),
  }
}

/** Reads a source for the HTTP client and remembers what the source itself failed with. */
function watchSource(source: ContentSource, signal: AbortSignal | undefined, count: (bytes: number) => void) {
  let failed: unknown = null
  return {
    failure: () => failed,
    async *read(): AsyncGenerator<Uint8Array> {
      try {
        for await (const chunk of source.open(signal)) {
          count(chunk.length)
          yield chunk
        }
      } catch (error) {
        failed = error
        throw error
      }
    },
  }
}

/** A line each: name, colon, blank, value, line end. */
function sizeOf(headers: Readonly<Record<string, string>>): number {
  return Object.entries(headers).reduce((sum, [name, value]) => sum + name.length + value.length + 4, 0)
}
