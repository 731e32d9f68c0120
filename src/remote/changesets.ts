/** Changesets as objects of the store: written under the hash of their bytes, read verified. */
import { type ChainPoint, type Changeset, emptyStorePoint } from '../model/changeset.ts'
import { DavitError, isDavitError } from '../model/errors.ts'
import { changesetStoredBytesMax, uploadAttemptsMax } from '../model/limits.ts'
import { answerError, isHtml, isSuccess, type StoreContext, waitBefore } from './answer.ts'
import { decodeChangeset, sha256 } from './changeset-format.ts'
import { downloadObject } from './download.ts'
import type { Folders } from './folders.ts'
import { changesetFolder, changesetName } from './layout.ts'
import type { TransportRequest, TransportResponse } from './transport.ts'

/** The bytes of a changeset, verified against its name. Rejects with `remote-damaged` when missing or wrong. */
async function readBytes(
  context: StoreContext,
  point: ChainPoint,
  signal?: AbortSignal,
): Promise<Uint8Array> {
  if (point.version === emptyStorePoint.version)
    throw new DavitError('internal', 'version 0 has no changeset', { action: 'give-up' })
  let chunks: Uint8Array[] = []
  await downloadObject(
    context,
    changesetName(point),
    { hash: point.hash, size: null, sizeMax: changesetStoredBytesMax },
    {
      write: (chunk) => void chunks.push(chunk),
      restart: () => {
        chunks = []
      },
    },
    signal,
  )
  return Buffer.concat(chunks)
}

export async function readChangeset(
  context: StoreContext,
  point: ChainPoint,
  signal?: AbortSignal,
): Promise<Changeset> {
  return decodeChangeset(point, await readBytes(context, point, signal))
}

/** Reads and hashes it. `false`: the server answers plainly and it is missing or wrong. */
export async function hasChangeset(
  context: StoreContext,
  point: ChainPoint,
  signal?: AbortSignal,
): Promise<boolean> {
  if (point.version === emptyStorePoint.version) return point.hash === emptyStorePoint.hash
  try {
    await readBytes(context, point, signal)
    return true
  } catch (error) {
    if (isDavitError(error, 'remote-damaged')) return false
    throw error
  }
}

/**
 * PUTs the bytes under their name. The name has no token: the nonce in the header makes it as unique. Nobody knows it
 * before the rename, so repeating is harmless; after a doubtful answer the bytes are read back before they count.
 */
export async function writeChangeset(
  context: StoreContext,
  folders: Folders,
  point: ChainPoint,
  bytes: Uint8Array,
  signal?: AbortSignal,
): Promise<void> {
  if (sha256(bytes) !== point.hash)
    throw new DavitError('internal', 'a changeset was to be written under another hash', {
      action: 'give-up',
    })
  const request: TransportRequest = {
    method: 'PUT',
    name: changesetName(point),
    headers: { 'content-type': 'application/octet-stream' },
    body: bytes,
    signal,
  }
  let failure: unknown
  let doubted = false
  let foldersMade = 0
  for (let attempt = 0; attempt < uploadAttemptsMax; attempt++) {
    if (attempt > 0 && !(foldersMade === 1 && attempt === 1)) await waitBefore(attempt, context, signal)
    let response: TransportResponse
    try {
      response = await context.transport.request(request)
      await response.discard()
    } catch (error) {
      signal?.throwIfAborted()
      if (!isDavitError(error, 'remote-unreachable')) throw error
      failure = error
      doubted = true
      continue
    }
    if (isSuccess(response.status)) {
      if (response.status === 200 && isHtml(response)) doubted = true
      if (!doubted || (await hasChangeset(context, point, signal))) {
        folders.noteKnown(changesetFolder(point))
        return
      }
      failure = answerError(context, request, response, '201 or 204')
      continue
    }
    failure = answerError(context, request, response, '201 or 204')
    if ([403, 404, 409, 500].includes(response.status) && foldersMade < 2) {
      await folders.make(changesetFolder(point), signal)
      foldersMade++
    } else if (![408, 423, 425, 429, 500, 502, 503, 504].includes(response.status)) throw failure
    else doubted = true
  }
  throw failure
}
