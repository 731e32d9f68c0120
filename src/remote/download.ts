/** Reads one object whole and verified, or says plainly that it is missing or damaged. */
import { createHash } from 'node:crypto'
import type { ContentSink } from '../model/content.ts'
import { DavitError, isDavitError } from '../model/errors.ts'
import type { ContentHash } from '../model/file-state.ts'
import { readAttemptsMax } from '../model/limits.ts'
import { answerError, contentLength, isEncoded, type StoreContext, unexpected, waitBefore } from './answer.ts'
import { assertRootAnswers } from './list-collection.ts'
import type { TransportRequest } from './transport.ts'

export interface Expected {
  readonly hash: ContentHash
  /** In bytes; `null` when only a bound is known. */
  readonly size: number | null
  readonly sizeMax: number
}

type Attempt = 'whole' | 'missing' | { readonly torn: string }

/**
 * Downloads into the sink. A torn, wrong or missing object is asked for again (servers show parts and 404s while they
 * write) before it counts as `remote-damaged`; a 404 counts only while the root itself answers.
 */
export async function downloadObject(
  context: StoreContext,
  name: string,
  expected: Expected,
  sink: ContentSink,
  signal?: AbortSignal,
): Promise<void> {
  let problem = 'it is missing'
  let broken: unknown = null
  for (let attempt = 0; attempt < readAttemptsMax; attempt++) {
    if (attempt > 0) {
      await waitBefore(attempt, context, signal)
      await sink.restart()
    }
    broken = null
    try {
      const outcome = await attemptDownload(context, name, expected, sink, signal)
      if (outcome === 'whole') return
      problem = outcome === 'missing' ? 'it is missing' : outcome.torn
    } catch (error) {
      signal?.throwIfAborted()
      if (!isDavitError(error, 'remote-unreachable')) throw error
      broken = error
    }
  }
  // The last attempt broke off: that speaks of the connection, not of the object.
  if (broken !== null) throw broken
  await assertRootAnswers(context, signal)
  throw damagedObject(name, problem)
}

export function damagedObject(name: string, problem: string): DavitError {
  return new DavitError('remote-damaged', `${name} in the store is damaged: ${problem}`, {
    action: 'ask',
    hint: 'Any instance that still has the content can upload it anew; otherwise restore the file from a backup of the server.',
    details: { name },
  })
}

async function attemptDownload(
  context: StoreContext,
  name: string,
  expected: Expected,
  sink: ContentSink,
  signal?: AbortSignal,
): Promise<Attempt> {
  const request: TransportRequest = { method: 'GET', name, signal }
  const response = await context.transport.request(request)
  if (response.status === 404) {
    await response.discard()
    return 'missing'
  }
  if (response.status !== 200) {
    await response.discard()
    throw answerError(context, request, response, 'the object (200)')
  }
  if (isEncoded(response)) {
    await response.discard()
    throw unexpected(context, request, `it is encoded as ${response.headers['content-encoding']}`)
  }
  const length = contentLength(response)
  if (
    length !== null &&
    (length > expected.sizeMax || (expected.size !== null && length !== expected.size))
  ) {
    await response.discard()
    return { torn: `it has ${length} bytes instead of ${expected.size ?? `at most ${expected.sizeMax}`}` }
  }
  const hash = createHash('sha256')
  let size = 0
  for await (const chunk of response.body) {
    size += chunk.length
    if (size > (expected.size ?? expected.sizeMax)) return { torn: 'it is too long' }
    hash.update(chunk)
    await sink.write(chunk)
  }
  if (expected.size !== null && size !== expected.size)
    return { torn: `it has ${size} bytes instead of ${expected.size}` }
  const actual = hash.digest('hex')
  return actual === expected.hash ? 'whole' : { torn: `its SHA-256 is ${actual}` }
}

/**
 * Whether an object of that size is there: one HEAD. A server that tells no length is asked for the body; a 404 counts
 * only while the root itself answers.
 */
export async function findObject(
  context: StoreContext,
  name: string,
  size: number,
  signal?: AbortSignal,
): Promise<boolean> {
  const head: TransportRequest = { method: 'HEAD', name, signal }
  const response = await context.transport.request(head)
  await response.discard()
  if (response.status === 404) {
    await assertRootAnswers(context, signal)
    return false
  }
  if (response.status !== 200) throw answerError(context, head, response, '200 or 404')
  const length = contentLength(response)
  if (length !== null) return length === size
  const get: TransportRequest = { method: 'GET', name, signal }
  const answer = await context.transport.request(get)
  if (answer.status !== 200) {
    await answer.discard()
    throw answerError(context, get, answer, '200')
  }
  let received = 0
  for await (const chunk of answer.body) {
    received += chunk.length
    if (received > size) return false
  }
  return received === size
}
