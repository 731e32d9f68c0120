/**
 * What a PROPFIND answer says about the names in one collection. Tolerant of the ways in which servers write it, and
 * suspicious: an answer that could just as well be broken is never read as "there is nothing".
 */
import { parseXML } from 'webdav'

export interface ListedEntry {
  /** Relative to the collection, decoded, without a slash at its end. */
  readonly name: string
  readonly isCollection: boolean
}

export interface Listing {
  readonly entries: readonly ListedEntry[]
  /** Whether the collection itself was listed: without it and without entries the answer says nothing. */
  readonly hasOwn: boolean
  /** Hrefs that were left out because they do not lie directly in the collection, with the reason. */
  readonly ignored: readonly string[]
}

/** A tag parser that leaves every text as it stands: `2024.10` is no number, a name is never trimmed into one. */
const asText = (): undefined => undefined

/**
 * Reads the XML of a 207 for the collection at `collectionUrl` (absolute, percent-encoded, ending in a slash). Throws
 * an `Error` with a sentence when it is no multistatus.
 */
export async function parseMultistatus(xml: string, collectionUrl: string): Promise<Listing> {
  // A multistatus needs no document type; entities are how a few bytes become gigabytes.
  if (/<!(DOCTYPE|ENTITY)/i.test(xml)) throw new Error('it declares a document type')
  // A parser may forgive a document that was cut off.
  if (!endsLikeMultistatus(xml)) throw new Error('it does not end like a multistatus')
  const result = await parseXML(xml, {
    attributeNamePrefix: '@',
    attributeParsers: [],
    tagParsers: [asText],
  })
  const collection = segmentsOf(new URL(collectionUrl).pathname)
  if (collection === null) throw new Error('the collection has a name that cannot be decoded')
  const entries = new Map<string, ListedEntry>()
  const ignored: string[] = []
  let hasOwn = false
  for (const response of result.multistatus.response) {
    const href: unknown = response.href
    if (typeof href !== 'string' || href === '') continue
    if (statusOf(response) >= 400) continue
    const place = placeIn(collection, href, collectionUrl)
    if (place.kind === 'outside') ignored.push(`${href.slice(0, 200)} (${place.reason})`)
    else if (place.kind === 'own') hasOwn = true
    else entries.set(place.name, { name: place.name, isCollection: place.isCollection })
  }
  return { entries: [...entries.values()], hasOwn, ignored }
}

/**
 * Whether the last thing in the document, comments aside, closes a multistatus. By hand: a pattern that says as much
 * goes back and forth for years over a few comments and one odd character.
 */
function endsLikeMultistatus(xml: string): boolean {
  let rest = xml.trimEnd()
  while (rest.endsWith('-->')) {
    const comment = rest.lastIndexOf('<!--')
    if (comment < 0) return false
    rest = rest.slice(0, comment).trimEnd()
  }
  if (!rest.endsWith('>')) return false
  const tag = rest.slice(rest.lastIndexOf('<') + 1, -1)
  if (tag.includes('>')) return false
  return tag.startsWith('/')
    ? tag.trimEnd().endsWith('multistatus')
    : tag.endsWith('/') && tag.includes('multistatus')
}

function statusOf(response: { readonly status?: unknown }): number {
  const match = typeof response.status === 'string' ? /^HTTP\/\S+\s+(\d{3})/.exec(response.status) : null
  return match === null ? 200 : Number(match[1])
}

type Place =
  | { readonly kind: 'own' }
  | { readonly kind: 'inside'; readonly name: string; readonly isCollection: boolean }
  | { readonly kind: 'outside'; readonly reason: string }

function placeIn(collection: readonly string[], href: string, collectionUrl: string): Place {
  const pathname = pathOf(href, collectionUrl)
  if (pathname === null) return { kind: 'outside', reason: 'no URL' }
  const segments = segmentsOf(pathname)
  if (segments === null) return { kind: 'outside', reason: 'not decodable, or with dot segments' }
  if (collection.some((segment, index) => segments[index] !== segment))
    return { kind: 'outside', reason: 'outside the collection' }
  if (segments.length === collection.length) return { kind: 'own' }
  if (segments.length > collection.length + 1) return { kind: 'outside', reason: 'deeper than asked for' }
  return { kind: 'inside', name: segments[collection.length] as string, isCollection: pathname.endsWith('/') }
}

/** The path of an href without resolving anything: `new URL` would quietly take `..` out of it. */
function pathOf(href: string, collectionUrl: string): string | null {
  const match = /^(?:https?:)?\/\/[^/?#]*([^?#]*)/i.exec(href)
  if (match !== null) return match[1] as string
  if (href.startsWith('/')) return href.replace(/[?#].*$/s, '')
  if (/^[a-z][a-z0-9+.-]*:/i.test(href)) return null
  return new URL(collectionUrl).pathname + href.replace(/[?#].*$/s, '')
}

/** Decoded exactly once; `null` for what cannot be decoded, climbs, or hides a slash. Empty segments do not count. */
function segmentsOf(pathname: string): string[] | null {
  const segments: string[] = []
  for (const raw of pathname.split('/')) {
    if (raw === '') continue
    let segment: string
    try {
      segment = decodeURIComponent(raw)
    } catch {
      return null
    }
    if (segment === '.' || segment === '..' || segment.includes('/') || segment.includes('\0')) return null
    segments.push(segment)
  }
  return segments
}
