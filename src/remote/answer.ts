/** What an answer means when it is not the one that was hoped for: read with a bound, classified once. */
import type { ChainPoint } from '../model/changeset.ts'
import type { Clock, Random } from '../model/clock.ts'
import { DavitError, type ErrorAction, type ErrorCode } from '../model/errors.ts'
import { attemptDelayBaseMs, attemptDelayMaxMs, retryAfterMaxMs } from '../model/limits.ts'
import { requestUrl, type Transport, type TransportRequest, type TransportResponse } from './transport.ts'

/** What every part of the protocol works with. */
export interface StoreContext {
  readonly transport: Transport
  readonly clock: Clock
  readonly random: Random
  /** Told what went wrong without harm, such as the copy for people that could not be renewed. */
  readonly onNotice: (message: string) => void
  /** Told of several heads that are about to be healed: this server's MOVE is no rename. */
  readonly onFork: (heads: readonly ChainPoint[]) => void
}

type Asked = Pick<TransportRequest, 'method' | 'name' | 'above'>

/** 207 lists errors on everything but PROPFIND; 202 promises something for later. */
export function isSuccess(status: number): boolean {
  return status === 200 || status === 201 || status === 204
}

export function isHtml(response: TransportResponse): boolean {
  return /^\s*(text\/html|application\/xhtml\+xml)/i.test(response.headers['content-type'] ?? '')
}

/** The answer's Content-Length, `null` where the server sends none. */
export function contentLength(response: Pick<TransportResponse, 'headers'>): number | null {
  const text = response.headers['content-length']
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : null
}

/** Whether the body would arrive in another shape than it was asked for. Nothing is ever inflated for a server. */
export function isEncoded(response: Pick<TransportResponse, 'headers'>): boolean {
  return !/^(identity)?$/i.test((response.headers['content-encoding'] ?? '').trim())
}

/** The whole body; breaks off with `remote-unexpected` beyond the bound. */
export async function readBody(response: TransportResponse, bytesMax: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of response.body) {
    size += chunk.length
    if (size > bytesMax) {
      throw new DavitError('remote-unexpected', `the server's answer is longer than ${bytesMax} bytes`, {
        action: 'retry',
      })
    }
    chunks.push(chunk)
  }
  return chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks, size)
}

/** Retry-After in milliseconds from now, capped; `undefined` without one. A date is held against the server's own. */
export function retryAfterMs(headers: Readonly<Record<string, string>>, now: number): number | undefined {
  const text = headers['retry-after']?.trim()
  if (text === undefined || text === '') return undefined
  if (/^\d{1,9}$/.test(text)) return Math.min(Number(text) * 1000, retryAfterMaxMs)
  const at = Date.parse(text)
  if (Number.isNaN(at)) return undefined
  const { date = '' } = headers
  const serverNow = Date.parse(date)
  return Math.min(Math.max(0, at - (Number.isNaN(serverNow) ? now : serverNow)), retryAfterMaxMs)
}

const kinds: readonly {
  readonly statuses: readonly number[]
  readonly code: ErrorCode
  readonly action: ErrorAction
  readonly hint: string
}[] = [
  {
    statuses: [401],
    code: 'remote-unauthorized',
    action: 'ask',
    hint: 'Check the user name and the password (or token) of the remote.',
  },
  {
    statuses: [403],
    code: 'remote-unauthorized',
    action: 'ask',
    hint: 'Check that this user may read and write in the folder.',
  },
  {
    statuses: [413],
    code: 'remote-too-large',
    action: 'ask',
    hint: "Raise the server's (or its proxy's) limit for the size of a request body.",
  },
  {
    statuses: [507],
    code: 'remote-full',
    action: 'retry',
    hint: 'Make room on the server or raise the quota.',
  },
  {
    statuses: [423, 429, 503],
    code: 'remote-busy',
    action: 'retry',
    hint: 'The server is busy; the request is repeated later.',
  },
  {
    statuses: [408, 500, 502, 504],
    code: 'remote-unreachable',
    action: 'retry',
    hint: "Look at the server's own log if this goes on.",
  },
]

/** The error for an answer that the caller cannot use. `expected` completes "where … was expected". */
export function answerError(
  context: Pick<StoreContext, 'transport' | 'clock'>,
  asked: Asked,
  response: TransportResponse,
  expected: string,
): DavitError {
  const kind = kinds.find((candidate) => candidate.statuses.includes(response.status))
  const after = retryAfterMs(response.headers, context.clock.now())
  const what = isHtml(response) ? `${response.status} with an HTML page` : `${response.status}`
  return new DavitError(
    kind?.code ?? (response.status >= 500 ? 'remote-unreachable' : 'remote-unexpected'),
    `${asked.method} ${requestUrl(context.transport, asked)} was answered with ${what} where ${expected} was expected`,
    {
      action: kind?.action ?? 'retry',
      hint:
        kind?.hint ??
        'Check that the URL is that of a WebDAV folder and that no login page or proxy answers in its place.',
      details: { status: response.status },
      ...(after === undefined ? {} : { retryAfterMs: after }),
    },
  )
}

/** `remote-unexpected` about an answer whose status was right and whose rest was not. */
export function unexpected(
  context: Pick<StoreContext, 'transport'>,
  asked: Asked,
  problem: string,
  cause?: unknown,
): DavitError {
  return new DavitError(
    'remote-unexpected',
    `the answer to ${asked.method} ${requestUrl(context.transport, asked)} cannot be used: ${problem}`,
    {
      action: 'retry',
      hint: 'Check that the URL is that of a WebDAV folder and that no login page, proxy or cache answers in its place.',
      cause,
    },
  )
}

/** A random time that grows with each attempt: full jitter, so that racing instances drift apart. */
export async function waitBefore(
  attempt: number,
  context: Pick<StoreContext, 'clock' | 'random'>,
  signal?: AbortSignal,
): Promise<void> {
  const most = Math.min(attemptDelayBaseMs * 2 ** attempt, attemptDelayMaxMs)
  await context.clock.sleep(Math.ceil(most * context.random.fraction()) + 1, signal)
}
