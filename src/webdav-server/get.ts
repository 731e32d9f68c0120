/** GET and HEAD of files, with ranges. Contents go out as plain downloads, never as pages of this origin. */
import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import { entityTag, isNotModified } from './conditions.ts'
import { HttpFailure } from './http-failure.ts'
import { lookUp } from './served-path.ts'
import type { Verb } from './verbs.ts'

interface ByteRange {
  readonly start: number
  /** Inclusive. */
  readonly end: number
}

export const get: Verb = async ({ folder, path, request, response }) => {
  const found = await lookUp(folder.root, path)
  if (found === null) throw new HttpFailure(404, 'not found')
  if (found.isDirectory())
    throw new HttpFailure(405, 'this is a folder', { Allow: 'OPTIONS, PROPFIND, DELETE, MOVE, COPY' })
  const handle = await open(path.file, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0))
  try {
    // From here on the open file counts: the name may be given to another content meanwhile.
    const stats = await handle.stat()
    const tag = entityTag(stats)
    response.setHeader('ETag', tag)
    response.setHeader('Last-Modified', stats.mtime.toUTCString())
    response.setHeader('Accept-Ranges', 'bytes')
    if (isNotModified(request.headers, stats)) {
      response.writeHead(304).end()
      return
    }
    const condition = request.headers['if-range']
    const range =
      condition === undefined || condition === tag ? requestedRange(request.headers.range, stats.size) : null
    const { start, end } = range ?? { start: 0, end: stats.size - 1 }
    const length = end - start + 1
    response.setHeader('Content-Type', 'application/octet-stream')
    response.setHeader('Content-Length', length)
    if (range !== null) response.setHeader('Content-Range', `bytes ${start}-${end}/${stats.size}`)
    response.writeHead(range === null ? 200 : 206)
    if (request.method === 'HEAD' || length === 0) response.end()
    else await pipeline(handle.createReadStream({ start, end }), response)
  } finally {
    await handle.close()
  }
}

/** The one range asked for; `null` for none, several or nonsense (then the whole file is sent). Throws 416. */
function requestedRange(header: string | undefined, size: number): ByteRange | null {
  const parts = /^bytes=(\d*)-(\d*)$/.exec(header ?? '')
  if (parts === null) return null
  const [, first = '', last = ''] = parts
  if (first === '' && last === '') return null
  const start = first === '' ? Math.max(0, size - Number(last)) : Number(first)
  const end = first === '' || last === '' ? size - 1 : Math.min(Number(last), size - 1)
  if (first !== '' && last !== '' && Number(last) < Number(first)) return null
  if (start > end) throw new HttpFailure(416, 'beyond the end', { 'Content-Range': `bytes */${size}` })
  return { start, end }
}
