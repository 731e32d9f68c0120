/** A WebDAV server as a value: implements the transport port in memory, strictly and without any fault. */
import type { ContentSource } from '../../src/model/content.ts'
import type { Transport, TransportRequest, TransportResponse } from '../../src/remote/transport.ts'

export interface MemoryDav {
  /** Absolute paths without a slash at the end; the server's own root is `''`. */
  readonly files: Map<string, Uint8Array>
  readonly folders: Set<string>
  /** Every request that was executed, in order, as `METHOD name`. */
  readonly log: string[]
  /** Another client of the same server, over the store's root or so many folders above it. */
  connect(above?: number): Transport
}

export interface MemoryDavOptions {
  /** Where the store's root lies. Its folder is made unless `bare` is set. */
  readonly root?: string
  readonly bare?: boolean
  /** Status for a PUT into a folder that is missing: 409, or 500 (nginx), 404 (rclone). */
  readonly missingParentStatus?: number
  /** HEAD tells no length (nephele). */
  readonly hidesLength?: boolean
  /** Statuses with which a Destination of one form is refused. */
  readonly refusesDestination?: { readonly form: 'absolute' | 'path'; readonly status: number }
}

export function createMemoryDav(options: MemoryDavOptions = {}): MemoryDav {
  const root = options.root ?? 'dav/store'
  const files = new Map<string, Uint8Array>()
  const folders = new Set<string>([''])
  const log: string[] = []
  if (options.bare === true) folders.add(root.split('/')[0] as string)
  const segments = root.split('/')
  const foldersAbove = segments.length
  for (let depth = 1; options.bare !== true && depth <= foldersAbove; depth++)
    folders.add(segments.slice(0, depth).join('/'))

  const parent = (path: string) => path.split('/').slice(0, -1).join('/')
  const ancestor = (above: number) => segments.slice(0, foldersAbove - above).join('/')
  const place = (base: number, name: string, above = 0) =>
    name === ''
      ? ancestor(base + above)
      : `${ancestor(base)}/${decodeURIComponent(name)}`.replace(/^\/|\/$/g, '')
  const href = (path: string, isFolder: boolean) =>
    `/${path.split('/').map(encodeURIComponent).join('/')}${isFolder && path !== '' ? '/' : ''}`

  function deleteFolder(path: string): boolean {
    for (const held of [files, folders])
      for (const name of [...held.keys()]) if (name.startsWith(`${path}/`)) held.delete(name)
    return folders.delete(path)
  }

  function execute(
    base: number,
    request: TransportRequest,
    body: Uint8Array,
  ): [number, Record<string, string>, Uint8Array] {
    const path = place(base, request.name, request.above)
    const none = new Uint8Array()
    const there = files.get(path)
    switch (request.method) {
      case 'GET':
      case 'HEAD':
        if (there === undefined) return [folders.has(path) ? 405 : 404, {}, none]
        return [
          200,
          options.hidesLength === true && request.method === 'HEAD'
            ? {}
            : { 'content-length': String(there.length) },
          request.method === 'GET' ? there : none,
        ]
      case 'PUT':
        if (folders.has(path)) return [405, {}, none]
        if (!folders.has(parent(path))) return [options.missingParentStatus ?? 409, {}, none]
        files.set(path, body)
        return [there === undefined ? 201 : 204, {}, none]
      case 'DELETE':
        return [files.delete(path) || deleteFolder(path) ? 204 : 404, {}, none]
      case 'MKCOL':
        if (folders.has(path) || there !== undefined) return [405, {}, none]
        if (!folders.has(parent(path))) return [409, {}, none]
        folders.add(path)
        return [201, {}, none]
      case 'MOVE':
      case 'COPY': {
        const refused = options.refusesDestination
        if (refused !== undefined && refused.form === (request.destinationForm ?? 'absolute'))
          return [refused.status, {}, none]
        const target = place(base, request.destination as string)
        if (there === undefined) return [404, {}, none]
        if (!folders.has(parent(target))) return [409, {}, none]
        const existed = files.has(target)
        if (existed && request.overwrite !== true) return [412, {}, none]
        if (request.method === 'MOVE') files.delete(path)
        files.set(target, there)
        return [existed ? 204 : 201, {}, none]
      }
      case 'PROPFIND': {
        if (there === undefined && !folders.has(path)) return [404, {}, none]
        const listed: [string, boolean][] = [[path, folders.has(path)]]
        if (request.depth === '1') {
          for (const folder of folders)
            if (folder !== '' && parent(folder) === path) listed.push([folder, true])
          for (const file of files.keys()) if (parent(file) === path) listed.push([file, false])
        }
        return [
          207,
          { 'content-type': 'application/xml' },
          multistatus(listed.map(([p, f]) => [href(p, f), f])),
        ]
      }
    }
  }

  function connect(above = 0): Transport {
    const traffic = { requests: 0, bytesSent: 0, bytesReceived: 0, byMethod: {} as Record<string, number> }
    return {
      url: `http://dav.test/${ancestor(above)}/`,
      foldersAbove: foldersAbove - above,
      async request(request) {
        traffic.requests++
        traffic.byMethod[request.method] = (traffic.byMethod[request.method] ?? 0) + 1
        const body = await bodyOf(request)
        request.signal?.throwIfAborted()
        traffic.bytesSent += body.length
        log.push(`${request.method} ${request.name}`)
        const [status, headers, answer] = execute(above, request, body)
        traffic.bytesReceived += answer.length
        return answerOf(status, headers, answer)
      },
      traffic: () => ({ ...traffic, byMethod: { ...traffic.byMethod } }),
      close: async () => {},
    }
  }

  return { files, folders, log, connect }
}

export function multistatus(entries: readonly (readonly [href: string, isFolder: boolean])[]): Uint8Array {
  const responses = entries.map(
    ([href, isFolder]) =>
      `<D:response><D:href>${href}</D:href><D:propstat><D:prop><D:resourcetype>${isFolder ? '<D:collection/>' : ''}</D:resourcetype></D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response>`,
  )
  return new TextEncoder().encode(
    `<?xml version="1.0" encoding="utf-8"?>\n<D:multistatus xmlns:D="DAV:">${responses.join('')}</D:multistatus>`,
  )
}

/** An answer as a transport gives it. */
export function answerOf(
  status: number,
  headers: Record<string, string> = {},
  body: Uint8Array | string = '',
): TransportResponse {
  const bytes = typeof body === 'string' ? new TextEncoder().encode(body) : body
  return {
    status,
    headers,
    body: (async function* () {
      if (bytes.length > 0) yield bytes
    })(),
    discard: async () => {},
  }
}

/** The whole body of a request, as the server would receive it. */
export async function bodyOf(request: TransportRequest): Promise<Uint8Array> {
  if (request.body === undefined) return new Uint8Array()
  if (request.body instanceof Uint8Array) return request.body
  return readSource(request.body, request.signal)
}

async function readSource(source: ContentSource, signal?: AbortSignal): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  for await (const chunk of source.open(signal)) chunks.push(Buffer.from(chunk))
  return Buffer.concat(chunks)
}
