/** `/health/live`, `/health/ready`: for supervisors, without a token. */
import { Hono } from 'hono'
import type { ApiContext } from '../api-context.ts'

export function healthRoutes(context: ApiContext): Hono {
  const routes = new Hono()
  routes.get('/health/live', (c) => c.json({ status: 'live' }))
  routes.get('/health/ready', async (c) => {
    const { ready, workspace, database, remote, watcher } = await context.instance().health()
    return c.json({ ready, workspace, database, remote, watcher }, ready ? 200 : 503)
  })
  return routes
}
