/** PUT: the body is received into a temporary file, made durable, and only then gets its name. */
import { open } from 'node:fs/promises'
import type { IncomingMessage } from 'node:http'
import { dirname } from 'node:path'
import { checkWriteConditions, entityTag } from './conditions.ts'
import { HttpFailure } from './http-failure.ts'
import { renameOrConflict, syncFolder } from './served-folder.ts'
import { lookUp, requireParent, type ServedPath } from './served-path.ts'
import type { Verb } from './verbs.ts'

export const put: Verb = async ({ folder, path, request, response }) => {
  if (path.segments.length === 0 || path.slash) throw new HttpFailure(405, 'a folder has no content')
  if (request.headers['content-range'] !== undefined)
    throw new HttpFailure(400, 'a part of a file cannot be written')
  await checkTarget(folder.root, path)
  const created = await folder.withTemporary(async (temporary) => {
    const handle = await open(temporary, 'wx')
    try {
      // A body that ends before its announced length throws here, and the temporary file goes. The connection stays
      // for the reply when the disk is at fault.
      for await (const chunk of bodyOf(request)) await handle.writeFile(chunk)
      // ORDER: the bytes are on disk before the name says so.
      await handle.sync()
    } finally {
      await handle.close()
    }
    return folder.exclusively(async () => {
      const existing = await checkTarget(folder.root, path)
      checkWriteConditions(request.headers, existing)
      await renameOrConflict(temporary, path.file)
      return existing === null
    })
  })
  await syncFolder(dirname(path.file))
  const stats = await lookUp(folder.root, path)
  if (stats?.isFile()) response.setHeader('ETag', entityTag(stats))
  response.writeHead(created ? 201 : 204).end()
}

async function checkTarget(root: string, path: ServedPath) {
  await requireParent(root, path)
  const existing = await lookUp(root, path)
  if (existing?.isDirectory()) throw new HttpFailure(405, 'there is a folder of this name')
  return existing
}

/** The body piece by piece. Unlike plain iteration it does not cut the connection when the writer gives up. */
function bodyOf(request: IncomingMessage): AsyncIterable<Uint8Array> {
  return { [Symbol.asyncIterator]: () => request.iterator({ destroyOnReturn: false }) }
}
