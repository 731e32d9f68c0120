/** MOVE and COPY. Of many movers of one source exactly one is told that it succeeded. */
import type { Stats } from 'node:fs'
import { lstat, mkdir, open, readdir, rename } from 'node:fs/promises'
import type { IncomingMessage } from 'node:http'
import { dirname, join } from 'node:path'
import { checkWriteConditions } from './conditions.ts'
import { HttpFailure, systemCode } from './http-failure.ts'
import { type ServedFolder, syncFolder } from './served-folder.ts'
import { lookUp, requireParent, type ServedPath, servedPath } from './served-path.ts'
import type { Verb } from './verbs.ts'

export const move: Verb = async ({ folder, path, request, response }) => {
  const target = destination(folder.root, path, request)
  if (path.segments.length === 0 || isAtOrBelow(path, target))
    throw new HttpFailure(403, 'a folder does not go into itself')
  const created = await folder.withTemporary((replaced) =>
    folder.exclusively(async () => {
      const source = await lookUp(folder.root, path)
      if (source === null) throw new HttpFailure(404, 'not found')
      checkWriteConditions(request.headers, source)
      const existing = await checkTarget(folder, target, request)
      await putInPlace(path.file, source, target.file, existing, replaced)
      return existing === null
    }),
  )
  await syncFolder(dirname(target.file))
  await syncFolder(dirname(path.file))
  response.writeHead(created ? 201 : 204).end()
}

export const copy: Verb = async ({ folder, path, request, response }) => {
  const target = destination(folder.root, path, request)
  if (isAtOrBelow(path, target)) throw new HttpFailure(403, 'a folder does not go into itself')
  const { depth } = request.headers
  const source = await lookUp(folder.root, path)
  if (source === null) throw new HttpFailure(404, 'not found')
  await checkTarget(folder, target, request)
  const created = await folder.withTemporary((temporary) =>
    folder.withTemporary(async (replaced) => {
      await copyTree(path.file, source, temporary, depth !== '0')
      return folder.exclusively(async () => {
        const existing = await checkTarget(folder, target, request)
        await putInPlace(temporary, source, target.file, existing, replaced)
        return existing === null
      })
    }),
  )
  await syncFolder(dirname(target.file))
  response.writeHead(created ? 201 : 204).end()
}

/** The path that `Destination` names. Throws 400 without one and 502 for another server. */
function destination(root: string, source: ServedPath, request: IncomingMessage): ServedPath {
  const { destination: header } = request.headers
  if (typeof header !== 'string' || header === '') throw new HttpFailure(400, 'no Destination')
  const absolute = /^https?:\/\/([^/?#]*)(.*)$/i.exec(header)
  if (absolute !== null && absolute[1]?.toLowerCase() !== request.headers.host?.toLowerCase())
    throw new HttpFailure(502, 'the Destination is on another server')
  const target = servedPath(root, absolute === null ? header : absolute[2] || '/')
  if (target.segments.length === 0 || isAtOrBelow(target, source))
    throw new HttpFailure(403, 'the Destination is the source or holds it')
  return target
}

/** What is at the target. Throws 409 without a parent, 412 when it may not be replaced. */
async function checkTarget(folder: ServedFolder, target: ServedPath, request: IncomingMessage) {
  await requireParent(folder.root, target)
  const existing = await lookUp(folder.root, target)
  const { overwrite } = request.headers
  if (existing !== null && String(overwrite).toUpperCase() === 'F')
    throw new HttpFailure(412, 'the Destination exists')
  return existing
}

/** Gives `from` the name `to`; a file replaces a file atomically, everything else steps aside to `replaced` first. */
async function putInPlace(
  from: string,
  stats: Stats,
  to: string,
  existing: Stats | null,
  replaced: string,
): Promise<void> {
  if (existing === null || (existing.isFile() && stats.isFile())) return rename(from, to)
  await rename(to, replaced)
  try {
    await rename(from, to)
  } catch (error) {
    await rename(replaced, to)
    throw error
  }
}

function isAtOrBelow(folder: ServedPath, path: ServedPath): boolean {
  return folder.segments.every((segment, index) => path.segments[index] === segment)
}

/** Copies files and folders durably; links and devices are left out, as they are not served either. */
async function copyTree(from: string, stats: Stats, to: string, deep: boolean): Promise<void> {
  if (stats.isFile()) return copyFileDurably(from, to)
  await mkdir(to)
  for (const name of deep ? await readdir(from) : []) {
    const child = await lstat(join(from, name)).catch((error: unknown) => {
      if (systemCode(error) === 'ENOENT') return null
      throw error
    })
    if (child?.isFile() || child?.isDirectory()) await copyTree(join(from, name), child, join(to, name), deep)
  }
  await syncFolder(to)
}

async function copyFileDurably(from: string, to: string): Promise<void> {
  const source = await open(from, 'r')
  try {
    const target = await open(to, 'wx')
    try {
      for await (const chunk of source.createReadStream()) await target.writeFile(chunk)
      await target.sync()
    } finally {
      await target.close()
    }
  } finally {
    await source.close()
  }
}
