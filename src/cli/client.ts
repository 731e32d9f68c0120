/** A session on a running instance, through its HTTP API. */
import { type IncomingMessage, request } from 'node:http'
import { DavitError, type ErrorCode } from '../model/errors.ts'
import type { JsonObject } from '../model/json.ts'
import type { RunningInstance } from './running-instance.ts'
import { type PageRequest, type ProgressReport, progressOf, type Session } from './session.ts'

interface Call {
  readonly method?: 'GET' | 'POST' | 'PATCH'
  readonly body?: unknown
  readonly ifMatch?: string
}

/** An answer that is larger than this is none of ours. */
const answerBytesMax = 64 * 1024 * 1024

/** Sends a request. There is no time limit: a run takes as long as it takes, and Ctrl-C ends the wait. */
function send(to: RunningInstance, path: string, call: Call, signal?: AbortSignal): Promise<IncomingMessage> {
  const body = call.body === undefined ? null : Buffer.from(JSON.stringify(call.body))
  return new Promise((resolve, reject) => {
    const outgoing = request(`${to.url}/api/v1${path}`, {
      method: call.method ?? 'GET',
      ...(signal === undefined ? {} : { signal }),
      headers: {
        authorization: `Bearer ${to.token}`,
        ...(body === null ? {} : { 'content-type': 'application/json', 'content-length': body.byteLength }),
        ...(call.ifMatch === undefined ? {} : { 'if-match': `"${call.ifMatch}"` }),
      },
    })
    outgoing.once('response', resolve)
    outgoing.once('error', (cause) => {
      reject(
        new DavitError('stopped', 'the running instance does not answer', {
          action: 'retry',
          hint: `It should be at ${to.url}. Look whether it is just stopping, and try again.`,
          cause,
        }),
      )
    })
    outgoing.end(body)
  })
}

async function readText(response: AsyncIterable<Uint8Array>): Promise<string> {
  const pieces: Uint8Array[] = []
  let size = 0
  for await (const piece of response) {
    size += piece.byteLength
    if (size > answerBytesMax) {
      throw new DavitError('internal', 'the answer of the running instance is too large', {
        action: 'give-up',
      })
    }
    pieces.push(piece)
  }
  return Buffer.concat(pieces).toString('utf8')
}

function isOk(response: IncomingMessage): boolean {
  return (response.statusCode ?? 500) < 300
}

/** The error that a problem document tells of. */
async function errorOf(response: IncomingMessage): Promise<DavitError> {
  const text = await readText(response)
  let problem: { code?: unknown; detail?: unknown }
  try {
    problem = JSON.parse(text)
  } catch {
    problem = {}
  }
  const code = typeof problem.code === 'string' ? (problem.code as ErrorCode) : 'internal'
  const detail = typeof problem.detail === 'string' ? problem.detail : `it answered ${response.statusCode}`
  return new DavitError(code, detail, { action: 'ask' })
}

function queryOf(page: PageRequest): string {
  const query = new URLSearchParams()
  if (page.limit !== undefined) query.set('limit', String(page.limit))
  if (page.cursor !== undefined) query.set('cursor', page.cursor)
  return query.size === 0 ? '' : `?${query}`
}

/** The data of the messages in a stream of server-sent events. */
async function* messagesOf(stream: AsyncIterable<Uint8Array>): AsyncGenerator<JsonObject> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const piece of stream) {
    rest += decoder.decode(piece, { stream: true })
    const blocks = rest.split('\n\n')
    rest = blocks.pop() ?? ''
    for (const block of blocks) {
      const data = block.split('\n').find((line) => line.startsWith('data: '))
      if (data !== undefined) yield JSON.parse(data.slice('data: '.length)) as JsonObject
    }
  }
}

export function connect(to: RunningInstance): Session {
  async function call<T>(path: string, options: Call = {}): Promise<{ status: number; value: T }> {
    const response = await send(to, path, options)
    if (!isOk(response)) throw await errorOf(response)
    return { status: response.statusCode ?? 200, value: JSON.parse(await readText(response)) as T }
  }
  async function get<T>(path: string, options: Call = {}): Promise<T> {
    return (await call<T>(path, options)).value
  }
  const post = <T>(path: string, body: unknown) => get<T>(path, { method: 'POST', body })
  const conflictPath = (id: string) => `/sync/conflicts/${encodeURIComponent(id)}`

  async function follow(listener: (progress: ProgressReport) => void, signal: AbortSignal): Promise<void> {
    const response = await send(to, '/sse?types=sync.progress', {}, signal)
    if (!isOk(response)) return
    for await (const { data } of messagesOf(response)) {
      const progress = progressOf(data as JsonObject)
      if (progress !== null) listener(progress)
    }
  }

  return {
    sync: ({ trigger: _ours, ...request }) => post('/sync', { ...request, wait: true }),
    status: () => get('/sync/status'),
    runs: (page) => get(`/sync/runs${queryOf(page)}`),
    conflicts: (page) => get(`/sync/conflicts${queryOf(page)}`),
    conflict: (id) => get(conflictPath(id)),
    async conflictContent(id, side) {
      const response = await send(to, `${conflictPath(id)}/content/${encodeURIComponent(side)}`, {})
      if (!isOk(response)) throw await errorOf(response)
      return { stream: response }
    },
    async resolve(id, { content, ...rest }) {
      const contentBase64 = content === undefined ? undefined : Buffer.from(content).toString('base64')
      const body = { ...rest, contentBase64 }
      const answer = await call<never>(`${conflictPath(id)}/resolve`, { method: 'POST', body })
      return { conflict: answer.value, committed: answer.status === 200 }
    },
    recover: (choice) => post('/sync/recover', { choice }),
    verify: (request) => post('/sync/verify', request),
    async fileAt(path) {
      const page = await get<{ items: never[] }>(`/files?path=${encodeURIComponent(path)}`)
      const file = page.items[0]
      if (file !== undefined) return file
      throw new DavitError('not-found', `there is no file '${path}' in the index`, { action: 'give-up' })
    },
    patchMetadata: (id, body, ifMatch) => {
      return get(`/files/${encodeURIComponent(id)}/metadata`, { method: 'PATCH', body, ifMatch })
    },
    onProgress(listener) {
      const over = new AbortController()
      // Progress is a courtesy: where its stream breaks, the run goes on and its end is told all the same.
      follow(listener, over.signal).catch(() => undefined)
      return () => over.abort()
    },
    close: async () => {},
  }
}
