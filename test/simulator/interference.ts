/** What stands between a client and the simulated server and answers in its place, and what it does to answers. */
import type { TransportRequest } from '../../src/remote/transport.ts'
import { type Answer, answer, htmlPage } from './answers.ts'
import {
  type FaultKind,
  type OutageKind,
  oddStatuses,
  pick,
  retryAfters,
  slowMaxMs,
  staleMaxMs,
} from './faults.ts'
import type { ServerSide } from './server-side.ts'
import { type Chance, noChance } from './verbs.ts'

const writes = new Set(['PUT', 'MKCOL', 'MOVE', 'COPY', 'DELETE'])

export function isWrite(request: Pick<TransportRequest, 'method'>): boolean {
  return writes.has(request.method)
}

/** Whether chance wants a fault to happen now. Draws nothing for a fault that is off. */
export function happens(server: ServerSide, kind: FaultKind): boolean {
  const probability = server.faults[kind]
  if (probability === 0 || server.random.fraction() >= probability) return false
  server.count(kind)
  return true
}

export function drawChance(server: ServerSide, request: TransportRequest): Chance {
  const { random } = server
  const isUpload = request.method === 'PUT'
  const isListing = request.method === 'PROPFIND' && request.depth === '1'
  const uploadMs = isUpload && happens(server, 'slowUpload') ? slowMaxMs * random.fraction() ** 2 : 0
  const effectMs = isWrite(request) && happens(server, 'slowEffect') ? slowMaxMs * random.fraction() ** 2 : 0
  const slidingMs = isListing && happens(server, 'slidingListing') ? 1 + 200 * random.fraction() : 0
  const isReordered = isListing && happens(server, 'reorderedListing')
  const failsEntry = isListing && happens(server, 'failedEntry')
  const losesWrite = isUpload && happens(server, 'lostWrite')
  if (uploadMs + effectMs + slidingMs === 0 && !isReordered && !failsEntry && !losesWrite) return noChance
  return { uploadMs, effectMs, slidingMs, isReordered, failsEntry, losesWrite }
}

/** What is answered in the place of the server, without any effect; `undefined` when the request gets through. */
export function intercepted(server: ServerSide, request: TransportRequest): Answer | undefined {
  const { method } = request
  if (happens(server, 'redirect')) return answer(302, { location: 'http://login.test/sign-in' })
  if (happens(server, 'page')) return htmlPage(200)
  if (happens(server, 'unauthorized')) return answer(401, { 'www-authenticate': 'Basic realm="files"' })
  if (method === 'MOVE' && happens(server, 'falseSuccess')) return answer(201)
  // Whoever answers 204 to an upload that it does not keep loses acknowledged writes: that is `lostWrite`.
  if (method !== 'PUT' && method !== 'COPY' && method !== 'MOVE' && happens(server, 'emptyAnswer'))
    return answer(204)
  if (!isWrite(request) && happens(server, 'falseMissing')) return answer(404)
  if (happens(server, 'oddStatus')) {
    const status = pick(server.random, oddStatuses)
    if (status === 429 || status === 503) return busy(server, status)
    return answer(status === 404 && !isWrite(request) ? 500 : status)
  }
  return undefined
}

/** What everybody is answered during an outage in which somebody answers. */
export function outageAnswer(server: ServerSide, kind: Exclude<OutageKind, 'refused' | 'silent'>): Answer {
  switch (kind) {
    case 'busy':
      return busy(server, 503)
    case 'bad-gateway':
      return htmlPage(502)
    case 'missing':
      return htmlPage(404)
    case 'page':
      return htmlPage(200)
  }
}

function busy(server: ServerSide, status: number): Answer {
  const value = pick(server.random, retryAfters)
  if (value === null) return answer(status)
  const after = value === '{date}' ? dateText(server, 5_000 * server.random.fraction()) : value
  return answer(status, { date: dateText(server), 'retry-after': after })
}

/** The server's time as HTTP writes it. */
export function dateText(server: ServerSide, aheadMs = 0): string {
  return new Date(server.clock.now() + server.faults.dateSkewMs + aheadMs).toUTCString()
}

/** The older answer of a cache in between, when it has one and chance asks it. */
export function fromCache(server: ServerSide, request: TransportRequest, given: Answer): Answer {
  const isListing = request.method === 'PROPFIND' && request.depth === '1'
  const kind = isListing ? 'staleListing' : request.method === 'HEAD' ? 'staleHead' : null
  if (kind === null || server.faults[kind] === 0) return given
  const key = `${request.method} ${request.name}`
  const kept = server.cache.get(key)
  const nowMs = server.clock.monotonic()
  if (kept !== undefined && nowMs - kept.atMs < staleMaxMs && happens(server, kind)) return kept.answer
  if (given.status === (isListing ? 207 : 200)) server.cache.set(key, { answer: given, atMs: nowMs })
  return given
}

/** How the body of an answer ends before its end: with an error, or silently; `null` when it does not. */
export interface BreakOff {
  readonly afterBytes: number
  readonly isSilent: boolean
  /** The Content-Length that the server tells: the wrong one, or none. With the right one the client would notice. */
  readonly length: 'kept' | 'short' | 'none'
}

export function drawBreakOff(server: ServerSide, request: TransportRequest, given: Answer): BreakOff | null {
  const size = given.body.length
  if (size === 0 || request.method === 'HEAD') return null
  const after = () => Math.floor(size * server.random.fraction())
  if (happens(server, 'cutRead')) return { afterBytes: after(), isSilent: false, length: 'kept' }
  if (given.status === 207 && happens(server, 'cutListing'))
    return { afterBytes: after(), isSilent: true, length: 'none' }
  if (request.method === 'GET' && given.status === 200 && happens(server, 'shortRead'))
    return { afterBytes: after(), isSilent: true, length: server.random.fraction() < 0.5 ? 'short' : 'none' }
  return null
}
