/** `/files`: entries of the index, their contents, and edits through the API. */
import { type Context, Hono } from 'hono'
import { routePath } from 'hono/route'
import { z } from 'zod'
import type { FileView, Page } from '../../instance/instance.ts'
import { defined } from '../../model/defined.ts'
import { DavitError, isDavitError } from '../../model/errors.ts'
import type { FilePath } from '../../model/file-state.ts'
import { unsafePathReason } from '../../model/path.ts'
import type { ApiContext } from '../api-context.ts'
import { contentResponse } from '../content-response.ts'
import { RefusedRequest } from '../error-response.ts'
import { readContent, readJson } from '../request-body.ts'
import { readIfMatch, readQuery } from '../request-query.ts'
import { filesQuery, metadataPatch, moveBody } from '../schemas/files.ts'

const contentPath = '/files/content/:path{.+}'
const noBody = z.strictObject({})

/** The path in the URL of an upload, percent-decoded once. */
function pathOf(c: Context): FilePath {
  const depth = routePath(c).split('/').indexOf(':path{.+}')
  const encoded = new URL(c.req.url).pathname.split('/').slice(depth).join('/')
  let path: string
  try {
    path = decodeURIComponent(encoded)
  } catch {
    throw new DavitError('bad-request', 'the path is not percent-encoded UTF-8', { action: 'give-up' })
  }
  const reason = unsafePathReason(path)
  if (reason !== null) {
    throw new DavitError('path-unsafe', `the path may not be used: ${reason}`, { action: 'give-up' })
  }
  return path
}

/** Conditions and encodings that would change what an upload means and are not supported must not be passed over. */
function checkUploadHeaders(c: Context): void {
  for (const name of ['if-none-match', 'content-range']) {
    if (c.req.header(name) !== undefined) {
      throw new DavitError('bad-request', `an upload with ${name} is not supported`, { action: 'give-up' })
    }
  }
  if ((c.req.header('content-encoding') ?? 'identity').toLowerCase() !== 'identity') {
    throw new RefusedRequest('media-type-unsupported', 'an upload has to come without Content-Encoding')
  }
}

function answer(c: Context, file: FileView, status: 200 | 201 = 200): Response {
  return c.json(file, status, { etag: `"${file.revision}"` })
}

export function fileRoutes(context: ApiContext): Hono {
  const routes = new Hono()
  const files = () => context.instance().files

  function lookUp(path: FilePath): Page<FileView> {
    try {
      return { items: [files().at(path)], nextCursor: null }
    } catch (error) {
      if (isDavitError(error, 'not-found')) return { items: [], nextCursor: null }
      throw error
    }
  }

  /** `If-Match` of a file that is known by its id: `*` asks for nothing more than that it exists. */
  function conditionOf(c: Context): { readonly ifMatch?: string } {
    const condition = readIfMatch(c)
    return condition.ifMatch === '*' ? {} : condition
  }

  routes.get('/files', (c) => {
    const { path, ...filter } = readQuery(c, filesQuery)
    return c.json(path === undefined ? files().list(defined(filter)) : lookUp(path))
  })
  routes.put(contentPath, async (c) => {
    const path = pathOf(c)
    checkUploadHeaders(c)
    const condition = readIfMatch(c)
    if (condition.ifMatch === '*' && lookUp(path).items.length === 0) {
      throw new DavitError('precondition-failed', 'there is no file at this path', { action: 'ask' })
    }
    const result = await files().put(
      path,
      readContent(c, context.clock),
      condition.ifMatch === '*' ? {} : condition,
    )
    return answer(c, result.file, result.created ? 201 : 200)
  })
  routes.get('/files/:id', (c) => answer(c, files().get(c.req.param('id'))))
  routes.get('/files/:id/content', async (c) => contentResponse(c, await files().content(c.req.param('id'))))
  routes.delete('/files/:id', async (c) => {
    await readJson(c, noBody, context)
    return answer(c, await files().delete(c.req.param('id'), conditionOf(c)))
  })
  routes.post('/files/:id/move', async (c) => {
    const { path } = await readJson(c, moveBody, context)
    return answer(c, await files().move(c.req.param('id'), path, conditionOf(c)))
  })
  routes.patch('/files/:id/metadata', async (c) => {
    const patch = await readJson(c, metadataPatch, context)
    return answer(c, await files().patchMetadata(c.req.param('id'), patch, conditionOf(c)))
  })
  return routes
}
