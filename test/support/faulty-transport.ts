/** A transport that loses, delays, repeats and distorts what goes through it, by seed. Wraps any other. */
import type { Clock, Random } from '../../src/model/clock.ts'
import { DavitError } from '../../src/model/errors.ts'
import type { Transport, TransportRequest, TransportResponse } from '../../src/remote/transport.ts'
import { answerOf, bodyOf } from './memory-dav.ts'

/** Probabilities, each in [0, 1]. */
export interface Faults {
  /** Never arrives. */
  readonly lostRequest?: number
  /** Is executed; the answer does not come back. */
  readonly lostReply?: number
  /** Arrives after the client gave up. */
  readonly late?: number
  /** Is executed a second time, later. */
  readonly duplicate?: number
  /** A PUT is cut: half of it stays, or nothing. */
  readonly tornUpload?: number
  /** A GET ends early, silently. */
  readonly tornDownload?: number
  /** Another status instead of the effect. */
  readonly oddStatus?: number
  /** A MOVE that found nothing is reported as done. */
  readonly falseSuccess?: number
  /** A read of something that is there says 404. */
  readonly falseMissing?: number
  /** A listing as it was a while ago. */
  readonly staleListing?: number
  /** Up to so many milliseconds before the effect, and again after it. */
  readonly delayMs?: number
}

const oddStatuses = [423, 429, 500, 502, 503, 504]

export function withFaults(transport: Transport, faults: Faults, clock: Clock, random: Random): Transport {
  const happens = (probability: number | undefined) => random.fraction() < (probability ?? 0)
  const pause = () => clock.sleep(random.fraction() * (faults.delayMs ?? 0))
  const listings = new Map<string, Uint8Array>()

  /** Executed some time after nobody waits for it any more. */
  function later(request: TransportRequest): void {
    const { signal: _, ...rest } = request
    void clock.sleep(random.fraction() * 5_000).then(() => transport.request(rest))
  }

  function lost(problem: string): DavitError {
    return new DavitError('remote-unreachable', problem, { action: 'retry' })
  }

  async function withBytes(request: TransportRequest): Promise<TransportRequest> {
    return request.body === undefined ? request : { ...request, body: await bodyOf(request) }
  }

  async function read(request: TransportRequest): Promise<TransportResponse> {
    const response = await transport.request(request)
    if (response.status < 300 && happens(faults.falseMissing)) return answerOf(404)
    if (request.method === 'HEAD' || response.status >= 300) return response
    const chunks: Uint8Array[] = []
    for await (const chunk of response.body) chunks.push(chunk)
    let bytes: Uint8Array = Buffer.concat(chunks)
    if (request.method === 'GET' && happens(faults.tornDownload)) {
      bytes = bytes.subarray(0, Math.floor(bytes.length * random.fraction()))
      return answerOf(200, { 'content-length': String(bytes.length) }, bytes)
    }
    if (request.method === 'PROPFIND') {
      const stale = listings.get(request.name)
      if (stale !== undefined && happens(faults.staleListing)) bytes = stale
      else listings.set(request.name, bytes)
    }
    return answerOf(response.status, response.headers, bytes)
  }

  return {
    ...transport,
    async request(original) {
      const request = await withBytes(original)
      await pause()
      if (happens(faults.lostRequest)) throw lost('the request was lost')
      if (happens(faults.late) && ['PUT', 'MOVE', 'DELETE', 'MKCOL'].includes(request.method)) {
        later(request)
        throw lost('no answer in time')
      }
      if (request.method === 'PUT' && happens(faults.tornUpload)) {
        const bytes = request.body as Uint8Array
        if (happens(0.5))
          await transport.request({ ...request, body: bytes.subarray(0, Math.floor(bytes.length / 2)) })
        throw lost('the connection was cut')
      }
      if (happens(faults.oddStatus))
        return answerOf(oddStatuses[Math.floor(random.fraction() * oddStatuses.length)] as number)
      const isReading = ['GET', 'HEAD', 'PROPFIND'].includes(request.method)
      let response = isReading ? await read(request) : await transport.request(request)
      if (!isReading && happens(faults.duplicate)) later(request)
      if (request.method === 'MOVE' && response.status === 404 && happens(faults.falseSuccess))
        response = answerOf(201)
      await pause()
      if (happens(faults.lostReply)) throw lost('the reply was lost')
      return response
    },
  }
}

/** A server whose MOVE copies, waits, and deletes, as some do between folders or on object storage. */
export function withCopyingMove(
  transport: Transport,
  clock: Clock,
  random: Random,
  crashes: number,
): Transport {
  return {
    ...transport,
    async request(request) {
      if (request.method !== 'MOVE') return transport.request(request)
      const copied = await transport.request({ ...request, method: 'COPY' })
      await clock.sleep(random.fraction() * 1_500)
      // The server dies between the halves.
      if (random.fraction() < crashes) return answerOf(500)
      if (copied.status < 300) await transport.request({ method: 'DELETE', name: request.name })
      return copied
    },
  }
}
