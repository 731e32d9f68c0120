/**
 * What a seed stands for: how many instances of what kind, over which server with which faults, and a list of what
 * people, programs and machines do at which time. Each entry carries its own chance, so that leaving one out leaves
 * the others as they are.
 */
import type { ConflictPolicy } from '../../src/model/conflict.ts'
import { type Chance, createChance } from './chance.ts'
import { drawFaults, drawStates, type Faults } from './faults.ts'
import type { InstanceSettings } from './instance.ts'
import { type ProfileName, profileNames } from './profiles.ts'
import { type Theme, type ThemeName, themeNames, themes } from './themes.ts'

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
  'metadataMeet',
  'resolve',
  'decideLater',
  'meet',
  'rush',
  'sneakyEdit',
  'editAgain',
  'revert',
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
  'crashWriting',
  'crashPulling',
  'fullDisk',
  'brokenDisk',
  'unreadable',
  'unmount',
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
  'fullStore',
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
  readonly theme: ThemeName
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
  metadataMeet: 2,
  resolve: 5,
  decideLater: 2,
  meet: 3,
  rush: 1,
  sneakyEdit: 2,
  editAgain: 2,
  revert: 2,
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
  crashWriting: 6,
  crashPulling: 4,
  fullDisk: 1,
  brokenDisk: 1,
  unreadable: 1,
  unmount: 1,
  outage: 2,
  snapshot: 2,
  rollback: 3,
  wipe: 1,
  duplicateHead: 3,
  forgeLock: 1,
  dropLock: 1,
  overwriteBlob: 1,
  fullStore: 1,
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
  'crashWriting',
  'crashPulling',
  'fullDisk',
  'brokenDisk',
  'unreadable',
  'unmount',
  'fullStore',
  'rush',
]

const often: ReadonlySet<EventKind> = new Set(['crash', 'slipIn', 'powerCut'])

export function planOf(seed: number): Plan {
  const chance = createChance(seed, 'plan')
  const themeName = chance.happens(0.33) ? 'plain' : chance.pick(themeNames)
  const theme: Theme = themes[themeName]
  const count = theme.instances === undefined ? instanceCount(chance) : chance.pick(theme.instances)
  const allowed = new Set<EventKind>([...gestureKinds, 'sync', 'restart', 'copyIndex', 'snapshot'])
  for (const kind of rare) {
    allowed.delete(kind)
    // What else is rare stays out of most seeds that are about something.
    if (chance.happens((often.has(kind) ? 0.4 : 0.15) * (themeName === 'plain' ? 1 : 0.4))) allowed.add(kind)
  }
  const weightOf = (kind: EventKind): number => theme.weights[kind] ?? weights[kind]
  for (const kind of Object.keys(theme.weights) as EventKind[]) allowed.add(kind)
  if (!allowed.has('restoreIndex')) allowed.delete('copyIndex')
  if (!allowed.has('rollback')) allowed.delete('snapshot')
  const kinds = [...allowed]
  const total = kinds.reduce((sum, kind) => sum + weightOf(kind), 0)
  const pickKind = (): EventKind => {
    let left = chance.fraction() * total
    for (const kind of kinds) {
      left -= weightOf(kind)
      if (left < 0) return kind
    }
    return 'sync'
  }
  const policy = theme.policy ?? policyOf(chance)
  const instances = Array.from({ length: count }, (_, index) =>
    settingsOf(chance, instanceNames[index] as string, {
      policy,
      indexOnFile: allowed.has('restoreIndex'),
      theme,
    }),
  )
  const paceMs = theme.paceMs ?? chance.pick([300, 1_500, 6_000])
  let atMs = 0
  const events: PlannedEvent[] = []
  const length = chance.between(5, 20)
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
    theme: themeName,
    instances,
    profile: chance.pick(profileNames),
    latencyMs: chance.pick([
      { min: 1, max: 5 },
      { min: 5, max: 80 },
      { min: 50, max: 1_500 },
    ]),
    // A quarter of the seeds has none.
    faults: chance.happens(0.25) ? {} : faultsOf(chance, theme),
    events,
  }
}

function faultsOf(chance: Chance, theme: Theme): Partial<Faults> {
  switch (theme.faults) {
    case 'none':
      return chance.happens(0.7) ? {} : drawFaults(chance)
    case 'pages':
      return { page: 0.02 + 0.1 * chance.fraction() }
    default:
      return chance.happens(0.2) ? { ...drawFaults(chance), ...drawStates(chance) } : drawFaults(chance)
  }
}

function instanceCount(chance: Chance): number {
  const roll = chance.fraction()
  // Two and three find nearly everything, at a fraction of the time.
  if (roll < 0.7) return 2
  if (roll < 0.93) return 3
  if (roll < 0.98) return 4
  return chance.between(5, 8)
}

function policyOf(chance: Chance): ConflictPolicy {
  if (chance.happens(0.7)) return 'manual'
  return chance.pick<ConflictPolicy>(['merge', 'merge', 'local', 'remote', 'both', 'newest'])
}

function settingsOf(
  chance: Chance,
  name: string,
  shared: Pick<InstanceSettings, 'policy' | 'indexOnFile'> & { readonly theme: Theme },
): InstanceSettings {
  const { policy, indexOnFile, theme } = shared
  return {
    name,
    policy,
    indexOnFile,
    clock: {
      offsetMs: chance.happens(0.3) ? chance.between(-86_400_000, 86_400_000) : 0,
      drift: chance.happens(0.3) ? (chance.fraction() - 0.5) / 5 : 0,
    },
    isAuto: chance.happens(0.35),
    batch: theme.batch ?? chance.pick([1, 2, 1_000, 1_000]),
    checkpointBytesMin: chance.pick([300, 3_000, 1_000_000]),
    durableFilesMax: chance.pick([0, 1, 64]),
    maxDelete: { fraction: 0.5, atLeast: chance.pick([2, 4, 10]) },
    granularityMs: theme.granularityMs ?? chance.pick([0, 0, 1, 1_000, 2_000]),
    missedChanges: chance.happens(0.2) ? 0.3 : 0,
  }
}
