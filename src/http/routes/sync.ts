/** `/sync`: runs, their history, status, recovery, verification. */
import { type Context, Hono } from 'hono'
import type { SyncRequest } from '../../instance/instance.ts'
import { defined } from '../../model/defined.ts'
import type { ApiContext } from '../api-context.ts'
import { readJson } from '../request-body.ts'
import { readQuery } from '../request-query.ts'
import { pageQuery } from '../schemas/page.ts'
import { fullBody, incrementalBody, recoverBody, syncBody, verifyBody } from '../schemas/sync.ts'

export function syncRoutes(context: ApiContext): Hono {
  const routes = new Hono()
  const { instance } = context

  /** 202 with the run's id; with `wait` 200 and the summary, whatever the outcome. */
  async function start(c: Context, request: SyncRequest, wait: boolean | undefined): Promise<Response> {
    const ticket = instance().sync({ ...request, trigger: 'request' })
    if (wait === true) return c.json(await ticket.finished)
    // The instance's own failure is told in its status; nobody waits for it here.
    ticket.finished.catch((error: unknown) => context.report(error))
    return c.json({ runId: ticket.runId, status: ticket.status, coalesced: ticket.coalesced }, 202)
  }

  for (const path of ['/sync', '/sync/trigger']) {
    routes.post(path, async (c) => {
      const { wait, ...request } = await readJson(c, syncBody, context)
      return start(c, defined(request), wait)
    })
  }
  routes.post('/sync/full', async (c) => {
    const { wait, ...request } = await readJson(c, fullBody, context)
    return start(c, { ...defined(request), full: true }, wait)
  })
  routes.post('/sync/incremental', async (c) => {
    const { wait, since: _met, ...request } = await readJson(c, incrementalBody, context)
    return start(c, defined(request), wait)
  })
  routes.post('/sync/recover', async (c) => {
    const { choice } = await readJson(c, recoverBody, context)
    return c.json(await instance().recover(choice))
  })
  routes.post('/sync/verify', async (c) => {
    const request = await readJson(c, verifyBody, context)
    return c.json(await instance().verify({ ...defined(request), signal: c.req.raw.signal }))
  })
  routes.get('/sync/status', (c) => c.json(instance().status()))
  routes.get('/sync/runs', (c) => c.json(instance().runs.list(defined(readQuery(c, pageQuery)))))
  routes.get('/sync/runs/:id', (c) => c.json(instance().runs.get(c.req.param('id'))))
  return routes
}
