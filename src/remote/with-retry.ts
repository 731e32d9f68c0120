/**
 * Repeats what may be repeated blindly, and lets a struggling server breathe: after a busy or broken answer every
 * request waits, not only the one that met it. What must not be repeated without looking (PUT, MOVE, …) never is.
 */
import type { Clock, Random } from '../model/clock.ts'
import { isDavitError } from '../model/errors.ts'
import { isSuccess, readBody, retryAfterMs } from './answer.ts'
import type { Transport, TransportRequest, TransportResponse } from './transport.ts'

export interface RetryOptions {
  /** Times that one request is sent, in all. */
  readonly attempts: number
  /** The longest random wait before the first repetition; it doubles with each, up to `maxMs`. */
  readonly baseMs: number
  readonly maxMs: number
  readonly clock: Clock
  readonly random: Random
}

const idempotent = ['GET', 'HEAD', 'PROPFIND']
const repeated = [408, 423, 425, 429, 500, 502, 503, 504]
/** Answers that speak of the whole server, not of one name. */
const ofTheServer = [429, 502, 503, 504]
/** A server that took the password before and refuses it now is asked once more, after a pause. */
const unauthorizedPauseMs = 5_000

export function withRetry(transport: Transport, options: RetryOptions): Transport {
  const { clock, random } = options
  /** Nobody sends before this moment of the monotonic clock. */
  let notBeforeMs = 0
  /** Failures of the server in a row, over all requests. */
  let failures = 0
  let wasAuthorized = false

  async function pass(signal: AbortSignal | undefined): Promise<void> {
    // Another failure may move the moment on while this request waits; a bounded number of times.
    for (let round = 0; round < options.attempts && notBeforeMs > clock.monotonic(); round++) {
      await clock.sleep(notBeforeMs - clock.monotonic(), signal)
    }
  }

  function jitter(attempt: number): number {
    return Math.ceil(Math.min(options.baseMs * 2 ** attempt, options.maxMs) * random.fraction())
  }

  function holdEverybody(waitMs: number): void {
    notBeforeMs = Math.max(notBeforeMs, clock.monotonic() + waitMs)
  }

  /** Notes what an answer says of the server; tells how long this request waits if it is repeated. */
  function note(response: TransportResponse, attempt: number): number {
    const asked = repeated.includes(response.status) ? retryAfterMs(response.headers, clock.now()) : undefined
    const waitMs = asked === undefined ? jitter(attempt) : asked + jitter(0)
    if (ofTheServer.includes(response.status) || asked !== undefined) {
      failures++
      holdEverybody(asked === undefined ? jitter(failures - 1) : waitMs)
    } else if (!repeated.includes(response.status)) failures = 0
    return waitMs
  }

  async function send(request: TransportRequest): Promise<TransportResponse> {
    const response = await transport.request(request)
    if (request.collectBytesMax === undefined) return response
    const bytes = await readBody(response, request.collectBytesMax)
    return {
      ...response,
      body: (async function* () {
        if (bytes.length > 0) yield bytes
      })(),
      discard: async () => {},
    }
  }

  return {
    ...transport,
    async request(request) {
      const attempts = idempotent.includes(request.method) ? Math.max(1, options.attempts) : 1
      let unauthorized = 0
      for (let attempt = 0; ; attempt++) {
        await pass(request.signal)
        try {
          const response = await send(request)
          if (response.status === 401 && wasAuthorized && unauthorized++ === 0) {
            await response.discard()
            await clock.sleep(Math.ceil(unauthorizedPauseMs * (0.5 + random.fraction())), request.signal)
            attempt--
            continue
          }
          if (isSuccess(response.status) || response.status === 207) wasAuthorized = true
          const waitMs = note(response, attempt)
          if (!repeated.includes(response.status) || attempt + 1 >= attempts) return response
          await response.discard()
          await clock.sleep(waitMs, request.signal)
        } catch (error) {
          request.signal?.throwIfAborted()
          if (!isDavitError(error, 'remote-unreachable')) throw error
          failures++
          holdEverybody(jitter(failures - 1))
          if (attempt + 1 >= attempts) throw error
          await clock.sleep(jitter(attempt), request.signal)
        }
      }
    },
  }
}
