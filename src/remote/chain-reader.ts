/** Reads what lies between a point that is known and the head, or finds where the two part. */
import type { ChainPoint, Changeset, ChangesetHash } from '../model/changeset.ts'
import { DavitError } from '../model/errors.ts'
import { ancestorsMax } from '../model/limits.ts'
import { type ChainWalk, createChainWalk, type ReadChangeset } from './chain-walk.ts'
import { changesetName } from './layout.ts'
import type { ChainReading } from './remote.ts'

export interface ChainReadingOptions {
  readonly known: ChainPoint
  readonly head: ChainPoint
  readonly knownHash: (version: number) => ChangesetHash | null
  readonly read: ReadChangeset
  /** Changesets asked for at once. */
  readonly readAhead: number
  readonly signal?: AbortSignal | undefined
}

/** A reader k ≤ 32 versions behind makes k requests, all but the first in parallel. */
export async function readChain(options: ChainReadingOptions): Promise<ChainReading> {
  const { known, head } = options
  const walk = createChainWalk(head, options.read)
  if (head.version >= known.version) {
    await walk.extendTo(known.version, options.signal)
    if (walk.hashAt(known.version) === known.hash) {
      const count = head.version - known.version
      return { kind: 'extends', count, changesets: ascending(options, walk) }
    }
  }
  return { kind: 'diverges', ancestor: await findAncestor(options, walk), head }
}

/** The newest version at which chain and caller agree. Given up where the caller's knowledge ends. */
async function findAncestor(options: ChainReadingOptions, walk: ChainWalk): Promise<ChainPoint | null> {
  let unknown = 0
  for (let version = Math.min(options.known.version, options.head.version); version >= 0; version--) {
    const own = options.knownHash(version)
    if (own === null) {
      unknown++
      if (unknown > ancestorsMax) return null
      continue
    }
    unknown = 0
    await walk.extendTo(version, options.signal)
    if (walk.hashAt(version) === own) return { version, hash: own }
  }
  return null
}

async function* ascending(options: ChainReadingOptions, walk: ChainWalk): AsyncGenerator<Changeset> {
  const { known, head } = options
  const stop = new AbortController()
  const signal = options.signal === undefined ? stop.signal : AbortSignal.any([options.signal, stop.signal])
  const underway: Promise<Changeset>[] = []
  let next = known.version + 1
  let previous = known
  const start = (version: number): Promise<Changeset> => {
    const taken = walk.take(version)
    const point = { version, hash: walk.hashAt(version) as ChangesetHash }
    const reading = taken === null ? options.read(point, signal) : Promise.resolve(taken)
    // Whoever is never waited for, because an earlier one failed, must not end the process.
    reading.catch(() => {})
    return reading
  }
  try {
    while (underway.length > 0 || next <= head.version) {
      while (underway.length < Math.max(1, options.readAhead) && next <= head.version)
        underway.push(start(next++))
      const changeset = await (underway.shift() as Promise<Changeset>)
      if (changeset.header.parent !== previous.hash) {
        throw new DavitError(
          'remote-damaged',
          `${changesetName(changeset.point)} names a parent other than ${previous.hash}`,
          {
            action: 'ask',
            hint: 'The store was changed by something that does not follow its format; restore it from a backup.',
          },
        )
      }
      walk.verify(changeset)
      previous = changeset.point
      yield changeset
    }
  } finally {
    stop.abort(new DavitError('stopped', 'the reading of the chain was ended', { action: 'retry' }))
  }
}
