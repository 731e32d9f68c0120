/**
 * The lower port: one request to one name below the store's root. Everything above speaks the protocol through it, so
 * the same code runs over HTTP, in a simulator and under a model checker. A transport decides nothing about statuses.
 */
import type { ContentSource } from '../model/content.ts'
import type { Traffic } from './remote.ts'

export type DavMethod = 'GET' | 'HEAD' | 'PUT' | 'DELETE' | 'MKCOL' | 'MOVE' | 'COPY' | 'PROPFIND'

export interface TransportRequest {
  readonly method: DavMethod
  /** Below the root, lower-case ASCII; `''` is the root itself; collections end in a slash. */
  readonly name: string
  /** With `name` `''`: so many folders above the root instead. */
  readonly above?: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Uint8Array | ContentSource
  /** Of MOVE and COPY: a name below the root. `path`: without scheme and host, for servers that do not know their own. */
  readonly destination?: string
  readonly destinationForm?: 'absolute' | 'path'
  /** Of MOVE and COPY. Always sent: servers disagree about what its absence means. */
  readonly overwrite?: boolean
  readonly depth?: '0' | '1'
  /** Read the whole answer, at most so many bytes, before the request counts as answered (a retry covers it then). */
  readonly collectBytesMax?: number
  readonly signal?: AbortSignal | undefined
}

export interface TransportResponse {
  readonly status: number
  /** Names in lower case; repeated fields joined by a comma. */
  readonly headers: Readonly<Record<string, string>>
  /** Where it came from in the end, when a redirect may have been followed. */
  readonly url?: string
  /** Readable once. Whoever got the response iterates it (breaking off is fine) or calls `discard`. */
  readonly body: AsyncIterable<Uint8Array>
  discard(): Promise<void>
}

export interface Transport {
  /** The root, ending in a slash, percent-encoded, without credentials. */
  readonly url: string
  /** Folders between the root and the server's own root. */
  readonly foldersAbove: number
  /**
   * Resolves with whatever the server answered. Rejects with a `DavitError`: `remote-unreachable` when there was no
   * (whole) answer, in which case the request may or may not have had its effect, and `remote-unexpected` for a
   * redirect that must not be followed. An error of the body's source passes through as it is; an aborted signal
   * rejects with its reason.
   */
  request(request: TransportRequest): Promise<TransportResponse>
  traffic(): Traffic
  close(): Promise<void>
}

/** The URL that a request goes to, for messages. */
export function requestUrl(
  transport: Pick<Transport, 'url'>,
  request: Pick<TransportRequest, 'name' | 'above'>,
): string {
  if (request.above === undefined || request.above === 0) return transport.url + request.name
  const url = new URL(transport.url)
  const segments = url.pathname.split('/').filter((segment) => segment !== '')
  const kept = segments.slice(0, Math.max(0, segments.length - request.above))
  url.pathname = kept.length === 0 ? '/' : `/${kept.join('/')}/`
  return url.href
}
