/** `/sse` (also `/sse/subscribe`): the events as they happen. */
import { type Context, Hono } from 'hono'
import { DavitError } from '../../model/errors.ts'
import { eventStreamsMax } from '../../model/limits.ts'
import { type ApiContext, bindingsOf } from '../api-context.ts'
import { RefusedRequest } from '../error-response.ts'
import { eventStream } from '../event-stream.ts'
import { readQuery } from '../request-query.ts'
import { eventId, eventsQuery } from '../schemas/events.ts'

const headers = { 'content-type': 'text/event-stream', 'x-accel-buffering': 'no' }

/** The last event that the client saw. The header wins: a browser that reconnects sends the query of the first time. */
function lastSeen(c: Context, query: number | undefined): number | null {
  const header = c.req.header('last-event-id')
  if (header === undefined || header === '') return query ?? null
  const id = eventId.safeParse(header)
  if (id.success) return id.data
  throw new DavitError('bad-request', 'Last-Event-ID has to be the number of an event', { action: 'give-up' })
}

/** `streams` counts the clients of all prefixes together. */
export function eventRoutes(context: ApiContext, streams: { open: number }): Hono {
  const routes = new Hono()

  function stream(c: Context): Response {
    const query = readQuery(c, eventsQuery)
    const after = lastSeen(c, query.lastEventId)
    if (c.req.method === 'HEAD') return new Response(null, { headers })
    if (streams.open >= eventStreamsMax) {
      throw new RefusedRequest('too-many-streams', `more than ${eventStreamsMax} clients listen already`)
    }
    const { outgoing, closing } = bindingsOf(c)
    const body = eventStream({
      events: context.instance().events,
      clock: context.clock,
      after,
      types: query.types ?? null,
      gone: c.req.raw.signal,
      closing: closing ?? null,
      cut: outgoing === undefined ? null : () => void outgoing.destroy(),
      report: context.report,
      onOver: () => {
        streams.open -= 1
      },
    })
    streams.open += 1
    return new Response(body, { headers })
  }

  routes.get('/sse', stream)
  routes.get('/sse/subscribe', stream)
  return routes
}
