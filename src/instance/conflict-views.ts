/** Conflicts as the API shows them, with the contents of every side. */
import { createHash } from 'node:crypto'
import type { Conflict } from '../model/conflict.ts'
import { liveState } from '../model/dirtiness.ts'
import { DavitError, isDavitError } from '../model/errors.ts'
import type { ContentHash } from '../model/file-state.ts'
import { canonicalJson, type JsonValue } from '../model/json.ts'
import type { SyncContext } from '../sync/context.ts'
import { fetchContent } from '../sync/fetch-content.ts'
import { automaticMerge, chosenCandidate, committedSide, conflictRevision } from '../sync/resolve.ts'
import type { ConflictView, FileContent } from './instance.ts'

/** Sides larger than this are not merged to find out whether they would. */
const mergeableBytesMax = 1024 * 1024
/** A side that is shown is read into memory: at most this much. */
const shownBytesMax = 256 * 1024 * 1024

export class ConflictViews {
  private readonly context: SyncContext
  /** Whether the sides merge, by revision: contents never change, so neither does the answer. */
  private readonly mergeable = new Map<string, boolean>()

  constructor(context: SyncContext) {
    this.context = context
  }

  async view(conflict: Conflict): Promise<ConflictView> {
    const triple = this.context.database.trees.triple(conflict.fileId)
    const live = liveState(triple)
    const committed = committedSide(conflict, live)
    const revision = conflictRevision(this.context, conflict)
    return {
      id: conflict.id,
      kind: conflict.kind,
      path: live?.path ?? conflict.path,
      fileId: conflict.fileId,
      aspect: conflict.aspect,
      base: conflict.base,
      candidates: [
        {
          instance: 'remote',
          hash: committed.hash,
          size: committed.size,
          at: null,
          ...(committed.value === undefined ? {} : { value: committed.value }),
        },
        ...conflict.candidates.map(({ name, hash, size, at, value }) => ({
          instance: name,
          hash,
          size,
          at,
          ...(value === undefined ? {} : { value }),
        })),
      ],
      mergeable: await this.isMergeable(conflict, revision),
      revision,
      detectedAt: conflict.detectedAt,
    }
  }

  private async isMergeable(conflict: Conflict, revision: string): Promise<boolean> {
    const known = this.mergeable.get(revision)
    if (known !== undefined) return known
    const live = liveState(this.context.database.trees.triple(conflict.fileId))
    const sizes = [conflict.base?.size ?? 0, live?.size ?? 0, ...conflict.candidates.map((side) => side.size)]
    if (conflict.aspect !== 'content' || live === null || conflict.candidates.length !== 1) return false
    if (sizes.some((size) => size > mergeableBytesMax)) return false
    try {
      await automaticMerge(this.context, conflict, live, conflict.candidates[0]?.instance)
      this.remember(revision, true)
      return true
    } catch (error) {
      // Unreachable now: not known to merge, and asked again the next time.
      if (!isDavitError(error)) throw error
      if (error.code === 'bad-request') this.remember(revision, false)
      return false
    }
  }

  private remember(revision: string, mergeable: boolean): void {
    if (this.mergeable.size >= 1_000) this.mergeable.clear()
    this.mergeable.set(revision, mergeable)
  }

  /** `side`: `base`, `local`, `remote`, `merged` or an instance's name. */
  async content(conflict: Conflict, side: string): Promise<FileContent> {
    const live = liveState(this.context.database.trees.triple(conflict.fileId))
    const path = live?.path ?? conflict.path
    if (conflict.aspect !== 'content') return this.valueContent(conflict, side, path)
    const hash = await this.sideHash(conflict, side, live?.hash ?? null)
    if (hash instanceof Uint8Array) return contentOf(path, hash)
    return contentOf(path, await fetchContent(this.context, hash, shownBytesMax))
  }

  private async sideHash(
    conflict: Conflict,
    side: string,
    committed: ContentHash | null,
  ): Promise<ContentHash | Uint8Array> {
    switch (side) {
      case 'base':
        return conflict.base?.hash ?? missing('the conflict has no base: the file was created on both sides')
      case 'remote':
        return committed ?? missing('the committed side has no content')
      case 'merged': {
        const live = liveState(this.context.database.trees.triple(conflict.fileId))
        if (live === null) return missing('the committed side has no content')
        try {
          return await automaticMerge(this.context, conflict, live, undefined)
        } catch (error) {
          if (isDavitError(error, 'bad-request')) return missing(error.message)
          throw error
        }
      }
      default:
        return chosenOf(this.context, conflict, side).hash
    }
  }

  private valueContent(conflict: Conflict, side: string, path: string): FileContent {
    const live = liveState(this.context.database.trees.triple(conflict.fileId))
    const value: JsonValue =
      side === 'base'
        ? (conflict.base?.value ?? null)
        : side === 'remote'
          ? (committedSide(conflict, live).value ?? null)
          : side === 'merged'
            ? missing('a metadata field has no automatic merge')
            : (chosenOf(this.context, conflict, side).value ?? null)
    return contentOf(path, Buffer.from(canonicalJson(value)))
  }
}

function chosenOf(context: SyncContext, conflict: Conflict, side: string) {
  try {
    return chosenCandidate(conflict, context.instance().id, side === 'local' ? undefined : side)
  } catch (error) {
    if (isDavitError(error, 'bad-request')) return missing(error.message)
    throw error
  }
}

function missing(message: string): never {
  throw new DavitError('not-found', message, { action: 'give-up' })
}

function contentOf(path: string, content: Uint8Array): FileContent {
  return {
    path,
    size: content.length,
    hash: createHash('sha256').update(content).digest('hex'),
    stream: (async function* () {
      yield content
    })(),
  }
}
