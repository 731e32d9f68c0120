/**
 * The embedded WebDAV server: one folder, plain files, for development, tests, the demo and small installations.
 * The verbs that change or deliver contents are our own, since the `webdav-server` package loses data at them (a cut
 * PUT leaves a torso, two racing MOVEs both succeed) and dies on others; it makes the listings.
 *
 * Promised: a PUT is whole or nothing and durable before it is answered; MOVE is a rename and has one winner;
 * conditional headers hold; nothing outside the folder is read or written; no request ends the process.
 */
import { realpath, stat } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { DavitError } from '../model/errors.ts'
import { authenticate, type Credentials, isLoopback } from './authentication.ts'
import { get } from './get.ts'
import { failureOf, HttpFailure } from './http-failure.ts'
import { makeCollection } from './make-collection.ts'
import { propfind } from './propfind.ts'
import { put } from './put.ts'
import { remove } from './remove.ts'
import { ServedFolder } from './served-folder.ts'
import { servedPath } from './served-path.ts'
import { copy, move } from './transfer.ts'
import type { Verb } from './verbs.ts'

export interface WebdavServerOptions {
  /** The folder to serve. It must exist. */
  readonly root: string
  /** Default 127.0.0.1. Any other than a loopback address needs a username. */
  readonly host?: string
  /** 0 = any free port. */
  readonly port: number
  /** With a username every request needs it and the password; without, anyone on this machine is served. */
  readonly username?: string
  readonly password?: string
  /** Gets a line for each request that failed on our side. */
  readonly log?: (message: string) => void
}

export interface WebdavServer {
  /** Without a slash at the end. */
  readonly url: string
  /** Stops accepting, lets requests under way end for two seconds, then cuts them. Repeating it does nothing. */
  close(): Promise<void>
}

const headersTimeoutMs = 30_000
/** Of a connection on which nothing moves; a long upload that moves goes on. */
const idleTimeoutMs = 120_000
const keepAliveMs = 15_000
const closeGraceMs = 2_000
const connectionsMax = 1_000

const options: Verb = async ({ response }) => {
  response.writeHead(200, { Allow: allow, 'Content-Length': 0, 'MS-Author-Via': 'DAV' }).end()
}

const verbs = new Map<string, Verb>([
  ['OPTIONS', options],
  ['GET', get],
  ['HEAD', get],
  ['PUT', put],
  ['DELETE', remove],
  ['MKCOL', makeCollection],
  ['MOVE', move],
  ['COPY', copy],
  ['PROPFIND', propfind],
])
const allow = [...verbs.keys()].join(', ')

/**
 * Serves a folder until it is closed. Throws `configuration-invalid` when the folder is missing, a non-loopback host
 * comes without a username, or the address cannot be bound.
 */
export async function startWebdavServer(given: WebdavServerOptions): Promise<WebdavServer> {
  const host = given.host ?? '127.0.0.1'
  const credentials = credentialsOf(given, host)
  const folder = new ServedFolder(await existingFolder(given.root))
  await folder.removeLeftovers()

  const active = new Set<Promise<void>>()
  const server = createServer(
    { headersTimeout: headersTimeoutMs, requestTimeout: 0 },
    (request, response) => {
      const answer = respond(folder, credentials, request, response, given.log)
      active.add(answer)
      void answer.finally(() => active.delete(answer))
    },
  )
  server.setTimeout(idleTimeoutMs)
  server.keepAliveTimeout = keepAliveMs
  server.maxConnections = connectionsMax
  const port = await listen(server, host, given.port)

  let closing: Promise<void> | undefined
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${port}`,
    close() {
      closing ??= closeServer(server).then(async () => {
        await Promise.all(active)
      })
      return closing
    },
  }
}

function credentialsOf(given: WebdavServerOptions, host: string): Credentials | undefined {
  if (given.username !== undefined && given.username !== '') {
    if (given.username.includes(':'))
      throw invalid('The username must not contain a colon.', 'HTTP Basic authentication cannot carry it.')
    if (given.password === undefined || given.password === '')
      throw invalid('There is a username but no password.', 'Give a password too.')
    return { username: given.username, password: given.password }
  }
  if (given.password !== undefined && given.password !== '')
    throw invalid('There is a password but no username.', 'Give a username too.')
  if (!isLoopback(host))
    throw invalid(
      `Anyone who reaches ${host} could read and change the files.`,
      'Give a username and a password, or serve on 127.0.0.1.',
    )
  return undefined
}

async function existingFolder(root: string): Promise<string> {
  try {
    const folder = await realpath(root)
    if ((await stat(folder)).isDirectory()) return folder
  } catch (error) {
    throw invalid(`The folder ${root} cannot be served.`, 'Create it first.', error)
  }
  throw invalid(`${root} is not a folder.`, 'Name a folder to serve.')
}

function listen(server: Server, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const fail = (error: Error) =>
      reject(
        invalid(`Cannot listen on ${host}:${port}.`, 'Choose another port; 0 takes any free one.', error),
      )
    server.once('error', fail)
    server.listen(port, host, () => {
      server.off('error', fail)
      resolve((server.address() as AddressInfo).port)
    })
  })
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    const cut = setTimeout(() => server.closeAllConnections(), closeGraceMs)
    server.close(() => {
      clearTimeout(cut)
      resolve()
    })
    server.closeIdleConnections()
  })
}

function invalid(message: string, hint: string, cause?: unknown): DavitError {
  return new DavitError('configuration-invalid', message, { action: 'ask', hint, cause })
}

/** Answers one request, whatever happens. Never rejects. */
async function respond(
  folder: ServedFolder,
  credentials: Credentials | undefined,
  request: IncomingMessage,
  response: ServerResponse,
  log: ((message: string) => void) | undefined,
): Promise<void> {
  try {
    response.setHeader('DAV', '1')
    response.setHeader('X-Content-Type-Options', 'nosniff')
    response.setHeader('Content-Security-Policy', "default-src 'none'; sandbox")
    authenticate(request, credentials)
    const verb = verbs.get(request.method ?? '')
    if (verb === undefined) throw new HttpFailure(405, 'this server does not do that', { Allow: allow })
    // There are no locks here, so no `If` list of lock tokens can hold.
    if ('if' in request.headers) throw new HttpFailure(412, 'the If header does not hold')
    const target = request.url === '*' && request.method === 'OPTIONS' ? '/' : (request.url ?? '/')
    await verb({ folder, path: servedPath(folder.root, target), request, response })
  } catch (error) {
    const failure = failureOf(error)
    // A client that went away is no failure of ours.
    if (failure.status === 500 && !request.destroyed) log?.(`${request.method} failed: ${String(error)}`)
    sendFailure(failure, response)
  }
}

function sendFailure(failure: HttpFailure, response: ServerResponse): void {
  // With the head gone a cut connection is the only way left to say that the body is not whole.
  if (response.headersSent) {
    response.destroy()
    return
  }
  for (const name of ['Content-Length', 'Content-Range', 'ETag', 'Last-Modified']) response.removeHeader(name)
  const body = `${failure.message}\n`
  response.writeHead(failure.status, {
    ...failure.headers,
    'Content-Type': 'text/plain; charset=utf-8',
    'Content-Length': Buffer.byteLength(body),
  })
  response.end(body)
}
