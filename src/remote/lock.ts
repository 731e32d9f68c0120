/**
 * The maintenance lock: one token file, taken by renaming it and shown by listing. It makes nothing safe; it keeps two
 * instances from doing the same long work at once. Leases run by the observer's own monotonic clock.
 *
 *     lock/free  ⇄  lock/held-<instance>-<token>  →  lock/held-<instance>-<fresh token>
 */

import { isDavitError } from '../model/errors.ts'
import type { InstanceId } from '../model/file-state.ts'
import { headLookIntervalMs, headLooksMax, lockLeaseMs } from '../model/limits.ts'
import { answerError, isSuccess, type StoreContext } from './answer.ts'
import { type DestinationForm, destinationRefused, otherForm } from './commit.ts'
import type { Folders } from './folders.ts'
import { freeLockName, headContent, heldLockName, lockFolder, parseHeldLock, tokenBytes } from './layout.ts'
import { listCollection } from './list-collection.ts'
import type { HeldLock, LockState, Remote } from './remote.ts'

export interface MaintenanceLock {
  acquire: Remote['acquireLock']
  state(): Promise<LockState>
}

/** How long a waiting instance waits in all, and between two looks. */
const waitMaxMs = 2 * lockLeaseMs
const lookIntervalMs = 200
const free: LockState = { kind: 'free' }

export function createLock(
  context: StoreContext,
  folders: Folders,
  destination: DestinationForm,
  instance: () => { readonly id: InstanceId },
): MaintenanceLock {
  /** The held name seen last and since when: remembered between calls, so that a caller who never waits breaks it too. */
  let observed: { readonly name: string; readonly sinceMs: number } | null = null

  async function list(signal?: AbortSignal): Promise<string[]> {
    const listing = await listCollection(context, { name: lockFolder }, signal)
    if (listing.kind === 'missing') return []
    return listing.entries
      .filter((entry) => !entry.isCollection)
      .map((entry) => lockFolder + entry.name)
      .filter((name) => name === freeLockName || parseHeldLock(name.slice(lockFolder.length)) !== null)
      .sort()
  }

  /** Renames and looks; the listing alone tells whether `target` is the token now. */
  async function rename(source: string, target: string, signal?: AbortSignal): Promise<readonly string[]> {
    let { form } = destination
    for (let attempt = 0; attempt < 2; attempt++) {
      try {
        const response = await context.transport.request({
          method: 'MOVE',
          name: source,
          destination: target,
          destinationForm: form,
          overwrite: false,
          signal,
        })
        await response.discard()
        if (!destinationRefused.includes(response.status)) break
        form = otherForm(form)
      } catch (error) {
        signal?.throwIfAborted()
        if (!isDavitError(error, 'remote-unreachable')) throw error
        break
      }
    }
    const names = await list(signal)
    if (names[0] === target) destination.form = form
    return names
  }

  /** Exactly one token: made where there is none, the smallest name kept where there are several. */
  async function settle(signal?: AbortSignal): Promise<string | null> {
    let names = await list(signal)
    // A listing can fall between the halves of a rename.
    for (let looks = 1; looks < headLooksMax && names.length === 0; looks++) {
      await context.clock.sleep(headLookIntervalMs, signal)
      names = await list(signal)
    }
    if (names.length === 0) {
      await writeFree(context, folders, signal)
      names = await list(signal)
    }
    for (const name of names.slice(1)) {
      await (await context.transport.request({ method: 'DELETE', name, signal })).discard()
    }
    return names[0] ?? null
  }

  function hold(first: string): HeldLock {
    /** Names this holder gave itself: a rename whose answer was lost may have happened. */
    const own = new Set([first])
    const current = async (): Promise<string | null> => {
      const [name] = await list()
      return name !== undefined && own.has(name) ? name : null
    }
    return {
      async renew() {
        const source = await current()
        if (source === null) return false
        const target = heldLockName(instance().id, context.random.hex(tokenBytes))
        own.add(target)
        const [name] = await rename(source, target)
        return name === target
      },
      async release() {
        const source = await current()
        if (source !== null) await rename(source, freeLockName)
      },
    }
  }

  return {
    async acquire({ wait, signal, onWaiting, onBroken }) {
      const startMs = context.clock.monotonic()
      for (;;) {
        const name = await settle(signal)
        const now = context.clock.monotonic()
        const state = name === null ? free : stateOf(name)
        if (state.kind === 'held' && observed?.name !== state.name)
          observed = { name: state.name, sinceMs: now }
        // RACE: the holder may renew in this instant. One of the two renames finds its source; the other loses.
        const isDead = state.kind === 'held' && observed !== null && now - observed.sinceMs >= lockLeaseMs
        if (name !== null && (state.kind === 'free' || isDead)) {
          const target = heldLockName(instance().id, context.random.hex(tokenBytes))
          const names = await rename(name, target, signal)
          if (names[0] === target) {
            if (isDead) onBroken?.(name)
            return hold(target)
          }
        }
        if (!wait || context.clock.monotonic() - startMs >= waitMaxMs) return null
        onWaiting?.(state)
        await context.clock.sleep(Math.ceil(lookIntervalMs * (0.5 + context.random.fraction() / 2)), signal)
      }
    },
    async state() {
      const [name] = await list()
      return name === undefined ? free : stateOf(name)
    },
  }
}

function stateOf(name: string): LockState {
  const instance = parseHeldLock(name.slice(lockFolder.length))
  return instance === null ? free : { kind: 'held', name, instance }
}

/** PUT `lock/free`: the same name and bytes for everybody. */
export async function writeFree(
  context: StoreContext,
  folders: Folders,
  signal?: AbortSignal,
): Promise<void> {
  const request = { method: 'PUT', name: freeLockName, body: headContent, signal } as const
  let response = await context.transport.request(request)
  await response.discard()
  if ([403, 404, 409, 500].includes(response.status)) {
    await folders.make(lockFolder, signal)
    response = await context.transport.request(request)
    await response.discard()
  }
  // 423: somebody else writes the same name and bytes at this moment (rclone); the next listing shows them.
  if (!isSuccess(response.status) && response.status !== 423)
    throw answerError(context, request, response, '201 or 204')
}
