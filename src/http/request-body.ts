/** Bodies: JSON within bounds, checked against a schema; contents as streams. */
import type { Context } from 'hono'
import type { z } from 'zod'
import type { Clock } from '../model/clock.ts'
import { DavitError } from '../model/errors.ts'
import { requestBodyBytesMax, requestBodyDepthMax, requestBodyMs, uploadIdleMs } from '../model/limits.ts'
import { RefusedRequest } from './error-response.ts'

const jsonTypes: ReadonlySet<string> = new Set(['application/json', 'application/merge-patch+json'])

function badRequest(message: string): DavitError {
  return new DavitError('bad-request', message, { action: 'give-up' })
}

function mediaTypeOf(c: Context): string | null {
  const header = c.req.header('content-type')
  return header === undefined ? null : (header.split(';')[0] as string).trim().toLowerCase()
}

/**
 * Reads a stream piece by piece. Ends with `RefusedRequest` when the sender takes longer than `limitMs`: between two
 * pieces, or for all of them when `whole`. The stream is cancelled whenever reading ends.
 */
async function* readPieces(
  body: ReadableStream<Uint8Array>,
  options: { readonly clock: Clock; readonly limitMs: number; readonly whole: boolean },
): AsyncGenerator<Uint8Array, void, undefined> {
  const reader = body.getReader()
  const startedAt = options.clock.monotonic()
  let isEnded = false
  try {
    for (;;) {
      const spentMs = options.whole ? options.clock.monotonic() - startedAt : 0
      const timer = new AbortController()
      const late = options.clock.sleep(Math.max(0, options.limitMs - spentMs), timer.signal).then(() => {
        throw new RefusedRequest('body-too-slow', 'the body took too long to arrive')
      })
      const piece = await Promise.race([reader.read(), late]).finally(() => timer.abort())
      if (piece.done) {
        isEnded = true
        return
      }
      yield piece.value
    }
  } finally {
    if (!isEnded) {
      // A stream that has failed already rejects once more here; the first error is the one that is thrown.
      await reader.cancel().catch(() => undefined)
    }
  }
}

/** JSON that could trip those who walk it later: too deep, or with a key that means an object's prototype. */
function checkShape(value: unknown, depth: number): void {
  if (typeof value !== 'object' || value === null) return
  if (depth >= requestBodyDepthMax)
    throw badRequest(`the body nests deeper than ${requestBodyDepthMax} levels`)
  if (Object.hasOwn(value, '__proto__')) throw badRequest("the body has a key '__proto__'")
  for (const item of Object.values(value)) checkShape(item, depth + 1)
}

/** Names the places that do not fit, as a sentence. */
export function explainIssues(error: z.ZodError): string {
  return error.issues
    .slice(0, 5)
    .map((issue) => (issue.path.length === 0 ? issue.message : `${issue.path.join('.')}: ${issue.message}`))
    .join('; ')
}

/** Refuses a body that claims to be something else than JSON, as a form that a foreign page sends would. */
export function checkMediaType(c: Context): void {
  const type = mediaTypeOf(c)
  if (type !== null && !jsonTypes.has(type)) {
    throw new RefusedRequest('media-type-unsupported', 'a body has to be application/json')
  }
}

/**
 * The JSON body, checked. No body at all counts as `{}`.
 *
 * @throws RefusedRequest `media-type-unsupported`, `body-too-large`, `body-too-slow`; DavitError `bad-request`.
 */
export async function readJson<Schema extends z.ZodType>(
  c: Context,
  schema: Schema,
  options: { readonly clock: Clock; readonly bytesMax?: number },
): Promise<z.infer<Schema>> {
  checkMediaType(c)
  const bytesMax = options.bytesMax ?? requestBodyBytesMax
  const tooLarge = () => new RefusedRequest('body-too-large', `a body may have at most ${bytesMax} bytes`)
  if (Number(c.req.header('content-length') ?? 0) > bytesMax) throw tooLarge()

  const pieces: Uint8Array[] = []
  let size = 0
  if (c.req.raw.body !== null) {
    for await (const piece of readPieces(c.req.raw.body, {
      ...options,
      limitMs: requestBodyMs,
      whole: true,
    })) {
      size += piece.byteLength
      if (size > bytesMax) throw tooLarge()
      pieces.push(piece)
    }
  }
  if (size > 0 && mediaTypeOf(c) === null) {
    throw new RefusedRequest('media-type-unsupported', 'a body needs the content type application/json')
  }

  let value: unknown = {}
  if (size > 0) {
    try {
      value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(pieces)))
    } catch {
      throw badRequest('the body is not JSON')
    }
  }
  checkShape(value, 0)
  const result = schema.safeParse(value)
  if (!result.success) throw badRequest(explainIssues(result.error))
  return result.data
}

/**
 * The body as it arrives, of any size. The stream fails when the connection breaks before its end, so that half a
 * content is never taken for a whole one.
 */
export async function* readContent(c: Context, clock: Clock): AsyncGenerator<Uint8Array, void, undefined> {
  if (c.req.raw.body === null) return
  yield* readPieces(c.req.raw.body, { clock, limitMs: uploadIdleMs, whole: false })
}
