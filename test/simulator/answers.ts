/** What the simulated server says: answers, listings, and the errors that the real transport makes of broken connections. */
import type { DavitError } from '../../src/model/errors.ts'
import { connectionError } from '../../src/remote/connection-error.ts'
import type { TransportResponse } from '../../src/remote/transport.ts'
import type { ServerProfile } from './profiles.ts'

export interface Answer {
  readonly status: number
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
}

/** `null`: the connection is closed without an answer. */
export type MaybeAnswer = Answer | null

const nothing = new Uint8Array()
const noHeaders: Readonly<Record<string, string>> = {}

export function answer(
  status: number,
  headers: Readonly<Record<string, string>> = noHeaders,
  body: Uint8Array = nothing,
): Answer {
  return { status, headers, body }
}

const page = new TextEncoder().encode(
  '<!doctype html>\n<html><head><title>Sign in</title></head><body><form>Who are you?</form></body></html>\n',
)

/** A page of a portal, or of a proxy that has lost what is behind it. */
export function htmlPage(status: number): Answer {
  return answer(
    status,
    { 'content-type': 'text/html; charset=utf-8', 'content-length': String(page.length) },
    page,
  )
}

export interface ListedName {
  /** Absolute path without slashes at its ends. */
  readonly path: string
  readonly isFolder: boolean
  /** The status of this entry alone, where it is not 200. */
  readonly failure: number | null
}

const origin = 'http://dav.test'
const internalOrigin = 'http://backend.internal:8080'

export function urlOf(path: string): string {
  return `${origin}/${path === '' ? '' : `${path.split('/').map(encodeURIComponent).join('/')}/`}`
}

function hrefOf(entry: ListedName, style: ServerProfile['listing']): string {
  const { path, isFolder } = entry
  let escaped = path === '' ? '' : path.split('/').map(encodeURIComponent).join('/')
  if (style.escapesAll) escaped = escaped.replace(/[-_.]/g, (char) => `%${char.charCodeAt(0).toString(16)}`)
  const absolute = `/${escaped}${isFolder && style.marksFolders && path !== '' ? '/' : ''}`
  switch (style.href) {
    case 'path':
      return absolute
    case 'absolute':
      return origin + absolute
    case 'internal':
      return internalOrigin + absolute
  }
}

export function multistatus(entries: readonly ListedName[], style: ServerProfile['listing']): Answer {
  const [tag, bind] =
    style.prefix === '' ? ['', 'xmlns="DAV:"'] : [`${style.prefix}:`, `xmlns:${style.prefix}="DAV:"`]
  let xml = `<?xml version="1.0" encoding="utf-8"?>\n<${tag}multistatus ${bind}>`
  for (const entry of entries) {
    const href = `<${tag}href>${hrefOf(entry, style)}</${tag}href>`
    const type = `<${tag}resourcetype>${entry.isFolder ? `<${tag}collection/>` : ''}</${tag}resourcetype>`
    xml +=
      entry.failure === null
        ? `<${tag}response>${href}<${tag}propstat><${tag}prop>${type}</${tag}prop><${tag}status>HTTP/1.1 200 OK</${tag}status></${tag}propstat></${tag}response>`
        : `<${tag}response>${href}<${tag}status>HTTP/1.1 ${entry.failure} Failed</${tag}status></${tag}response>`
  }
  xml += `</${tag}multistatus>\n`
  return answer(207, { 'content-type': 'application/xml; charset=utf-8' }, new TextEncoder().encode(xml))
}

/** Codes of the HTTP client, as the real transport meets them. */
export type ConnectionCode =
  | 'ECONNREFUSED'
  | 'ECONNRESET'
  | 'UND_ERR_SOCKET'
  | 'UND_ERR_HEADERS_TIMEOUT'
  | 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH'
  | 'UND_ERR_REQ_CONTENT_LENGTH_MISMATCH'

/** The very error that the real transport rejects with. `what` is method and URL. */
export function brokenConnection(what: string, code: ConnectionCode): DavitError {
  return connectionError(what, Object.assign(new Error(code), { code }))
}

/**
 * An answer as a transport gives it. With `brokenOff` the body ends there: with an error, as a cut connection does, or
 * silently, as a server does that tells the wrong length.
 */
export function responseOf(
  given: Answer,
  url: string,
  onBytes: (bytes: number) => void,
  brokenOff: { readonly afterBytes: number; readonly error: DavitError | null } | null = null,
): TransportResponse {
  const { status, headers, body } = given
  return {
    status,
    headers,
    url,
    body: (async function* () {
      const bytes = brokenOff === null ? body : body.subarray(0, brokenOff.afterBytes)
      onBytes(bytes.length)
      if (bytes.length > 0) yield bytes
      if (brokenOff !== null && brokenOff.error !== null) throw brokenOff.error
    })(),
    discard: async () => {},
  }
}
