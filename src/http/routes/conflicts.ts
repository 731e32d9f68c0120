/** `/sync/conflicts`: look at conflicts, compare their sides, settle them. */
import { type Context, Hono } from 'hono'
import type { z } from 'zod'
import type { ConflictId } from '../../model/conflict.ts'
import { defined } from '../../model/defined.ts'
import { resolutionBodyBytesMax } from '../../model/limits.ts'
import type { ApiContext } from '../api-context.ts'
import { contentResponse } from '../content-response.ts'
import { readJson } from '../request-body.ts'
import { readQuery } from '../request-query.ts'
import { resolveBody, resolveByIdBody } from '../schemas/conflicts.ts'
import { pageQuery } from '../schemas/page.ts'

export function conflictRoutes(context: ApiContext): Hono {
  const routes = new Hono()
  const conflicts = () => context.instance().conflicts
  const bounds = { clock: context.clock, bytesMax: resolutionBodyBytesMax }

  /** 200 when the resolution is committed; 202 while it waits for the store to be reachable. */
  async function resolve(c: Context, id: ConflictId, body: z.infer<typeof resolveBody>): Promise<Response> {
    const { content: text, contentBase64, ...rest } = body
    const content =
      contentBase64 !== undefined
        ? Buffer.from(contentBase64, 'base64')
        : text !== undefined
          ? Buffer.from(text, 'utf8')
          : undefined
    const result = await conflicts().resolve(id, defined({ ...rest, content }))
    return c.json(result.conflict, result.committed ? 200 : 202)
  }

  routes.get('/sync/conflicts', async (c) => c.json(await conflicts().list(defined(readQuery(c, pageQuery)))))
  routes.get('/sync/conflicts/:id', async (c) => c.json(await conflicts().get(c.req.param('id'))))
  routes.get('/sync/conflicts/:id/content/:side', async (c) => {
    return contentResponse(c, await conflicts().content(c.req.param('id'), c.req.param('side')))
  })
  routes.post('/sync/conflicts/:id/resolve', async (c) => {
    return resolve(c, c.req.param('id'), await readJson(c, resolveBody, bounds))
  })
  routes.post('/sync/resolve-conflict', async (c) => {
    const { id, ...body } = await readJson(c, resolveByIdBody, bounds)
    return resolve(c, id, body)
  })
  return routes
}
