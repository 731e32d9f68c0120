/** A server that answers whatever it is told to, in no time, and counts. */
import type { Clock } from '../../src/model/clock.ts'
import type { StoreContext } from '../../src/remote/answer.ts'
import type { Transport, TransportRequest, TransportResponse } from '../../src/remote/transport.ts'
import { withRetry } from '../../src/remote/with-retry.ts'
import { answerOf } from '../support/memory-dav.ts'
import { createSeededRandom } from '../support/virtual-clock.ts'

export interface Canned {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
}

export interface CannedStore {
  readonly context: StoreContext
  requests(): number
  /** Virtual time that was waited. */
  waitedMs(): number
}

/** The parts of the protocol over one canned answer to everything, or one for each request. */
export function cannedStore(answer: Canned | ((request: TransportRequest) => Canned)): CannedStore {
  let requests = 0
  let waitedMs = 0
  const clock: Clock = {
    now: () => Date.UTC(2026, 0, 1) + waitedMs,
    monotonic: () => waitedMs,
    async sleep(ms, signal) {
      signal?.throwIfAborted()
      waitedMs += ms
    },
  }
  const random = createSeededRandom(3)
  const transport: Transport = {
    url: 'http://dav.test/dav/store/',
    foldersAbove: 2,
    async request(request): Promise<TransportResponse> {
      requests++
      const { status, headers, body } = typeof answer === 'function' ? answer(request) : answer
      return answerOf(status, { ...headers }, request.method === 'HEAD' ? '' : body)
    },
    traffic: () => ({ requests, bytesSent: 0, bytesReceived: 0, byMethod: {} }),
    close: async () => {},
  }
  return {
    context: {
      transport: withRetry(transport, { attempts: 3, baseMs: 10, maxMs: 100, clock, random }),
      clock,
      random,
      onNotice: () => {},
      onFork: () => {},
    },
    requests: () => requests,
    waitedMs: () => waitedMs,
  }
}
