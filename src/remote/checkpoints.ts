/** Checkpoints: the whole state at one version as one SQLite file, and its copy for people. */
import type { ChainPoint, CheckpointReference } from '../model/changeset.ts'
import type { ContentSink, ContentSource } from '../model/content.ts'
import { DavitError, isDavitError } from '../model/errors.ts'
import type { ContentHash } from '../model/file-state.ts'
import { checkpointBytesMax } from '../model/limits.ts'
import { answerError, isSuccess, type StoreContext } from './answer.ts'
import { damagedObject, downloadObject } from './download.ts'
import type { Folders } from './folders.ts'
import { checkpointName, checkpointsFolder, metadataName, parseCheckpointName } from './layout.ts'
import type { TransportRequest } from './transport.ts'
import { uploadObject } from './upload.ts'

export async function writeCheckpoint(
  context: StoreContext,
  folders: Folders,
  point: ChainPoint,
  file: { readonly hash: ContentHash; readonly source: ContentSource },
  signal?: AbortSignal,
): Promise<CheckpointReference> {
  const { hash, source } = file
  if (source.size < 1 || source.size > checkpointBytesMax)
    throw new DavitError('internal', `a checkpoint of ${source.size} bytes cannot be written`, {
      action: 'give-up',
    })
  const name = await uploadObject(
    context,
    folders,
    { folder: checkpointsFolder, name: (token) => checkpointName(point.version, hash, token), hash, source },
    signal,
  )
  await copyForPeople(context, name, source, signal)
  return { version: point.version, chainHash: point.hash, name, hash, size: source.size }
}

/**
 * `metadata.db`, by COPY, else by PUT. No instance ever reads it and it may be torn while it is replaced: a server that
 * refuses or breaks off is a notice, not a failure, and the next checkpoint tries again.
 */
async function copyForPeople(
  context: StoreContext,
  name: string,
  source: ContentSource,
  signal?: AbortSignal,
): Promise<void> {
  try {
    const copy: TransportRequest = {
      method: 'COPY',
      name,
      destination: metadataName,
      overwrite: true,
      signal,
    }
    const copied = await context.transport.request(copy)
    await copied.discard()
    if (isSuccess(copied.status)) return
    const put: TransportRequest = { method: 'PUT', name: metadataName, body: source, signal }
    const response = await context.transport.request(put)
    await response.discard()
    if (!isSuccess(response.status))
      context.onNotice(answerError(context, put, response, '201 or 204').message)
  } catch (error) {
    signal?.throwIfAborted()
    // phodav closes every second connection on which it replaces something. The checkpoint itself is whole by now.
    if (!isDavitError(error, 'remote-unreachable', 'remote-unexpected')) throw error
    context.onNotice(error.message)
  }
}

export async function readCheckpoint(
  context: StoreContext,
  reference: CheckpointReference,
  sink: ContentSink,
  signal?: AbortSignal,
): Promise<void> {
  const named = parseCheckpointName(reference.name)
  if (named === null || named.hash !== reference.hash || named.version !== reference.version)
    throw damagedObject(reference.name.slice(0, 200), 'it is no name of that checkpoint')
  await downloadObject(
    context,
    reference.name,
    { hash: reference.hash, size: reference.size, sizeMax: checkpointBytesMax },
    sink,
    signal,
  )
}
