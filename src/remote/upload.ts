/**
 * Uploads one object under a name that nobody ever used. An attempt whose end is in doubt leaves a name that nobody
 * relies on; the next attempt has a name of its own.
 */
import { createHash } from 'node:crypto'
import type { ContentSource } from '../model/content.ts'
import { DavitError, isDavitError } from '../model/errors.ts'
import type { ContentHash } from '../model/file-state.ts'
import { folderFirstBytes, uploadAttemptsMax } from '../model/limits.ts'
import { answerError, isHtml, isSuccess, type StoreContext, waitBefore } from './answer.ts'
import { findObject } from './download.ts'
import type { Folders } from './folders.ts'
import { tokenBytes } from './layout.ts'
import type { TransportRequest, TransportResponse } from './transport.ts'

export interface Upload {
  readonly folder: string
  /** The full name for a token. */
  readonly name: (token: string) => string
  readonly hash: ContentHash
  readonly source: ContentSource
}

/** Statuses with which servers say that the parent folder is missing (Apache 409, nginx 500, rclone 404, others 403). */
const parentMissing = [403, 404, 409, 500]
/** Statuses after which the same upload may work, without anything else being done. */
const transient = [408, 423, 425, 429, 500, 502, 503, 504]

/** Resolves with the name under which the server has said, without any doubt, that it holds the whole object. */
export async function uploadObject(
  context: StoreContext,
  folders: Folders,
  upload: Upload,
  signal?: AbortSignal,
): Promise<string> {
  let failure: unknown
  /** A folder that others make in the same moment may show a little later: it is made twice at most. */
  let foldersMade = 0
  for (let attempt = 0; attempt < uploadAttemptsMax; attempt++) {
    if (attempt > 0 && !(foldersMade === 1 && attempt === 1)) await waitBefore(attempt, context, signal)
    if (!folders.isKnown(upload.folder) && foldersMade === 0 && upload.source.size >= folderFirstBytes) {
      await folders.make(upload.folder, signal)
      foldersMade++
    }
    const source = hashingSource(upload.source, upload.hash)
    const request: TransportRequest = {
      method: 'PUT',
      name: upload.name(context.random.hex(tokenBytes)),
      headers: { 'content-type': 'application/octet-stream' },
      body: source,
      signal,
    }
    let response: TransportResponse
    try {
      response = await context.transport.request(request)
      await response.discard()
    } catch (error) {
      signal?.throwIfAborted()
      if (source.failure() !== null) throw source.failure()
      if (!isDavitError(error, 'remote-unreachable')) throw error
      failure = error
      continue
    }
    if (source.failure() !== null) throw source.failure()
    if (isSuccess(response.status)) {
      // A login page may answer 200 to anything; Apache's 201 has a page too, so only 200 raises doubt.
      if (response.status !== 200 || !isHtml(response) || (await holds(context, request, upload, signal))) {
        folders.noteKnown(upload.folder)
        return request.name
      }
      failure = answerError(context, request, response, '201 or 204')
      continue
    }
    failure = answerError(context, request, response, '201 or 204')
    // Also where it was known: somebody may have emptied or swapped the store since then.
    if (parentMissing.includes(response.status) && foldersMade < 2) {
      await folders.make(upload.folder, signal)
      foldersMade++
    } else if (!transient.includes(response.status)) throw failure
  }
  throw failure
}

async function holds(
  context: StoreContext,
  request: TransportRequest,
  upload: Upload,
  signal?: AbortSignal,
): Promise<boolean> {
  return findObject(context, request.name, upload.source.size, signal)
}

interface HashingSource extends ContentSource {
  /** What went wrong with the source itself in the latest reading. */
  failure(): unknown
}

/** Hashes while it is read; the last chunk is handed out only when the whole is what was promised. */
export function hashingSource(source: ContentSource, expected: ContentHash): HashingSource {
  let failed: unknown = null
  async function* read(signal?: AbortSignal): AsyncGenerator<Uint8Array> {
    failed = null
    const hash = createHash('sha256')
    let size = 0
    let held: Uint8Array | null = null
    try {
      for await (const chunk of source.open(signal)) {
        if (chunk.length === 0) continue
        size += chunk.length
        if (size > source.size) break
        hash.update(chunk)
        if (held !== null) yield held
        held = chunk
      }
      if (size !== source.size || hash.digest('hex') !== expected) {
        throw new DavitError('file-changed', 'the content changed while it was uploaded', { action: 'retry' })
      }
    } catch (error) {
      failed = error
      throw error
    }
    if (held !== null) yield held
  }
  return { size: source.size, open: read, failure: () => failed }
}
