/** `/problems`: paths that could not be done. */
import { Hono } from 'hono'
import { defined } from '../../model/defined.ts'
import type { ApiContext } from '../api-context.ts'
import { readQuery } from '../request-query.ts'
import { pageQuery } from '../schemas/page.ts'

export function problemRoutes(context: ApiContext): Hono {
  const routes = new Hono()
  routes.get('/problems', (c) => c.json(context.instance().problems.list(defined(readQuery(c, pageQuery)))))
  return routes
}
