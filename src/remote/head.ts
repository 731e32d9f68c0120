/**
 * The head: the name of the one file in `version/`. Only names that were listed are believed; zero names or several
 * are looked at again, since a listing can fall between the halves of a rename.
 */
import type { ChainPoint } from '../model/changeset.ts'
import { isDavitError } from '../model/errors.ts'
import { headLookIntervalMs, headLooksMax } from '../model/limits.ts'
import { answerError, contentLength, isEncoded, isHtml, type StoreContext, unexpected } from './answer.ts'
import { headContent, headName, parseHead, versionFolder } from './layout.ts'
import { listCollection, nearestFolder } from './list-collection.ts'
import type { HeadListing } from './remote.ts'
import type { TransportRequest } from './transport.ts'

/** One look at `version/`. `doubtful`: an answer that holds nothing and could just as well be broken. */
export type HeadLook =
  | { readonly kind: 'missing' }
  | { readonly kind: 'doubtful'; readonly reason: string }
  | { readonly kind: 'names'; readonly heads: readonly ChainPoint[] }

export async function lookAtHeads(context: StoreContext, signal?: AbortSignal): Promise<HeadLook> {
  const listing = await listCollection(context, { name: versionFolder }, signal)
  if (listing.kind === 'missing') return listing
  const heads = listing.entries
    .filter((entry) => !entry.isCollection)
    .map((entry) => parseHead(entry.name))
    .filter((point) => point !== null)
  if (heads.length === 0 && !listing.hasOwn)
    return { kind: 'doubtful', reason: 'the folder does not list itself' }
  return { kind: 'names', heads: heads.sort(compareHeads) }
}

/** The higher version first, then the smaller hash: the order in which heads win. */
export function compareHeads(left: ChainPoint, right: ChainPoint): number {
  if (left.version !== right.version) return right.version - left.version
  return left.hash < right.hash ? -1 : left.hash > right.hash ? 1 : 0
}

export function samePoint(left: ChainPoint, right: ChainPoint): boolean {
  return left.version === right.version && left.hash === right.hash
}

/** Looks up to three times, a second apart, before anything but exactly one name is believed. */
export async function listHeads(context: StoreContext, signal?: AbortSignal): Promise<HeadListing> {
  let look = await lookAtHeads(context, signal)
  for (let looks = 1; looks < headLooksMax && !isSettled(look); looks++) {
    if (look.kind === 'missing') {
      // A proxy's 404 says nothing about the store: some folder on the way to it has to answer plainly.
      if ((await nearestFolder(context, signal)) === null) throw nothingAnswers(context)
    } else await context.clock.sleep(headLookIntervalMs, signal)
    const before = look
    look = await lookAtHeads(context, signal)
    if (before.kind === 'missing' && look.kind === 'missing') return { kind: 'missing' }
  }
  switch (look.kind) {
    case 'missing':
      throw nothingAnswers(context)
    case 'doubtful':
      throw unexpected(context, { method: 'PROPFIND', name: versionFolder }, look.reason)
    case 'names':
      if (look.heads.length === 0) return { kind: 'empty' }
      if (look.heads.length === 1) return { kind: 'one', head: look.heads[0] as ChainPoint }
      return { kind: 'several', heads: look.heads }
  }
}

function isSettled(look: HeadLook): boolean {
  return look.kind === 'names' && look.heads.length === 1
}

function nothingAnswers(context: StoreContext) {
  return unexpected(
    context,
    { method: 'PROPFIND', name: versionFolder },
    'it is 404, and so are the folders above it, or they come and go',
  )
}

/**
 * The whole check that nothing changed: HEAD on the known name. 200 with the known length (or none told): unchanged;
 * 404: changed. A length that is not a head's is settled by listing; everything else rejects.
 */
export async function checkHead(context: StoreContext, known: ChainPoint): Promise<'unchanged' | 'changed'> {
  const request: TransportRequest = { method: 'HEAD', name: headName(known) }
  const response = await context.transport.request(request)
  await response.discard()
  if (response.status === 404) return 'changed'
  if (response.status !== 200) throw answerError(context, request, response, '200 or 404')
  const length = contentLength(response)
  if (!isHtml(response) && !isEncoded(response) && (length === null || length === headContent.length))
    return 'unchanged'
  // Either a page that answers in the server's place, which no listing survives, or a head whose first upload was torn.
  const look = await lookAtHeads(context)
  if (look.kind !== 'names' || look.heads.length === 0)
    throw unexpected(
      context,
      request,
      `it has ${length ?? 'no'} bytes where ${headContent.length} were expected`,
    )
  const [only] = look.heads
  return look.heads.length === 1 && only !== undefined && samePoint(only, known) ? 'unchanged' : 'changed'
}

/** DELETE of one head's name; that it is gone already is as good. */
export async function deleteHead(
  context: StoreContext,
  point: ChainPoint,
  signal?: AbortSignal,
): Promise<void> {
  const request: TransportRequest = { method: 'DELETE', name: headName(point), signal }
  try {
    const response = await context.transport.request(request)
    await response.discard()
    if ([401, 403, 405, 501].includes(response.status))
      throw answerError(context, request, response, '204 or 404')
    // Whatever else was answered: the names are looked at next.
  } catch (error) {
    signal?.throwIfAborted()
    if (!isDavitError(error, 'remote-unreachable')) throw error
  }
}
