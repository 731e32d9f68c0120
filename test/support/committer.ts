/** One instance reduced to committing: pull, commit on top, and find out what became of an attempt. */
import { type ChainPoint, emptyStorePoint } from '../../src/model/changeset.ts'
import type { Clock, Random } from '../../src/model/clock.ts'
import { isDavitError } from '../../src/model/errors.ts'
import type { Remote } from '../../src/remote/remote.ts'
import { fileOperation, headerAfter } from './changesets.ts'

export interface Committer {
  /** What this instance was told that it won, in order. */
  readonly won: ChainPoint[]
  /** Tries until `count` commits are won; rejects when it takes too many rounds. */
  work(count: number): Promise<void>
}

export function createCommitter(remote: Remote, id: string, clock: Clock, random: Random): Committer {
  const won: ChainPoint[] = []
  let chain: ChainPoint[] = []
  let attempt: { parent: ChainPoint; point: ChainPoint } | null = null

  async function pull(): Promise<boolean> {
    const listing = await remote.listHeads()
    if (listing.kind === 'several') {
      await remote.healHeads(listing.heads)
      return false
    }
    if (listing.kind !== 'one') return false
    const known = chain.at(-1) ?? emptyStorePoint
    // A stale listing: nothing is concluded from it.
    if (listing.head.version < known.version) return false
    const hashAt = (version: number) =>
      version === 0 ? emptyStorePoint.hash : (chain[version - 1]?.hash ?? null)
    const reading = await remote.readChain(known, listing.head, hashAt)
    if (reading.kind === 'diverges') {
      chain = chain.slice(0, reading.ancestor?.version ?? 0)
      return false
    }
    for await (const changeset of reading.changesets) chain.push(changeset.point)
    return true
  }

  async function step(): Promise<void> {
    if (attempt !== null) {
      const outcome = await remote.commit(attempt.parent, attempt.point)
      if (outcome.kind === 'won') won.push(attempt.point)
      attempt = null
      return
    }
    if (!(await pull())) return
    const { point, bytes } = remote.encodeChangeset(headerAfter(chain, random, 1, id), [
      fileOperation(random),
    ])
    await remote.writeChangeset(point, bytes)
    attempt = { parent: chain.at(-1) ?? emptyStorePoint, point }
  }

  return {
    won,
    async work(count) {
      for (let round = 0; won.length < count; round++) {
        if (round > 500) throw new Error(`no way through after ${round} rounds`)
        try {
          await step()
        } catch (error) {
          if (!isDavitError(error) || (error.action !== 'retry' && error.code !== 'remote-damaged'))
            throw error
          await clock.sleep(random.fraction() * 2_000)
        }
      }
    },
  }
}
