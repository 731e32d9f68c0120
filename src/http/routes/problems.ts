/** `/problems`: paths that could not be done. */
import { Hono } from 'hono'
import type { ApiContext } from '../api-context.ts'
import { readQuery } from '../request-query.ts'
import { pageQuery } from '../schemas/page.ts'
import { defined } from './defined.ts'

export function problemRoutes(context: ApiContext): Hono {
  const routes = new Hono()
  routes.get('/problems', (c) => c.json(context.instance().problems.list(defined(readQuery(c, pageQuery)))))
  return routes
}
