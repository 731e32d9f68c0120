/**
 * The HTTP API of one instance as a Hono app: `Request → Response`, served by `server.ts` or mounted in a host's app.
 * It translates and decides nothing: validate, call one verb of the instance, map the result.
 */
import { type Context, Hono, type Next } from 'hono'
import type { Clock } from '../model/clock.ts'
import { DavitError } from '../model/errors.ts'
import { type ApiContext, type ApiInstance, bindingsOf } from './api-context.ts'
import { bearerCheck } from './authentication.ts'
import { errorResponse, problemOfError } from './error-response.ts'
import { checkHost, checkOrigin } from './request-origin.ts'
import { conflictRoutes } from './routes/conflicts.ts'
import { eventRoutes } from './routes/events.ts'
import { fileRoutes } from './routes/files.ts'
import { healthRoutes } from './routes/health.ts'
import { problemRoutes } from './routes/problems.ts'
import { schedulerRoutes } from './routes/scheduler.ts'
import { syncRoutes } from './routes/sync.ts'

export interface ApiOptions {
  readonly instance: () => ApiInstance
  /** The bearer token; must not be empty. */
  readonly token: string
  /**
   * Names besides loopback by which the server may be called: `name`, `name:port`, or `0.0.0.0` and `::` for any IP
   * address. `'mounted'`: the app that this one is mounted in decides by which names it is called.
   */
  readonly allowedHosts: readonly string[] | 'mounted'
  readonly clock: Clock
  /** Told of errors that nobody foresaw. They are answered with 500 and without their text. */
  readonly report?: (error: unknown) => void
}

/** Where the API is found: each route under each of these. */
const prefixes = ['/', '/api', '/api/v1'] as const

/** A path that a URL parser has resolved away: `..`, also as `%2e%2e`. Who writes that does not mean what is left. */
const dotSegment = /(?:^|\/)(?:\.|%2e){1,2}(?:\/|$)/i

/** Headers of every response: nothing is cached, guessed, framed or run. */
const fixedHeaders: readonly (readonly [string, string])[] = [
  ['cache-control', 'no-store'],
  ['x-content-type-options', 'nosniff'],
  ['content-security-policy', "default-src 'none'; frame-ancestors 'none'; sandbox"],
  ['cross-origin-resource-policy', 'same-origin'],
  ['referrer-policy', 'no-referrer'],
]

/** The app. Errors are answered as problem documents, here or mounted. */
export function createApp(options: ApiOptions): Hono {
  const context: ApiContext = {
    instance: options.instance,
    clock: options.clock,
    report: options.report ?? (() => {}),
  }
  const authenticate = bearerCheck(options.token)
  const streams = { open: 0 }
  const app = new Hono()

  app.onError((error) => {
    if (problemOfError(error).code === 'internal') context.report(error)
    return errorResponse(error)
  })
  app.use(async (c, next) => {
    await next()
    for (const [name, value] of fixedHeaders) c.res.headers.set(name, value)
  })
  app.use(async (c, next) => {
    const { incoming } = bindingsOf(c)
    const host = c.req.header('host') ?? new URL(c.req.url).host
    if (options.allowedHosts !== 'mounted') {
      checkHost(host, options.allowedHosts, incoming?.socket.localPort ?? null)
    }
    const origin = c.req.header('origin')
    if (origin !== undefined) checkOrigin(origin, host)
    if (dotSegment.test(incoming?.url?.split('?')[0] ?? '')) {
      throw new DavitError('bad-request', "the path has a segment '.' or '..'", { action: 'give-up' })
    }
    await next()
  })

  // Health comes before the token is asked for; it tells nothing but states.
  for (const prefix of prefixes) app.route(prefix, healthRoutes(context))
  app.use(async (c: Context, next: Next) => {
    authenticate(c.req.header('authorization'))
    await next()
  })
  for (const prefix of prefixes) {
    app.route(prefix, syncRoutes(context))
    app.route(prefix, schedulerRoutes(context))
    app.route(prefix, conflictRoutes(context))
    app.route(prefix, fileRoutes(context))
    app.route(prefix, problemRoutes(context))
    app.route(prefix, eventRoutes(context, streams))
  }
  app.all('*', (c) => {
    throw new DavitError('not-found', `there is no ${c.req.method} ${c.req.path}`, { action: 'give-up' })
  })
  return app
}
