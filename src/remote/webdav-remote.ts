/** The store over a transport: composes the parts of the protocol into the port. Keeps no state but what it learned. */
import type { ChainPoint } from '../model/changeset.ts'
import type { Clock, Random } from '../model/clock.ts'
import type { InstanceId } from '../model/file-state.ts'
import { readAheadMax, uploadAttemptsMax } from '../model/limits.ts'
import { answerError, isSuccess, type StoreContext, waitBefore } from './answer.ts'
import { readChain } from './chain-reader.ts'
import { decodeChangeset, encodeChangeset } from './changeset-format.ts'
import { hasChangeset, readChangeset, writeChangeset } from './changesets.ts'
import { readCheckpoint, writeCheckpoint } from './checkpoints.ts'
import { commit, type DestinationForm } from './commit.ts'
import { hasContent, readContent, writeContent } from './contents.ts'
import { createFolders } from './folders.ts'
import { checkHead, listHeads } from './head.ts'
import { healHeads } from './heal-heads.ts'
import { announceInstance, listInstances } from './instances.ts'
import { formatName } from './layout.ts'
import { createLock } from './lock.ts'
import type { Remote } from './remote.ts'
import { createStore } from './store.ts'
import type { Transport, TransportRequest } from './transport.ts'

export interface WebdavRemoteOptions {
  /** Closed together with the remote. Retries of idempotent requests are the transport's (`withRetry`). */
  readonly transport: Transport
  /** This instance, as it is called now: its id can change while it runs. */
  readonly instance: () => { readonly id: InstanceId; readonly name: string }
  readonly clock: Clock
  readonly random: Random
  /** Changesets read ahead in parallel; 8 by default. */
  readonly readAhead?: number
  /** Told what went wrong without harm, as a sentence. */
  readonly onNotice?: (message: string) => void
  /** Told of several heads just before they are healed, also inside a commit: for an event. */
  readonly onFork?: (heads: readonly ChainPoint[]) => void
}

export function openWebdavRemote(options: WebdavRemoteOptions): Remote {
  const { transport, clock, random } = options
  const context: StoreContext = {
    transport,
    clock,
    random,
    onNotice: options.onNotice ?? (() => {}),
    onFork: options.onFork ?? (() => {}),
  }
  const folders = createFolders(context)
  const destination: DestinationForm = { form: 'absolute' }
  const lock = createLock(context, folders, destination, options.instance)
  const read = readChangeset.bind(null, context)

  return {
    url: transport.url,
    traffic: () => transport.traffic(),
    encodeChangeset,
    decodeChangeset,
    check: (known) => checkHead(context, known),
    listHeads: () => listHeads(context),
    healHeads: (heads) => healHeads(context, heads),
    createStore: () => createStore(context, folders),
    readChangeset: (point) => readChangeset(context, point),
    hasChangeset: (point) => hasChangeset(context, point),
    readChain: (known, head, knownHash, signal) =>
      readChain({ known, head, knownHash, read, readAhead: options.readAhead ?? readAheadMax, signal }),
    writeChangeset: (point, bytes) => writeChangeset(context, folders, point, bytes),
    commit: (parent, point, signal) => commit(context, destination, { parent, point, read, signal }),
    writeContent: (hash, source, signal) => writeContent(context, folders, hash, source, signal),
    readContent: (name, expected, sink, signal) => readContent(context, name, expected, sink, signal),
    hasContent: (name, size) => hasContent(context, name, size),
    writeCheckpoint: (point, file, signal) => writeCheckpoint(context, folders, point, file, signal),
    readCheckpoint: (reference, sink, signal) => readCheckpoint(context, reference, sink, signal),
    writeFormat: (text) => writeFormat(context, text),
    announceInstance: (instance) => announceInstance(context, folders, instance),
    listInstances: () => listInstances(context),
    acquireLock: (request) => lock.acquire(request),
    lockState: () => lock.state(),
    close: () => transport.close(),
  }
}

async function writeFormat(context: StoreContext, text: string): Promise<void> {
  const request: TransportRequest = { method: 'PUT', name: formatName, body: new TextEncoder().encode(text) }
  for (let attempt = 0; ; attempt++) {
    const response = await context.transport.request(request)
    await response.discard()
    if (isSuccess(response.status)) return
    const failure = answerError(context, request, response, '201 or 204')
    if (failure.action !== 'retry' || attempt + 1 >= uploadAttemptsMax) throw failure
    await waitBefore(attempt, context)
  }
}
