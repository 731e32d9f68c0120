/**
 * The commit: the one rename that decides, and the look after every answer.
 *
 *     MOVE version/<V>-<hash>  →  version/<V+1>-<hash'>
 *
 * The source is always the changeset's own parent, and no name of it ever comes back: of any number of racing renames,
 * repeated ones included, the server can execute one. What an answer says is not used to tell who won.
 */
import type { ChainPoint } from '../model/changeset.ts'
import { DavitError, isDavitError } from '../model/errors.ts'
import { commitAttemptsMax, headLookIntervalMs, headLooksMax, healRoundsMax } from '../model/limits.ts'
import { answerError, type StoreContext, waitBefore } from './answer.ts'
import { createChainWalk, type ReadChangeset } from './chain-walk.ts'
import { lookAtHeads, samePoint } from './head.ts'
import { healHeads } from './heal-heads.ts'
import { headName } from './layout.ts'
import type { CommitOutcome } from './remote.ts'
import type { TransportRequest } from './transport.ts'

export interface CommitOptions {
  readonly parent: ChainPoint
  readonly point: ChainPoint
  readonly read: ReadChangeset
  readonly signal?: AbortSignal | undefined
}

/**
 * Which form of Destination this server takes; kept by the remote. Learned from a rename that was seen to be done,
 * never from a refusal: a proxy's hiccup is a 502 too, and a server may answer the wrong form with 404 for ever.
 */
export interface DestinationForm {
  form: 'absolute' | 'path'
}

/** Statuses that no repetition changes as long as the parent is still the head. */
const final = [401, 405, 413, 501, 507]
/** Answers that a path-only Destination may turn into success, where a proxy has changed the host's name. */
export const destinationRefused = [400, 502]
/** And with which servers answer the form that they do not take (phodav: 404), while the source is plainly there. */
const maybeRefused = [...destinationRefused, 404, 409]
/** As many times an answer such as 403 may be a busy server's; then it is a refusal. */
const refusalsMax = 4

export function otherForm(form: DestinationForm['form']): DestinationForm['form'] {
  return form === 'absolute' ? 'path' : 'absolute'
}

type Answer = { readonly status: number | null; readonly failure: DavitError | null }

export async function commit(
  context: StoreContext,
  destination: DestinationForm,
  options: CommitOptions,
): Promise<CommitOutcome> {
  let answer: Answer = { status: null, failure: null }
  let { form } = destination
  for (let attempt = 0; attempt < commitAttemptsMax; attempt++) {
    answer = await move(context, form, options)
    const outcome = await lookAndHeal(context, options)
    if (outcome !== 'parent' && outcome.kind === 'won' && answer.failure === null) destination.form = form
    if (outcome !== 'parent') return outcome
    // The parent is still the head: nothing was executed yet. The very same rename again, whichever of them counts.
    const { status } = answer
    if (status !== null && (final.includes(status) || (status === 403 && attempt >= refusalsMax))) break
    const mayBeForm = status !== null && maybeRefused.includes(status)
    if (mayBeForm) form = otherForm(form)
    if (!mayBeForm || attempt > 0) await waitBefore(attempt, context, options.signal)
  }
  throw (
    answer.failure ??
    new DavitError(
      'remote-unexpected',
      'the server reports a rename as done that its listing does not show',
      {
        action: 'retry',
        hint: 'A cache between this machine and the server may answer: go round it, and try again. `davit doctor` tells whether there is one.',
      },
    )
  )
}

async function move(
  context: StoreContext,
  form: DestinationForm['form'],
  options: CommitOptions,
): Promise<Answer> {
  const request: TransportRequest = {
    method: 'MOVE',
    name: headName(options.parent),
    destination: headName(options.point),
    destinationForm: form,
    overwrite: false,
    signal: options.signal,
  }
  try {
    const response = await context.transport.request(request)
    await response.discard()
    const done = [200, 201, 204].includes(response.status)
    return {
      status: response.status,
      failure: done ? null : answerError(context, request, response, '201'),
    }
  } catch (error) {
    options.signal?.throwIfAborted()
    // Lost on its way there or back: the names will tell.
    if (isDavitError(error, 'remote-unreachable')) return { status: null, failure: error }
    throw error
  }
}

type Look = CommitOutcome | 'parent' | { readonly kind: 'several'; readonly heads: readonly ChainPoint[] }

/** Several names that stay are healed here: an attempt that only waited would wait for ever if everybody did. */
async function lookAndHeal(context: StoreContext, options: CommitOptions): Promise<CommitOutcome | 'parent'> {
  for (let round = 0; round < healRoundsMax; round++) {
    const found = await look(context, options)
    if (found === 'parent' || found.kind !== 'several') return found
    await healHeads(context, found.heads, options.signal)
  }
  throw untold(options, 'its names keep changing')
}

/** What the names and the chain say. Rejects when they cannot tell. */
async function look(context: StoreContext, options: CommitOptions): Promise<Look> {
  const { parent, point, signal } = options
  let seen = ''
  let several: readonly ChainPoint[] | null = null
  for (let looks = 0; looks < headLooksMax; looks++) {
    if (looks > 0) await context.clock.sleep(headLookIntervalMs, signal)
    const found = await lookAtHeads(context, signal)
    several = found.kind === 'names' && found.heads.length > 1 ? found.heads : null
    if (found.kind !== 'names') {
      seen = found.kind === 'missing' ? 'the folder is missing' : found.reason
      continue
    }
    const [head] = found.heads
    if (several !== null) continue
    if (head === undefined) {
      seen = 'there is no name'
      continue
    }
    if (samePoint(head, point)) return { kind: 'won', head }
    if (samePoint(head, parent)) return 'parent'
    if (head.version === point.version) return { kind: 'lost', head }
    if (head.version > point.version) {
      const walk = createChainWalk(head, options.read)
      await walk.extendTo(point.version, signal)
      return { kind: walk.hashAt(point.version) === point.hash ? 'won' : 'lost', head }
    }
    // Older than the parent: a stale listing, or a store that was rolled back. Neither tells the outcome.
    seen = `its head is ${head.version}, older than the parent ${parent.version}`
  }
  if (several !== null) return { kind: 'several', heads: several }
  throw untold(options, seen)
}

function untold({ point }: CommitOptions, seen: string): DavitError {
  return new DavitError(
    'remote-busy',
    `the outcome of commit ${point.version} cannot be told yet: in version/, ${seen}`,
    {
      action: 'retry',
      hint: 'It is found out at the next attempt, after the head was looked at again.',
      details: { version: point.version },
    },
  )
}
