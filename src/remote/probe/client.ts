/** How probes ask: every answer is a value, whatever it says, and what shows on the way is noted. */
import type { Clock, Random } from '../../model/clock.ts'
import { type DavitError, isDavitError } from '../../model/errors.ts'
import { multistatusBytesMax, probeAnswerBytesMax, probeAttemptsMax } from '../../model/limits.ts'
import { isEncoded, readBody, retryAfterMs } from '../answer.ts'
import { propfindBody } from '../list-collection.ts'
import { type Listing, parseMultistatus } from '../multistatus.ts'
import { requestUrl, type Transport, type TransportRequest, type TransportResponse } from '../transport.ts'
import type { ProbeEffort } from './effort.ts'
import type { Status, TrafficFacts } from './facts.ts'

/** What a probe works with. */
export interface ProbeContext {
  /** Independent clients of one server, at least two. None repeats anything by itself. */
  readonly clients: readonly Transport[]
  /** Where it may write, and nowhere else: exists, ends in a slash. */
  readonly folder: string
  readonly clock: Clock
  readonly random: Random
  readonly effort: ProbeEffort
  readonly notes: ProbeNotes
  readonly signal: AbortSignal
}

export interface Told {
  readonly status: Status
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
  /** Where the answer came from in the end. */
  readonly url: string
  /** Why there is no answer, when there is none. */
  readonly failure: DavitError | null
}

export interface AskOptions {
  /** Which client asks; 0 by default. */
  readonly client?: number
  /** 1: the answer as it comes; neither a busy server nor a lost answer is asked again. */
  readonly attempts?: number
  readonly bytesMax?: number
}

const reading = ['GET', 'HEAD', 'PROPFIND']
/** rclone and x/net answer 423 to whoever comes second; the others speak of the whole server. */
const busy = [423, 429, 502, 503, 504]

/**
 * Asks, and again for a while when the server is busy or does not answer. A reading request that is never answered
 * rejects with `remote-unreachable`; for others the `status` is `null`.
 */
export async function ask(
  context: ProbeContext,
  request: TransportRequest,
  options: AskOptions = {},
): Promise<Told> {
  const client = context.clients[options.client ?? 0] as Transport
  const attempts = options.attempts ?? probeAttemptsMax
  for (let attempt = 1; ; attempt++) {
    const told = await send(context, client, request, options.bytesMax ?? probeAnswerBytesMax)
    const isLast = attempt >= attempts
    if (told.status === null) {
      if (isLast && attempts > 1 && reading.includes(request.method) && told.failure !== null)
        throw told.failure
      if (isLast) return told
    } else if (!busy.includes(told.status) || isLast) return told
    const asked = retryAfterMs(told.headers, context.clock.now())
    const pauseMs = 25 * 2 ** attempt * (0.5 + context.random.fraction())
    await context.clock.sleep(Math.ceil(asked ?? pauseMs), context.signal)
  }
}

/** What stands under the name, whole; the `status` tells when nothing does. */
export function get(context: ProbeContext, name: string, client = 0): Promise<Told> {
  return ask(context, { method: 'GET', name }, { client })
}

export function put(
  context: ProbeContext,
  name: string,
  body: Uint8Array | string,
  client = 0,
): Promise<Told> {
  const bytes = typeof body === 'string' ? new TextEncoder().encode(body) : body
  return ask(context, { method: 'PUT', name, body: bytes }, { client })
}

export interface ToldListing {
  readonly status: Status
  readonly headers: Readonly<Record<string, string>>
  /** `null`: not a multistatus that can be read. */
  readonly listing: Listing | null
  readonly text: string
}

/** PROPFIND of a folder (`''`: the root), Depth 1. An answer that breaks off is asked for again. */
export async function list(context: ProbeContext, name: string, client = 0): Promise<ToldListing> {
  for (let attempt = 1; ; attempt++) {
    const request: TransportRequest = {
      method: 'PROPFIND',
      name,
      depth: '1',
      headers: { 'content-type': 'application/xml; charset=utf-8' },
      body: propfindBody,
    }
    const told = await ask(context, request, { client, bytesMax: multistatusBytesMax })
    const text = new TextDecoder().decode(told.body)
    const { status, headers } = told
    if (status !== 207) return { status, headers, listing: null, text }
    try {
      return { status, headers, listing: await parseMultistatus(text, told.url), text }
    } catch {
      // rclone breaks off when a name goes away meanwhile. For good: the caller is told that it cannot be read.
      if (attempt >= probeAttemptsMax) return { status, headers, listing: null, text }
    }
  }
}

async function send(
  context: ProbeContext,
  client: Transport,
  request: TransportRequest,
  bytesMax: number,
): Promise<Told> {
  const { signal } = context
  const url = requestUrl(client, request)
  const none = { headers: {}, body: new Uint8Array(), url }
  signal.throwIfAborted()
  try {
    const response = await client.request({ ...request, signal })
    context.notes.answer(response, context.clock.now())
    const body = await readBody(response, bytesMax)
    return { ...response, url: response.url ?? url, body, failure: null }
  } catch (error) {
    signal.throwIfAborted()
    if (isDavitError(error, 'remote-unreachable')) {
      context.notes.unanswered()
      return { ...none, status: null, failure: error }
    }
    if (isDavitError(error, 'remote-unexpected') && typeof error.details['status'] === 'number') {
      context.notes.redirected(String(error.details['location'] ?? ''))
      return { ...none, status: error.details['status'], failure: null }
    }
    throw error
  }
}

export interface ProbeNotes {
  answer(response: TransportResponse, now: number): void
  unanswered(): void
  redirected(location: string): void
  facts(): TrafficFacts
}

const betweenHeaders = ['via', 'age', 'x-cache', 'x-cache-status', 'cf-cache-status', 'x-varnish']

export function createNotes(): ProbeNotes {
  const encodings = new Set<string>()
  const between = new Set<string>()
  const counts = { busy: 0, busyWithRetryAfter: 0, retryAfterMaxMs: 0, unanswered: 0 }
  let redirectedTo: string | null = null
  return {
    answer(response, now) {
      const { headers, status } = response
      if (isEncoded(response)) encodings.add(headers['content-encoding'] as string)
      for (const name of betweenHeaders) if (headers[name] !== undefined) between.add(name)
      if (status !== 429 && status !== 503) return
      counts.busy++
      const asked = retryAfterMs(headers, now)
      if (asked === undefined) return
      counts.busyWithRetryAfter++
      counts.retryAfterMaxMs = Math.max(counts.retryAfterMaxMs, asked)
    },
    unanswered() {
      counts.unanswered++
    },
    redirected(location) {
      redirectedTo = location
    },
    facts: () => ({
      ...counts,
      encodings: [...encodings].sort(),
      between: [...between].sort(),
      redirectedTo,
    }),
  }
}

export function isDone(status: Status): boolean {
  return status === 200 || status === 201 || status === 204
}

export function sameBytes(left: Uint8Array, right: Uint8Array | string): boolean {
  return Buffer.compare(left, Buffer.from(right)) === 0
}
