/** The names in one collection of the store, and whether the server can be believed when it says that one is missing. */
import { isDavitError } from '../model/errors.ts'
import { multistatusBytesMax, readAttemptsMax } from '../model/limits.ts'
import { answerError, isHtml, readBody, type StoreContext, unexpected, waitBefore } from './answer.ts'
import { type Listing, parseMultistatus } from './multistatus.ts'
import { requestUrl, type TransportRequest } from './transport.ts'

export type CollectionListing = { readonly kind: 'missing' } | ({ readonly kind: 'listed' } & Listing)

// `resourcetype` exists on every resource, so no answer is split into found and not found.
export const propfindBody = new TextEncoder().encode(
  '<?xml version="1.0" encoding="utf-8"?>\n<propfind xmlns="DAV:"><prop><resourcetype/></prop></propfind>\n',
)

/** PROPFIND, Depth 1 (or 0). 404 is `missing`; whatever is neither that nor a multistatus rejects. */
export async function listCollection(
  context: StoreContext,
  place: { readonly name: string; readonly above?: number; readonly depth?: '0' | '1' },
  signal?: AbortSignal,
): Promise<CollectionListing> {
  const request: TransportRequest = {
    method: 'PROPFIND',
    name: place.name,
    above: place.above ?? 0,
    depth: place.depth ?? '1',
    headers: { 'content-type': 'application/xml; charset=utf-8' },
    body: propfindBody,
    collectBytesMax: multistatusBytesMax,
    signal,
  }
  let listing: Listing | null = null
  for (let attempt = 0; listing === null; attempt++) {
    const response = await context.transport.request(request)
    if (response.status === 404) {
      await response.discard()
      return { kind: 'missing' }
    }
    if (response.status !== 207) {
      await response.discard()
      throw answerError(context, request, response, 'a multistatus (207)')
    }
    const body = await readBody(response, multistatusBytesMax)
    try {
      listing = await parseMultistatus(
        new TextDecoder().decode(body),
        response.url ?? requestUrl(context.transport, request),
      )
    } catch (error) {
      // rclone breaks off in the middle when a name goes away while it lists.
      if (attempt + 1 >= readAttemptsMax || isHtml(response))
        throw unexpected(context, request, `it is no multistatus: ${(error as Error).message}`, error)
      await waitBefore(attempt, context, signal)
    }
  }
  if (!listing.hasOwn && listing.entries.length === 0 && listing.ignored.length > 0) {
    throw unexpected(context, request, `it lists other places only, such as ${listing.ignored[0]}`)
  }
  return { kind: 'listed', ...listing }
}

/**
 * How far above the root (0: the root itself) the first folder lies that the server shows plainly; `null` when it
 * shows none. A proxy whose backend is away answers 404 to everything: only such a folder makes a 404 believable.
 */
export async function nearestFolder(context: StoreContext, signal?: AbortSignal): Promise<number | null> {
  for (let above = 0; above <= context.transport.foldersAbove; above++) {
    try {
      const found = await listCollection(context, { name: '', above, depth: '0' }, signal)
      if (found.kind === 'listed' && found.hasOwn) return above
    } catch (error) {
      // Above the root other software may answer, or nobody may look: that is no proof of anything.
      if (above === 0 || !isDavitError(error, 'remote-unauthorized', 'remote-unexpected')) throw error
      return null
    }
  }
  return null
}

/** Rejects with `remote-unreachable` unless the root answers plainly: a 404 then speaks of the name alone. */
export async function assertRootAnswers(context: StoreContext, signal?: AbortSignal): Promise<void> {
  const root = await listCollection(context, { name: '', depth: '0' }, signal)
  if (root.kind === 'listed' && root.hasOwn) return
  const { transport } = context
  throw unexpected(
    context,
    { method: 'PROPFIND', name: '' },
    `${transport.url} itself is missing or does not list itself`,
  )
}
