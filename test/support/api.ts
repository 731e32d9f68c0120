/** The API over a fake instance, called without a socket. */
import { createApp } from '../../src/http/app.ts'
import { FakeInstance } from './fake-instance.ts'
import { ManualClock } from './manual-clock.ts'

export const token = 'a-secret-token'

export interface ApiCall {
  readonly method?: string
  readonly json?: unknown
  readonly body?: string | ReadableStream<Uint8Array>
  readonly headers?: Record<string, string>
}

export function anApi() {
  const instance = new FakeInstance()
  const clock = new ManualClock()
  const reported: unknown[] = []
  const app = createApp({
    instance: () => instance,
    token,
    allowedHosts: ['davit.example.org'],
    clock,
    report: (error) => void reported.push(error),
  })
  /** With the token, and as JSON when `json` is given. Headers that are given win; an empty one is left out. */
  async function call(path: string, options: ApiCall = {}): Promise<Response> {
    const headers = new Headers({ authorization: `Bearer ${token}` })
    if (options.json !== undefined) headers.set('content-type', 'application/json')
    for (const [name, value] of Object.entries(options.headers ?? {})) {
      if (value === '') headers.delete(name)
      else headers.set(name, value)
    }
    const body = options.json === undefined ? options.body : JSON.stringify(options.json)
    return app.request(path, {
      method: options.method ?? 'GET',
      headers,
      ...(body === undefined ? {} : { body, duplex: 'half' }),
    } as RequestInit)
  }
  return { instance, clock, reported, app, call }
}
