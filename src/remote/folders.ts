/** The folders that objects lie in: made when the first object needs them, then remembered. */
import { isDavitError } from '../model/errors.ts'
import { uploadAttemptsMax } from '../model/limits.ts'
import { answerError, isSuccess, type StoreContext, waitBefore } from './answer.ts'
import type { TransportRequest, TransportResponse } from './transport.ts'

export interface Folders {
  /** Whether this process has made the folder or seen that it is there. */
  isKnown(folder: string): boolean
  /** An object went into the folder, so it exists. */
  noteKnown(folder: string): void
  /** Makes the folder, and those above it as far as needed. Repeatable; simultaneous calls share one request. */
  make(folder: string, signal?: AbortSignal): Promise<void>
}

export function createFolders(context: StoreContext): Folders {
  const known = new Set<string>()
  const underway = new Map<string, Promise<void>>()

  async function makeOne(folder: string, signal?: AbortSignal): Promise<void> {
    const request = { method: 'MKCOL', name: folder, signal } as const
    let response = await makeCollection(context, request)
    const parent = folder.replace(/[^/]+\/$/, '')
    if ([403, 404, 409, 500].includes(response.status) && parent !== '') {
      await makeOne(parent, signal)
      response = await makeCollection(context, request)
    }
    // 405: it is there. 403, 409 and 500: also what losers of a race get; the next write shows whether it is there.
    if (isSuccess(response.status) || [403, 405, 409, 500].includes(response.status)) return
    throw answerError(context, request, response, '201 (made) or 405 (there already)')
  }

  return {
    isKnown: (folder) => known.has(folder),
    noteKnown: (folder) => void known.add(folder),
    make(folder, signal) {
      const shared = underway.get(folder)
      if (shared !== undefined) return shared
      const making = makeOne(folder, signal).finally(() => underway.delete(folder))
      underway.set(folder, making)
      return making
    },
  }
}

/** MKCOL, repeated while the server is busy: rclone and x/net answer 423 to whoever comes second. */
export async function makeCollection(
  context: StoreContext,
  request: TransportRequest,
): Promise<TransportResponse> {
  for (let attempt = 0; ; attempt++) {
    const isLast = attempt + 1 >= uploadAttemptsMax
    try {
      const response = await context.transport.request(request)
      await response.discard()
      if (isLast || ![408, 423, 425, 429, 502, 503, 504].includes(response.status)) return response
    } catch (error) {
      request.signal?.throwIfAborted()
      if (isLast || !isDavitError(error, 'remote-unreachable')) throw error
    }
    await waitBefore(attempt, context, request.signal)
  }
}
