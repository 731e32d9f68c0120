/** `/sync/scheduler`: whether runs happen by themselves. */
import { type Context, Hono } from 'hono'
import type { ApiContext } from '../api-context.ts'
import { readJson } from '../request-body.ts'
import { schedulerBody } from '../schemas/sync.ts'

export function schedulerRoutes(context: ApiContext): Hono {
  const routes = new Hono()
  const answer = (c: Context) => {
    const { mode, nextRunAt } = context.instance().status()
    return c.json({ mode, nextRunAt })
  }
  routes.get('/sync/scheduler', answer)
  routes.patch('/sync/scheduler', async (c) => {
    const { mode } = await readJson(c, schedulerBody, context)
    context.instance().setMode(mode)
    return answer(c)
  })
  return routes
}
