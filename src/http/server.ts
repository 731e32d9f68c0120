/** Serves an app on a port of its own. */
import { once, setMaxListeners } from 'node:events'
import { createServer, type Server } from 'node:http'
import { type AddressInfo, isIP, type Socket } from 'node:net'
import { getRequestListener } from '@hono/node-server'
import type { Hono } from 'hono'
import type { Clock } from '../model/clock.ts'
import { DavitError } from '../model/errors.ts'
import type { ServerBindings } from './api-context.ts'

export interface ServeOptions {
  readonly host: string
  /** 0: any free port. */
  readonly port: number
  readonly clock: Clock
  /** Allows an address that other machines reach. There is no TLS here: put something with TLS in front. */
  readonly exposed?: boolean
}

export interface ApiServer {
  /** `http://HOST:PORT`, without a slash at the end. */
  readonly url: string
  /** Ends event streams, lets requests under way finish for a moment, closes every socket. Safe to call twice. */
  close(): Promise<void>
}

/** Headers have to arrive within this time: a client that sends them byte by byte holds a socket for no longer. */
const headersTimeoutMs = 15_000
const keepAliveTimeoutMs = 30_000
const connectionsMax = 2_048
/** How long requests under way may take to finish when the server closes. */
const graceMs = 2_000
const sweepMs = 20

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'))
}

function invalid(message: string, hint: string, cause?: unknown): DavitError {
  return new DavitError('configuration-invalid', message, { action: 'give-up', hint, cause })
}

async function listen(server: Server, host: string, port: number): Promise<void> {
  server.listen(port, host)
  try {
    await once(server, 'listening')
  } catch (error) {
    throw invalid(
      `cannot listen on ${host} port ${port}: ${(error as NodeJS.ErrnoException).code ?? 'unknown error'}`,
      'Choose another --port (0 takes any free one) or --host.',
      error,
    )
  }
}

/** @throws DavitError `configuration-invalid` where other machines would reach a host and nobody said that this is meant. */
export function checkExposure(host: string, exposed: boolean): void {
  if (isLoopback(host) || exposed) return
  throw invalid(
    `other machines would reach the API on ${host}, without encryption`,
    'Keep the host 127.0.0.1 and put a server with TLS in front, or say --expose where the network is trusted.',
  )
}

/**
 * Starts to serve. Resolves when requests are answered.
 *
 * @throws DavitError `configuration-invalid` when the address cannot be had, or other machines would reach it and
 *   `exposed` does not say that this is meant.
 */
export async function serve(app: Pick<Hono, 'fetch'>, options: ServeOptions): Promise<ApiServer> {
  checkExposure(options.host, options.exposed === true)
  const closing = new AbortController()
  // Every event stream listens, and their number has a bound of its own.
  setMaxListeners(0, closing.signal)
  const listener = getRequestListener(
    (request, env) => {
      const bindings: ServerBindings = { ...(env as ServerBindings), closing: closing.signal }
      return app.fetch(request, bindings)
    },
    { overrideGlobalObjects: false },
  )
  const server = createServer(
    {
      headersTimeout: headersTimeoutMs,
      // Uploads may take hours. Each body has a bound of its own in request-body.ts.
      requestTimeout: 0,
      connectionsCheckingInterval: 5_000,
      keepAliveTimeout: keepAliveTimeoutMs,
      // Finds out that a client vanished without a word.
      keepAlive: true,
      keepAliveInitialDelay: 30_000,
    },
    (incoming, outgoing) => void listener(incoming, outgoing),
  )
  server.maxConnections = connectionsMax
  // Connections that have not sent a request yet: browsers open some ahead, and Node does not count them as idle.
  const fresh = new Set<Socket>()
  server.on('connection', (socket) => {
    fresh.add(socket)
    socket.once('close', () => fresh.delete(socket))
  })
  server.on('request', (incoming) => fresh.delete(incoming.socket))
  await listen(server, options.host, options.port)

  const { port } = server.address() as AddressInfo
  const host = isIP(options.host) === 6 ? `[${options.host}]` : options.host
  let closed: Promise<void> | null = null

  async function close(): Promise<void> {
    const ended = once(server, 'close')
    server.close()
    closing.abort()
    for (const socket of fresh) socket.destroy()
    let isEnded = false
    const end = ended.finally(() => {
      isEnded = true
    })
    const { clock } = options
    const deadline = clock.monotonic() + graceMs
    // A connection whose last answer ends after this moment is kept alive by its client: look again and again.
    while (!isEnded && clock.monotonic() < deadline) {
      server.closeIdleConnections()
      await Promise.race([end, clock.sleep(sweepMs)])
    }
    server.closeAllConnections()
    await end
  }

  return {
    url: `http://${host}:${port}`,
    close() {
      closed ??= close()
      return closed
    },
  }
}
