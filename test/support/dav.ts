/** The few WebDAV requests that server tests make, over any fetch; the body is always read to its end. */
import { Agent, fetch, type Headers } from 'undici'

export interface DavReply {
  readonly status: number
  readonly headers: Headers
  readonly text: string
}

export interface DavOptions {
  readonly headers?: Record<string, string>
  readonly body?: string | Uint8Array<ArrayBuffer>
}

export type Dav = (method: string, path: string, options?: DavOptions) => Promise<DavReply>

export interface DavClientOptions {
  /** Goes with each request. */
  readonly authorization?: string
  /**
   * false: one connection per request, 8 at a time, for a server that closes them as it likes. (More than its short
   * queue of new connections holds would wait a second each.)
   */
  readonly reuse?: boolean
}

/** Requests below `baseUrl`. */
export function davClient(baseUrl: string, { authorization, reuse = true }: DavClientOptions = {}): Dav {
  const dispatcher = new Agent(reuse ? {} : { pipelining: 0, connections: 8 })
  return async (method, path, options = {}) => {
    const headers = { ...(authorization === undefined ? {} : { authorization }), ...options.headers }
    const response = await fetch(baseUrl + path, { method, headers, body: options.body ?? null, dispatcher })
    return { status: response.status, headers: response.headers, text: await response.text() }
  }
}

export function basic(username: string, password: string): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`
}

export function succeeded(reply: DavReply): boolean {
  return [200, 201, 204].includes(reply.status)
}

/** The last names of the hrefs in a multistatus, decoded and sorted; the listed folder itself is left out. */
export function listedNames(multistatus: string, folder: string): string[] {
  const hrefs = [...multistatus.matchAll(/<(?:\w+:)?href[^>]*>([^<]*)</g)].map((match) =>
    decodeURIComponent(new URL(unescapeXml((match[1] ?? '').trim()), 'http://localhost').pathname).replace(
      /\/$/,
      '',
    ),
  )
  const self = folder.replace(/\/$/, '')
  return hrefs
    .filter((href) => href !== self)
    .map((href) => href.slice(href.lastIndexOf('/') + 1))
    .sort()
}

const entities: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }

function unescapeXml(text: string): string {
  return text
    .replace(/&#(\d+);/g, (_, code: string) => String.fromCodePoint(Number(code)))
    .replace(/&(\w+);/g, (whole, name: string) => entities[name] ?? whole)
}
