/** Entity tags and the conditional headers. Evaluated where the verb takes effect, so that they are test-and-set. */
import type { Stats } from 'node:fs'
import type { IncomingHttpHeaders } from 'node:http'
import { HttpFailure } from './http-failure.ts'

/** Changes with every replacement of a file: each upload is a new inode, and times have microseconds. */
export function entityTag(stats: Stats): string {
  return `"${stats.size.toString(16)}-${Math.round(stats.mtimeMs * 1000).toString(16)}-${stats.ino.toString(16)}"`
}

/** Throws 412 when `If-Match` or `If-None-Match` forbids to change what is there (`null`: nothing is). */
export function checkWriteConditions(headers: IncomingHttpHeaders, stats: Stats | null): void {
  const match = headers['if-match']
  if (match !== undefined && !matches(match, stats)) throw new HttpFailure(412, 'If-Match does not hold')
  const noneMatch = headers['if-none-match']
  if (noneMatch !== undefined && matches(noneMatch, stats))
    throw new HttpFailure(412, 'If-None-Match does not hold')
}

/** Whether the reader has this very content already (304). Throws 412 when `If-Match` does not hold. */
export function isNotModified(headers: IncomingHttpHeaders, stats: Stats): boolean {
  const match = headers['if-match']
  if (match !== undefined && !matches(match, stats)) throw new HttpFailure(412, 'If-Match does not hold')
  const noneMatch = headers['if-none-match']
  if (noneMatch !== undefined) return matches(noneMatch, stats)
  const since = Date.parse(headers['if-modified-since'] ?? '')
  return !Number.isNaN(since) && Math.floor(stats.mtimeMs / 1000) * 1000 <= since
}

function matches(header: string, stats: Stats | null): boolean {
  if (stats === null) return false
  if (header.trim() === '*') return true
  const tag = entityTag(stats)
  return header.split(',').some((item) => item.trim().replace(/^W\//, '') === tag)
}
