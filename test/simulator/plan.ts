/**
 * What a seed stands for: how many instances of what kind, over which server with which faults, and a list of what
 * people, programs and machines do at which time. Each entry carries its own chance, so that leaving one out leaves
 * the others as they are.
 */
import type { ConflictPolicy } from '../../src/model/conflict.ts'
import { type Chance, createChance } from './chance.ts'
import { drawFaults, type Faults } from './faults.ts'
import type { InstanceSettings } from './instance.ts'
import { type ProfileName, profileNames } from './profiles.ts'

export const gestureKinds = [
  'write',
  'edit',
  'sameEdit',
  'rename',
  'renameFolder',
  'renameOver',
  'swap',
  'remove',
  'removeFolder',
  'makeFolder',
  'copy',
  'touch',
  'executable',
  'fileToFolder',
  'folderToFile',
  'metadata',
  'resolve',
] as const
export const machineKinds = [
  'sync',
  'crash',
  'powerCut',
  'restart',
  'pause',
  'clockJump',
  'loseState',
  'copyIndex',
  'restoreIndex',
  'join',
  'leave',
  'slipIn',
] as const
export const storeKinds = [
  'outage',
  'snapshot',
  'rollback',
  'wipe',
  'duplicateHead',
  'forgeLock',
  'dropLock',
  'overwriteBlob',
] as const

export type EventKind =
  | (typeof gestureKinds)[number]
  | (typeof machineKinds)[number]
  | (typeof storeKinds)[number]

export interface PlannedEvent {
  readonly atMs: number
  readonly kind: EventKind
  /** Index of the instance; of the store's events nobody's. */
  readonly who: number
  /** Seed of what the event itself leaves to chance. */
  readonly seed: number
}

export interface Plan {
  readonly seed: number
  readonly instances: readonly InstanceSettings[]
  readonly profile: ProfileName
  readonly latencyMs: { readonly min: number; readonly max: number }
  readonly faults: Partial<Faults>
  readonly events: readonly PlannedEvent[]
}

export const instanceNames = ['ann', 'bob', 'cyd', 'dan', 'eve', 'fay', 'gus', 'hal']

const weights: Readonly<Record<EventKind, number>> = {
  write: 16,
  edit: 22,
  sameEdit: 2,
  rename: 8,
  renameFolder: 5,
  renameOver: 2,
  swap: 3,
  remove: 9,
  removeFolder: 3,
  makeFolder: 2,
  copy: 2,
  touch: 2,
  executable: 2,
  fileToFolder: 2,
  folderToFile: 2,
  metadata: 5,
  resolve: 5,
  sync: 34,
  crash: 8,
  powerCut: 4,
  restart: 3,
  pause: 3,
  clockJump: 2,
  loseState: 1,
  copyIndex: 2,
  restoreIndex: 2,
  join: 2,
  leave: 1,
  slipIn: 6,
  outage: 2,
  snapshot: 2,
  rollback: 3,
  wipe: 1,
  duplicateHead: 3,
  forgeLock: 1,
  dropLock: 1,
  overwriteBlob: 1,
}

/** What only some seeds have at all, so that the others are simple. */
const rare: readonly EventKind[] = [
  'powerCut',
  'pause',
  'clockJump',
  'loseState',
  'restoreIndex',
  'leave',
  'outage',
  'rollback',
  'wipe',
  'duplicateHead',
  'forgeLock',
  'dropLock',
  'overwriteBlob',
  'crash',
  'slipIn',
  'join',
]

const often: ReadonlySet<EventKind> = new Set(['crash', 'slipIn', 'powerCut'])

export function planOf(seed: number): Plan {
  const chance = createChance(seed, 'plan')
  const count = instanceCount(chance)
  const allowed = new Set<EventKind>([...gestureKinds, 'sync', 'restart', 'copyIndex', 'snapshot'])
  for (const kind of rare) if (chance.happens(often.has(kind) ? 0.4 : 0.15)) allowed.add(kind)
  if (!allowed.has('restoreIndex')) allowed.delete('copyIndex')
  if (!allowed.has('rollback')) allowed.delete('snapshot')
  const kinds = [...allowed]
  const total = kinds.reduce((sum, kind) => sum + weights[kind], 0)
  const pickKind = (): EventKind => {
    let left = chance.fraction() * total
    for (const kind of kinds) {
      left -= weights[kind]
      if (left < 0) return kind
    }
    return 'sync'
  }
  const policy = policyOf(chance)
  const instances = Array.from({ length: count }, (_, index) =>
    settingsOf(chance, instanceNames[index] as string, { policy, indexOnFile: allowed.has('restoreIndex') }),
  )
  const paceMs = chance.pick([300, 1_500, 6_000])
  let atMs = 0
  const events: PlannedEvent[] = []
  const length = chance.between(8, 30)
  // Mostly everybody has something in common to begin with.
  if (chance.happens(0.8)) {
    for (let index = 0; index < chance.between(2, 6); index++)
      events.push({ atMs: 0, kind: 'write', who: 0, seed: chance.between(0, 2 ** 31) })
    for (let who = 0; who < count; who++) {
      events.push({ atMs, kind: 'sync', who, seed: chance.between(0, 2 ** 31) })
      atMs += 4_000
    }
  }
  for (let index = 0; index < length; index++) {
    atMs += Math.floor(chance.fraction() * paceMs)
    events.push({
      atMs,
      kind: pickKind(),
      who: chance.between(0, count - 1),
      seed: chance.between(0, 2 ** 31),
    })
  }
  // What is to be brought back has to be kept before.
  const early = events[Math.floor(events.length / 3)]?.atMs ?? 0
  if (allowed.has('rollback')) events.push({ atMs: early, kind: 'snapshot', who: 0, seed: 0 })
  if (allowed.has('restoreIndex'))
    for (let who = 0; who < count; who++) events.push({ atMs: early, kind: 'copyIndex', who, seed: 0 })
  events.sort((left, right) => left.atMs - right.atMs)
  return {
    seed,
    instances,
    profile: chance.pick(profileNames),
    latencyMs: chance.pick([
      { min: 1, max: 5 },
      { min: 5, max: 80 },
      { min: 50, max: 1_500 },
    ]),
    // A quarter of the seeds has none.
    faults: chance.happens(0.25) ? {} : drawFaults(chance),
    events,
  }
}

function instanceCount(chance: Chance): number {
  const roll = chance.fraction()
  if (roll < 0.5) return 2
  if (roll < 0.85) return 3
  if (roll < 0.95) return 4
  return chance.between(5, 8)
}

function policyOf(chance: Chance): ConflictPolicy {
  if (chance.happens(0.7)) return 'manual'
  return chance.pick<ConflictPolicy>(['merge', 'merge', 'local', 'remote', 'both', 'newest'])
}

function settingsOf(
  chance: Chance,
  name: string,
  shared: Pick<InstanceSettings, 'policy' | 'indexOnFile'>,
): InstanceSettings {
  return {
    name,
    ...shared,
    clock: {
      offsetMs: chance.happens(0.3) ? chance.between(-86_400_000, 86_400_000) : 0,
      drift: chance.happens(0.3) ? (chance.fraction() - 0.5) / 5 : 0,
    },
    isAuto: chance.happens(0.35),
    batch: chance.pick([1, 2, 1_000, 1_000]),
    checkpointBytesMin: chance.pick([300, 3_000, 1_000_000]),
    durableFilesMax: chance.pick([0, 1, 64]),
    maxDelete: { fraction: 0.5, atLeast: chance.pick([2, 4, 10]) },
    granularityMs: chance.pick([0, 0, 1, 1_000, 2_000]),
    missedChanges: chance.happens(0.2) ? 0.3 : 0,
  }
}
