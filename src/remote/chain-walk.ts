/** Walks a chain back from its head by the ancestors that each header names: one request for 32 versions. */
import { type ChainPoint, type Changeset, type ChangesetHash, emptyStorePoint } from '../model/changeset.ts'
import { DavitError } from '../model/errors.ts'
import { chainKeptBytesMax } from '../model/limits.ts'
import { changesetName } from './layout.ts'

export type ReadChangeset = (point: ChainPoint, signal?: AbortSignal) => Promise<Changeset>

export interface ChainWalk {
  /** Goes back until the hash at `version` is known. */
  extendTo(version: number, signal?: AbortSignal): Promise<void>
  /** The chain's hash at a version that the walk has reached; `null` beyond it. */
  hashAt(version: number): ChangesetHash | null
  /** A changeset that the walk read and still has; it is handed out once. */
  take(version: number): Changeset | null
  /** Rejects with `remote-damaged` when a header contradicts what its descendants said of the chain. */
  verify(changeset: Changeset): void
}

export function createChainWalk(head: ChainPoint, read: ReadChangeset): ChainWalk {
  const hashes = new Map<number, ChangesetHash>([
    [emptyStorePoint.version, emptyStorePoint.hash],
    [head.version, head.hash],
  ])
  const kept = new Map<number, Changeset>()
  let keptBytes = 0
  let lowest = head.version

  function verify(changeset: Changeset): void {
    changeset.header.ancestors.forEach((hash, index) => {
      const version = changeset.point.version - 1 - index
      if ((hashes.get(version) ?? hash) !== hash) {
        throw new DavitError(
          'remote-damaged',
          `${changesetName(changeset.point)} names another ancestor at version ${version} than its descendants do`,
          {
            action: 'ask',
            hint: 'The store was changed by something that does not follow its format; restore it from a backup.',
          },
        )
      }
    })
  }

  return {
    async extendTo(version, signal) {
      // Version 1 is always the child of version 0: the grammar of its header says so.
      while (lowest > version && lowest > 1) {
        const changeset = await read({ version: lowest, hash: hashes.get(lowest) as ChangesetHash }, signal)
        verify(changeset)
        if (keptBytes + changeset.bytes.length <= chainKeptBytesMax) {
          kept.set(lowest, changeset)
          keptBytes += changeset.bytes.length
        }
        const { ancestors } = changeset.header
        ancestors.forEach((hash, index) => {
          hashes.set(changeset.point.version - 1 - index, hash)
        })
        lowest -= ancestors.length
      }
    },
    hashAt: (version) => hashes.get(version) ?? null,
    take(version) {
      const changeset = kept.get(version) ?? null
      if (changeset !== null) {
        kept.delete(version)
        keptBytes -= changeset.bytes.length
      }
      return changeset
    },
    verify,
  }
}
