/** MKCOL: makes one folder; of several at once exactly one is told 201. */
import { mkdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import { HttpFailure } from './http-failure.ts'
import { syncFolder } from './served-folder.ts'
import { requireParent } from './served-path.ts'
import type { Verb } from './verbs.ts'

export const makeCollection: Verb = async ({ folder, path, request, response }) => {
  if (path.segments.length === 0) throw new HttpFailure(405, 'the root exists')
  if (Number(request.headers['content-length'] ?? 0) > 0)
    throw new HttpFailure(415, 'a new folder has no content')
  await folder.exclusively(async () => {
    await requireParent(folder.root, path)
    await mkdir(path.file)
  })
  await syncFolder(dirname(path.file))
  response.writeHead(201).end()
}
