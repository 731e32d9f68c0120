/** Creates what is missing of a store: its folders and the head of version 0. Repeatable, and safe in a race. */
import { emptyStorePoint } from '../model/changeset.ts'
import { DavitError, isDavitError } from '../model/errors.ts'
import { uploadAttemptsMax } from '../model/limits.ts'
import { answerError, isSuccess, readBody, type StoreContext, waitBefore } from './answer.ts'
import { type Folders, makeCollection } from './folders.ts'
import { listHeads } from './head.ts'
import {
  changesFolder,
  checkpointsFolder,
  headContent,
  headName,
  instancesFolder,
  lockFolder,
  versionFolder,
} from './layout.ts'
import { listCollection, nearestFolder } from './list-collection.ts'
import { requestUrl, type TransportRequest } from './transport.ts'

export async function createStore(context: StoreContext, folders: Folders): Promise<void> {
  await makeRoot(context)
  for (const folder of [versionFolder, changesFolder, checkpointsFolder, instancesFolder, lockFolder]) {
    await folders.make(folder)
  }
  const listing = await listHeads(context)
  if (listing.kind === 'missing') {
    throw new DavitError(
      'remote-unexpected',
      `the server says that ${context.transport.url}${versionFolder} was made and does not show it`,
      {
        action: 'retry',
        hint: 'Check that this user may create folders there.',
      },
    )
  }
  if (listing.kind === 'empty') await writeFirstHead(context)
}

/** MKCOL for the root and the folders above it, from the nearest one that is there. */
async function makeRoot(context: StoreContext): Promise<void> {
  const nearest = await nearestFolder(context)
  // Nothing above answers as a folder: the root's own parent may still be willing.
  const from = nearest ?? 1
  for (let above = from - 1; above >= 0; above--) {
    const request: TransportRequest = { method: 'MKCOL', name: '', above }
    const response = await makeCollection(context, request)
    // 405: somebody else was quicker. So may others have been whom Apache tells by a 403, and some by a 409 or 500.
    if (!isSuccess(response.status) && response.status !== 405 && !(await isThere(context, above))) {
      const error = answerError(context, request, response, '201')
      if (error.code !== 'remote-unexpected') throw error
      throw new DavitError('remote-missing', error.message, {
        action: 'ask',
        hint: `Create the folder ${requestUrl(context.transport, { name: '', above })} on the server, or correct the URL of the remote.`,
      })
    }
  }
}

async function isThere(context: StoreContext, above: number): Promise<boolean> {
  try {
    const found = await listCollection(context, { name: '', above, depth: '0' })
    return found.kind === 'listed' && found.hasOwn
  } catch (error) {
    // The refusal of the MKCOL says more than this one.
    if (isDavitError(error, 'remote-unauthorized', 'remote-unexpected')) return false
    throw error
  }
}

/**
 * The same name and bytes for everybody. Should a store have had a head after all, this name is an ancestor of it and
 * healing removes it. ORDER: read back before anybody commits, since the first rename carries a torso along.
 */
async function writeFirstHead(context: StoreContext): Promise<void> {
  const put: TransportRequest = { method: 'PUT', name: headName(emptyStorePoint), body: headContent }
  let failure: unknown
  for (let attempt = 0; attempt < uploadAttemptsMax; attempt++) {
    if (attempt > 0) {
      await waitBefore(attempt, context)
      // Committed on by somebody else meanwhile: the name must not come back.
      if ((await listHeads(context)).kind !== 'empty' && (await firstHeadIsWhole(context)) !== 'torn') return
    }
    try {
      const response = await context.transport.request(put)
      await response.discard()
      if (isSuccess(response.status)) {
        if ((await firstHeadIsWhole(context)) !== 'torn') return
        failure = answerError(context, put, response, 'the whole file to be kept')
      } else failure = answerError(context, put, response, '201 or 204')
    } catch (error) {
      if (!isDavitError(error, 'remote-unreachable')) throw error
      failure = error
    }
  }
  throw failure
}

async function firstHeadIsWhole(context: StoreContext): Promise<'whole' | 'gone' | 'torn'> {
  const get: TransportRequest = {
    method: 'GET',
    name: headName(emptyStorePoint),
    collectBytesMax: 2 * headContent.length,
  }
  const response = await context.transport.request(get)
  if (response.status === 404) {
    await response.discard()
    return 'gone'
  }
  if (response.status !== 200) {
    await response.discard()
    throw answerError(context, get, response, '200 or 404')
  }
  return Buffer.compare(await readBody(response, 2 * headContent.length), headContent) === 0
    ? 'whole'
    : 'torn'
}
