/** DELETE: a file or a whole folder goes in one step; of several at once exactly one is told 204. */
import { rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { checkWriteConditions } from './conditions.ts'
import { HttpFailure } from './http-failure.ts'
import { syncFolder } from './served-folder.ts'
import { lookUp } from './served-path.ts'
import type { Verb } from './verbs.ts'

export const remove: Verb = async ({ folder, path, request, response }) => {
  if (path.segments.length === 0) throw new HttpFailure(403, 'the root stays')
  await folder.withTemporary(async (temporary) => {
    await folder.exclusively(async () => {
      const found = await lookUp(folder.root, path)
      if (found === null) throw new HttpFailure(404, 'not found')
      checkWriteConditions(request.headers, found)
      // Taken out of sight by one rename: nobody ever sees half of a deleted folder.
      await rename(path.file, temporary)
    })
    await syncFolder(dirname(path.file))
    await rm(temporary, { recursive: true, force: true })
  })
  response.writeHead(204).end()
}
