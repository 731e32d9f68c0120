/** Keeps the bodies that a transport sends and receives under a number of bytes a second. */
import type { Clock } from '../model/clock.ts'
import type { ContentSource } from '../model/content.ts'
import type { Transport, TransportRequest } from './transport.ts'

export interface LimitOptions {
  /** 0 or absent: without a limit. */
  readonly uploadBytesPerSecond?: number
  readonly downloadBytesPerSecond?: number
  readonly clock: Clock
}

export function withLimit(transport: Transport, options: LimitOptions): Transport {
  const upload = createBucket(options.uploadBytesPerSecond ?? 0, options.clock)
  const download = createBucket(options.downloadBytesPerSecond ?? 0, options.clock)
  if (upload === null && download === null) return transport
  return {
    ...transport,
    async request(request) {
      const response = await transport.request(upload === null ? request : throttled(request, upload))
      if (download === null) return response
      return { ...response, body: pace(response.body, download, request.signal) }
    },
  }
}

/** Bytes that may flow at once, refilled by the clock; callers are served in the order in which they ask. */
interface Bucket {
  readonly pieceBytes: number
  take(bytes: number, signal?: AbortSignal): Promise<void>
}

/** What may flow at once after a pause, in milliseconds of the rate. */
const burstMs = 250

function createBucket(bytesPerSecond: number, clock: Clock): Bucket | null {
  if (bytesPerSecond <= 0) return null
  /** When what was taken so far will have flowed at the rate. */
  let paidMs = Number.NEGATIVE_INFINITY
  return {
    pieceBytes: Math.max(1, Math.min(64 * 1024, Math.ceil(bytesPerSecond / 4))),
    async take(bytes, signal) {
      const now = clock.monotonic()
      paidMs = Math.max(paidMs, now - burstMs) + (bytes * 1000) / bytesPerSecond
      if (paidMs > now) await clock.sleep(Math.ceil(paidMs - now), signal)
    },
  }
}

async function* pace(
  body: AsyncIterable<Uint8Array>,
  bucket: Bucket,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of body) {
    for (let start = 0; start < chunk.length; start += bucket.pieceBytes) {
      const piece = chunk.subarray(start, start + bucket.pieceBytes)
      await bucket.take(piece.length, signal)
      yield piece
    }
  }
}

function throttled(request: TransportRequest, bucket: Bucket): TransportRequest {
  const { body } = request
  if (body === undefined) return request
  const source: ContentSource =
    body instanceof Uint8Array
      ? {
          size: body.length,
          open: async function* () {
            yield body
          },
        }
      : body
  return {
    ...request,
    body: { size: source.size, open: (signal) => pace(source.open(signal), bucket, signal) },
  }
}
