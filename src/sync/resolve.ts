/**
 * A person's decision on a conflict: one commit, made on exactly the state that was looked at. Refused when that
 * state has changed, never guessed.
 */
import { createHash } from 'node:crypto'
import type { Operation } from '../model/changeset.ts'
import type { Candidate, Conflict, ConflictId, ResolutionStrategy } from '../model/conflict.ts'
import { fieldValue, liveState } from '../model/dirtiness.ts'
import { DavitError } from '../model/errors.ts'
import type { ContentHash, FilePath, FileState, InstanceId } from '../model/file-state.ts'
import { canonicalJson, type JsonValue } from '../model/json.ts'
import { mergeTextBytesMax, runRoundsMax } from '../model/limits.ts'
import { conflictCopyPath } from '../reconcile/aside-name.ts'
import { commitOperations } from './commit.ts'
import { nowIso, type SyncContext } from './context.ts'
import { fetchContent, memorySource } from './fetch-content.ts'
import { pull } from './pull.ts'
import { resolveOperation } from './push.ts'
import { putOperation } from './put-operation.ts'

export interface Resolution {
  readonly id: ConflictId
  readonly strategy: ResolutionStrategy
  /** The name of the instance whose candidate is meant. */
  readonly candidate?: string
  readonly content?: Uint8Array
  /** The revision that was decided on. */
  readonly expected?: string
}

/** A token that changes with every side of the conflict. */
export function conflictRevision(context: SyncContext, conflict: Conflict): string {
  const triple = context.database.trees.triple(conflict.fileId)
  const committed = committedSide(conflict, liveState(triple))
  const sides = conflict.candidates.map((side) => [side.instance, side.hash]).sort()
  return createHash('sha256')
    .update(canonicalJson([conflict.id, committed.hash, sides as JsonValue]))
    .digest('hex')
    .slice(0, 16)
}

/** The side that is current everywhere. `hash` is `null` when there is no content (the file is gone). */
export function committedSide(
  conflict: Conflict,
  live: FileState | null,
): { readonly hash: ContentHash | null; readonly size: number; readonly value?: JsonValue } {
  if (conflict.aspect === 'content') return { hash: live?.hash ?? null, size: live?.size ?? 0 }
  const value = live === null ? null : fieldValue(live.metadata, conflict.aspect.slice('metadata.'.length))
  const text = canonicalJson(value)
  return { hash: hashOf(Buffer.from(text)), size: Buffer.byteLength(text), value }
}

/**
 * The candidate meant by `local`: the named one; without a name this instance's own, or the only one of somebody
 * else. Rejects with `bad-request` when that is nobody or several.
 */
export function chosenCandidate(conflict: Conflict, own: InstanceId, name: string | undefined): Candidate {
  if (name !== undefined) {
    const named = conflict.candidates.find((side) => side.name === name || side.instance === name)
    if (named !== undefined) return named
    throw new DavitError('bad-request', `the conflict has no candidate of an instance '${name}'`, {
      action: 'give-up',
      hint: `Candidates: ${conflict.candidates.map((side) => side.name).join(', ')}.`,
    })
  }
  const mine = conflict.candidates.find((side) => side.instance === own)
  if (mine !== undefined) return mine
  const [only, ...others] = conflict.candidates
  if (only !== undefined && others.length === 0) return only
  throw new DavitError(
    'bad-request',
    'this instance has no candidate of its own, and several others have one',
    {
      action: 'give-up',
      hint: `Name one with \`candidate\`: ${conflict.candidates.map((side) => side.name).join(', ')}.`,
    },
  )
}

/** Commits the resolution. Rejects with `not-found`, `conflict-stale`, `bad-request`, or the remote's errors. */
export async function resolveConflict(
  context: SyncContext,
  resolution: Resolution,
  signal?: AbortSignal,
): Promise<Conflict> {
  const { database } = context
  let decidedOn = resolution.expected ?? null
  for (let round = 0; round < runRoundsMax; round++) {
    await pull(context, { list: true, ...(signal === undefined ? {} : { signal }) })
    const conflict = openConflict(context, resolution.id)
    const revision = conflictRevision(context, conflict)
    // A caller without `expected` decided on what stood when it called.
    decidedOn ??= revision
    if (revision !== decidedOn) throw stale('the conflict has changed since it was looked at')
    const operations = await operationsFor(context, conflict, resolution, signal)
    const result = await commitOperations(context, operations, signal)
    if (result.kind === 'won') return conflict
    await context.clock.sleep(25 + context.random.fraction() * 100 * (round + 1), signal)
  }
  throw new DavitError('remote-busy', 'others commit faster than this resolution could', { action: 'retry' })
  function openConflict(_context: SyncContext, id: ConflictId): Conflict {
    const open = database.conflicts.get(id)
    if (open !== null) return open
    if (database.conflicts.resolved(id) !== null) throw stale('the conflict has been resolved already')
    throw new DavitError('not-found', `there is no conflict ${id}`, { action: 'give-up' })
  }
}

function stale(message: string): DavitError {
  return new DavitError('conflict-stale', message, {
    action: 'ask',
    hint: 'Look at the conflict again and decide anew.',
  })
}

async function operationsFor(
  context: SyncContext,
  conflict: Conflict,
  resolution: Resolution,
  signal: AbortSignal | undefined,
): Promise<Operation[]> {
  const live = liveState(context.database.trees.triple(conflict.fileId))
  if (live === null) throw stale('the file was deleted')
  const committed = committedSide(conflict, live)
  const close = resolveOperation(
    conflict,
    resolution.strategy,
    committed.hash === null ? [] : [committed.hash],
  )
  return conflict.aspect === 'content'
    ? [...(await contentOperations(context, conflict, live, resolution, signal)), close]
    : [...metadataOperations(context, conflict, live, resolution), close]
}

async function contentOperations(
  context: SyncContext,
  conflict: Conflict,
  live: FileState,
  resolution: Resolution,
  signal: AbortSignal | undefined,
): Promise<Operation[]> {
  const { strategy } = resolution
  const changeTo = (
    side: { readonly hash: ContentHash; readonly size: number },
    mtimeUs: number,
  ): Operation[] =>
    side.hash === live.hash
      ? []
      : [putOperation(conflict.fileId, live, { ...live, hash: side.hash, size: side.size, mtimeUs })]
  switch (strategy) {
    case 'remote':
      return []
    case 'local': {
      const side = chosenCandidate(conflict, context.instance().id, resolution.candidate)
      return changeTo(side, mtimeOf(context, conflict, side))
    }
    case 'both': {
      const sides =
        resolution.candidate === undefined
          ? conflict.candidates
          : [chosenCandidate(conflict, context.instance().id, resolution.candidate)]
      const taken = new Set<FilePath>()
      return sides
        .filter((side) => side.hash !== live.hash)
        .map((side) => {
          const path = freePath(context, live.path, side, taken)
          taken.add(path)
          const after = {
            ...live,
            path,
            hash: side.hash,
            size: side.size,
            mtimeUs: mtimeOf(context, conflict, side),
          }
          return putOperation(context.random.uuid(), null, after)
        })
    }
    case 'merge': {
      const content =
        resolution.content ?? (await automaticMerge(context, conflict, live, resolution.candidate, signal))
      const hash = hashOf(content)
      const object = await objectFor(context, hash, content, signal)
      return [...object, ...changeTo({ hash, size: content.length }, Math.round(context.clock.now() * 1000))]
    }
  }
}

function metadataOperations(
  context: SyncContext,
  conflict: Conflict,
  live: FileState,
  resolution: Resolution,
): Operation[] {
  const field = conflict.aspect.slice('metadata.'.length)
  const changeTo = (value: JsonValue): Operation[] => {
    const { [field]: _old, ...others } = live.metadata
    const metadata = value === null ? others : { ...others, [field]: value }
    return canonicalJson(metadata) === canonicalJson(live.metadata)
      ? []
      : [putOperation(conflict.fileId, live, { ...live, metadata })]
  }
  switch (resolution.strategy) {
    case 'remote':
      return []
    case 'local':
      return changeTo(chosenCandidate(conflict, context.instance().id, resolution.candidate).value ?? null)
    case 'both':
      throw new DavitError('bad-request', 'one field cannot keep both values', {
        action: 'give-up',
        hint: 'Take `local` or `remote`, or `merge` with the value as JSON content.',
      })
    case 'merge': {
      if (resolution.content === undefined) {
        throw new DavitError('bad-request', 'a metadata field has no automatic merge', {
          action: 'give-up',
          hint: 'Send the merged value as JSON content.',
        })
      }
      try {
        return changeTo(JSON.parse(Buffer.from(resolution.content).toString('utf8')) as JsonValue)
      } catch (cause) {
        throw new DavitError('bad-request', 'the content is not JSON', { action: 'give-up', cause })
      }
    }
  }
}

/** The clean three-way merge of the committed side and one candidate. Rejects with `bad-request` when there is none. */
export async function automaticMerge(
  context: SyncContext,
  conflict: Conflict,
  live: FileState,
  candidate: string | undefined,
  signal?: AbortSignal,
): Promise<Uint8Array> {
  const side = chosenCandidate(conflict, context.instance().id, candidate)
  const fetch = (hash: ContentHash) => fetchContent(context, hash, mergeTextBytesMax, signal)
  if (live.hash === null)
    throw new DavitError('bad-request', 'there is no content to merge with', { action: 'give-up' })
  const [base, local, remote] = await Promise.all([
    conflict.base === null ? null : fetch(conflict.base.hash),
    fetch(side.hash),
    fetch(live.hash),
  ])
  const merged = context.merger.merge({ path: live.path, base, local, remote })
  if (merged.kind === 'merged') return merged.content
  throw new DavitError('bad-request', `the sides do not merge by themselves: ${merged.reason}`, {
    action: 'give-up',
    hint: 'Send the merged content, or take `local`, `remote` or `both`.',
  })
}

async function objectFor(
  context: SyncContext,
  hash: ContentHash,
  content: Uint8Array,
  signal: AbortSignal | undefined,
): Promise<Operation[]> {
  if (context.database.contents.find(hash) !== null) return []
  const name = await context.remote.writeContent(hash, memorySource(content), signal)
  return [{ kind: 'object', hash, size: content.length, name, before: null }]
}

/** The time of the content that was chosen: the file's own where it is here, else when its instance spoke. */
function mtimeOf(context: SyncContext, conflict: Conflict, side: Candidate): number {
  const local = context.database.trees.triple(conflict.fileId).local
  if (local !== null && local.state.hash === side.hash) return local.state.mtimeUs
  const at = Date.parse(side.at)
  return Number.isFinite(at) ? at * 1000 : Math.round(context.clock.now() * 1000)
}

function freePath(
  context: SyncContext,
  path: FilePath,
  side: Candidate,
  taken: ReadonlySet<FilePath>,
): FilePath {
  const { trees } = context.database
  const at = nowIso(context)
  for (let number = 1; ; number++) {
    const candidate = conflictCopyPath(path, { instance: side.name, now: at, attempt: number })
    const isFree =
      !taken.has(candidate) &&
      trees.remoteAt(candidate) === null &&
      trees.localAt(candidate) === null &&
      trees.syncedAt(candidate) === null &&
      !trees.hasBelow('local', candidate) &&
      !trees.hasBelow('remote', candidate)
    if (isFree) return candidate
  }
}

function hashOf(content: Uint8Array): ContentHash {
  return createHash('sha256').update(content).digest('hex')
}
