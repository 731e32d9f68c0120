/**
 * One instance reduced to what it does in the store: pull, upload a content, commit on top, find out what became of an
 * attempt; now and then a checkpoint, an announcement, the lock. It never gives up, whatever the server does: an error
 * that asks a person is answered by trying again.
 */
import type { ChainPoint } from '../../src/model/changeset.ts'
import { emptyStorePoint } from '../../src/model/changeset.ts'
import type { Clock, Random } from '../../src/model/clock.ts'
import { isDavitError } from '../../src/model/errors.ts'
import type { CommitOutcome, Remote } from '../../src/remote/remote.ts'
import { collectingSink, fileOperation, headerAfter, sha256Of, sourceOf } from '../support/changesets.ts'

export interface WrittenContent {
  readonly name: string
  readonly hash: string
  readonly size: number
}

export interface Writer {
  /** What this instance was told that it won, in order. */
  readonly won: ChainPoint[]
  /** What it was told that it lost. */
  readonly lost: ChainPoint[]
  /** What it was told that the store holds. */
  readonly contents: WrittenContent[]
  /** The codes of the errors that it met. */
  readonly errors: Map<string, number>
  /** Works until so many commits are won. Rejects when it takes too many steps, or on an error that is none of ours. */
  work(count: number): Promise<void>
}

export interface WriterOptions {
  readonly remote: Remote
  readonly id: string
  readonly clock: Clock
  readonly random: Random
  readonly stepsMax?: number
}

export function createWriter(options: WriterOptions): Writer {
  const { remote, id, clock, random } = options
  const stepsMax = options.stepsMax ?? 2_000
  const won: ChainPoint[] = []
  const lost: ChainPoint[] = []
  const contents: WrittenContent[] = []
  const errors = new Map<string, number>()
  let chain: ChainPoint[] = []
  let attempt: { readonly parent: ChainPoint; readonly point: ChainPoint } | null = null

  async function pull(): Promise<boolean> {
    const listing = await remote.listHeads()
    if (listing.kind === 'several') {
      await remote.healHeads(listing.heads)
      return false
    }
    if (listing.kind !== 'one') return false
    const known = chain.at(-1) ?? emptyStorePoint
    // An older listing: nothing is concluded from it.
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

  async function upload(): Promise<void> {
    const bytes = new TextEncoder().encode(random.hex(20 + Math.floor(200 * random.fraction())))
    const hash = sha256Of(bytes)
    const name = await remote.writeContent(hash, sourceOf(bytes, 100))
    contents.push({ name, hash, size: bytes.length })
  }

  async function prepare(): Promise<void> {
    // As an instance that polls: whatever HEAD says is unchanged is not listed.
    const isUnchanged =
      random.fraction() < 0.5 && (await remote.check(chain.at(-1) ?? emptyStorePoint)) === 'unchanged'
    if (!isUnchanged && !(await pull())) return
    await upload()
    const header = headerAfter(chain, random, 1, id)
    const { point, bytes } = remote.encodeChangeset(header, [fileOperation(random)])
    await remote.writeChangeset(point, bytes)
    attempt = { parent: chain.at(-1) ?? emptyStorePoint, point }
  }

  async function settle(made: { readonly parent: ChainPoint; readonly point: ChainPoint }): Promise<void> {
    const outcome: CommitOutcome = await remote.commit(made.parent, made.point)
    if (outcome.kind === 'won') won.push(made.point)
    else lost.push(made.point)
    attempt = null
  }

  /** What is done beside commits; none of it may disturb them. */
  async function other(): Promise<void> {
    const kind = Math.floor(4 * random.fraction())
    if (kind === 0) {
      const seenAt = new Date(clock.now()).toISOString()
      await remote.announceInstance({ id, name: 'writer', incarnation: 'x', version: chain.length, seenAt })
    } else if (kind === 1) {
      const held = await remote.acquireLock({ wait: false })
      await held?.renew()
      await held?.release()
    } else if (kind === 2) {
      const bytes = new TextEncoder().encode(`SQLite format 3 ${random.hex(40)}`)
      const file = { hash: sha256Of(bytes), source: sourceOf(bytes) }
      const reference = await remote.writeCheckpoint(chain.at(-1) ?? emptyStorePoint, file)
      contents.push({ name: reference.name, hash: reference.hash, size: reference.size })
    } else if (contents.length > 0) {
      const { name, hash, size } = contents[Math.floor(contents.length * random.fraction())] as WrittenContent
      if (name.startsWith('checkpoints/')) return
      await remote.readContent(name, { hash, size }, collectingSink())
    }
  }

  return {
    won,
    lost,
    contents,
    errors,
    async work(count) {
      for (let steps = 0; won.length < count; steps++) {
        if (steps > stepsMax)
          throw new Error(`no way through after ${steps} steps: ${JSON.stringify([...errors])}`)
        try {
          if (attempt !== null) await settle(attempt)
          else if (random.fraction() < 0.2) await other()
          else await prepare()
        } catch (error) {
          if (!isDavitError(error) || error.action === 'give-up') throw error
          errors.set(error.code, (errors.get(error.code) ?? 0) + 1)
          await clock.sleep(1 + random.fraction() * 2_000)
        }
      }
    },
  }
}
