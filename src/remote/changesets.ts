/** Changesets as objects of the store: written under the hash of their bytes, read verified. */
import { type ChainPoint, type Changeset, emptyStorePoint } from '../model/changeset.ts'
import { DavitError, isDavitError } from '../model/errors.ts'
import { changesetStoredBytesMax, uploadAttemptsMax } from '../model/limits.ts'
import { answerError, isHtml, isSuccess, type StoreContext, waitBefore } from './answer.ts'
import { decodeChangeset, sha256 } from './changeset-format.ts'
import { downloadObject } from './download.ts'
import type { Folders } from './folders.ts'
import { changesetFolder, changesetName } from './layout.ts'
import type { TransportRequest } from './transport.ts'

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

/** The server has refused, and has done with the request: the same name again is safe. */
const refused = [423, 425, 429, 500]
/** With these it may say that the folder is missing. */
const parentMissing = [403, 404, 409, 500]

/**
 * PUTs the bytes under their name, which has no token: the nonce in the header makes it as unique. ORDER: an upload
 * whose end is in doubt is never sent again under its name. The server may execute the first one any time later, cut,
 * over the second one, which somebody has committed by then; many servers keep such a torso.
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
  let foldersMade = 0
  for (let attempt = 0; attempt < uploadAttemptsMax; attempt++) {
    if (attempt > 0 && !(foldersMade === 1 && attempt === 1)) await waitBefore(attempt, context, signal)
    const response = await context.transport.request(request)
    await response.discard()
    if (isSuccess(response.status)) {
      // A login page answers 200 as well; it has done with the request too.
      if (response.status !== 200 || !isHtml(response) || (await hasChangeset(context, point, signal))) {
        folders.noteKnown(changesetFolder(point))
        return
      }
      failure = answerError(context, request, response, '201 or 204')
      continue
    }
    failure = answerError(context, request, response, '201 or 204')
    if (parentMissing.includes(response.status) && foldersMade < 2) {
      await folders.make(changesetFolder(point), signal)
      foldersMade++
    } else if (!refused.includes(response.status)) throw failure
  }
  throw failure
}
