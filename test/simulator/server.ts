/**
 * A WebDAV server in memory, for simulations: several clients, one of many profiles, faults of every kind, and time that
 * is the simulation's own. The same clock and the same seed give the same run. What is executed when nobody waits any
 * more (late, repeated and slow requests) is part of it: `settle` ends that.
 */
import type { Clock, Random } from '../../src/model/clock.ts'
import type { Transport } from '../../src/remote/transport.ts'
import { type ClientOptions, connect } from './connection.ts'
import { type Faults, noFaults, type OutageKind, outageKinds, outageMaxMs, pick } from './faults.ts'
import type { ServerProfile } from './profiles.ts'
import { createServerSide } from './running.ts'
import { below, parentOf, type StoreSnapshot, Tree } from './tree.ts'
import type { Effect } from './verbs.ts'

export type { ClientOptions } from './connection.ts'
export type { Faults } from './faults.ts'
export type { StoreSnapshot } from './tree.ts'
export type { Effect } from './verbs.ts'

export interface SimulatedServer {
  readonly profile: ServerProfile
  connect(client: ClientOptions): Transport
  /** Replaces all faults; what is not named is off. `{}` heals: an outage ends too. */
  setFaults(faults: Partial<Faults>): void
  /**
   * Requests that nobody waits for any more (late, repeated, slow) and that have not had their effect are executed to
   * their end at this instant, or dropped. Those with a waiting client go on as they are.
   */
  settle(how?: 'run' | 'drop'): void
  /** How many requests nobody waits for that have not had their effect yet. */
  astray(): number
  /** Nobody gets through for a while, in this way or in one that chance picks. */
  startOutage(kind?: OutageKind, ms?: number): void
  /** Kills everything under way, as a restart does: waiting clients meet a cut connection, others none for a while. */
  restart(): void
  /** What lies below the root; shares the bytes. */
  snapshot(): StoreSnapshot
  /** A restored backup: the root holds exactly this again. */
  restore(snapshot: StoreSnapshot): void
  wipe(): void
  /** Files below the root, sorted. */
  names(): string[]
  read(name: string): Uint8Array | null
  /** A hand that edits the store. Folders are made as needed. */
  write(name: string, bytes: Uint8Array): void
  /** A file, or a folder with everything in it. */
  remove(name: string): void
  /** How often each fault happened, and the answers by method and status (`PUT 201`). */
  readonly counts: ReadonlyMap<string, number>
}

export interface SimulatedServerOptions {
  readonly profile: ServerProfile
  /** The simulation's clock: of the server, of the network, of all that nobody waits for. */
  readonly clock: Clock
  readonly random: Random
  /** One way. Both 0: no time passes, and no clock is asked. */
  readonly latencyMs: { readonly min: number; readonly max: number }
  /** Where the store's root lies on the server; `dav/store` by default. */
  readonly root?: string
  /** The root's folder is yet to be made; the folder above the first one is there. */
  readonly isBare?: boolean
  /** Told each change at its instant, also of what nobody waits for. Hands (`write`, `restore`, …) are not told. */
  readonly onEffect?: (effect: Effect) => void
}

export function createSimulatedServer(options: SimulatedServerOptions): SimulatedServer {
  const { clock, random, profile } = options
  const root = options.root ?? 'dav/store'
  const tree = new Tree()
  tree.makeFolders(options.isBare === true ? parentOf(root) : root)
  const counts = new Map<string, number>()
  let faults = noFaults
  let outage: { readonly kind: OutageKind; readonly untilMs: number } | null = null
  const count = (what: string): void => void counts.set(what, (counts.get(what) ?? 0) + 1)

  const side = createServerSide({
    profile,
    tree,
    root,
    clock,
    random,
    latencyMs: options.latencyMs,
    faults: () => faults,
    count,
    onEffect: options.onEffect ?? (() => {}),
    outage() {
      if (outage !== null && clock.monotonic() >= outage.untilMs) outage = null
      if (outage !== null) count(`outage ${outage.kind}`)
      return outage?.kind ?? null
    },
    startOutage,
  })
  function startOutage(kind = pick(random, outageKinds), ms = outageMaxMs * random.fraction()): void {
    outage = { kind, untilMs: clock.monotonic() + ms }
  }

  return {
    profile,
    counts,
    connect: (client) => connect(side, client),
    setFaults(given) {
      faults = { ...noFaults, ...given }
      if (Object.keys(given).length === 0) outage = null
      if (faults.dateSkewMs !== 0) count('dateSkew')
      side.cache.clear()
    },
    settle: (how = 'run') => side.settle(how),
    astray: () => side.astray(),
    startOutage,
    restart: () => side.restart(),
    snapshot: () => tree.snapshot(root),
    restore(snapshot) {
      count('restore')
      tree.restore(root, snapshot, clock.now())
    },
    wipe() {
      count('wipe')
      tree.restore(root, new Map(), clock.now())
    },
    names: () => [...tree.snapshot(root)].flatMap(([name, bytes]) => (bytes === null ? [] : name)).sort(),
    read: (name) => tree.file(below(root, name))?.bytes ?? null,
    write(name, bytes) {
      const path = below(root, name)
      tree.makeFolders(parentOf(path))
      tree.place(path, tree.newFile(bytes, clock.now()))
    },
    remove: (name) => void tree.remove(below(root, name)),
  }
}
