/**
 * A disk in memory for the simulator: what one process of Davit sees of a file system, what people and other programs
 * do on it, and what a power cut leaves (the model is told in disk-journal.ts). It has no clock, no chance and no event
 * loop of its own: the same calls give the same disk.
 */
import type { Random } from '../../src/model/clock.ts'
import type { WriteBack } from './disk-journal.ts'
import { createProcess, type DiskProcess, type ProcessHooks } from './disk-process.ts'
import { DiskTree } from './disk-tree.ts'
import { createUser, type DiskUser } from './disk-user.ts'

export type { WriteBack } from './disk-journal.ts'
export type { DiskCall, DiskProcess, ProcessHooks } from './disk-process.ts'
export type { DiskEntry, DiskUser } from './disk-user.ts'

export interface SimulatedDiskOptions {
  /** Wall clock in milliseconds, fractions welcome. */
  readonly now: () => number
  /** Runs the work of an asynchronous call, once, later. Default: `queueMicrotask`. */
  readonly schedule?: (work: () => void) => void
  /** File times are multiples of this (1, 1000, 2000). Default 0: no two changes have the same time. */
  readonly granularityMs?: number
  /** Bytes of all files in blocks of 4 KiB, and a block for each folder. Default: endless. */
  readonly capacityBytes?: number
  /** `Readme` and `readme` are one name, in the spelling in which it was made. */
  readonly caseInsensitive?: boolean
  /** Names are stored in NFD, and found in either form. */
  readonly normalisesNames?: boolean
  /** Refuses, with EINVAL, the names that Windows does not have. */
  readonly windowsNames?: boolean
  /** Default true; `false`: EPERM, as on FAT. */
  readonly hardLinks?: boolean
  /** Default true, as on Linux; `false`: no `/proc/self/fd`, as elsewhere. */
  readonly descriptorFolder?: boolean
  /** Folders at which another file system begins; made with the disk. */
  readonly devices?: readonly string[]
  /** What a power cut does to the order of names. Default `reordered`, the worse one. */
  readonly writeBack?: WriteBack
  /** Time after which what nobody has synced has reached the disk all the same. Default 30,000. */
  readonly settleMs?: number
}

/** Opaque; can be restored any number of times. */
export interface DiskSnapshot {
  readonly tree: DiskTree
}

export interface SimulatedDisk {
  /** A process with its own descriptors. */
  process(hooks?: ProcessHooks): DiskProcess
  readonly user: DiskUser
  /** Kills every process; then what was not synced may be gone, as `random` has it (see disk-journal.ts). */
  powerCut(random: Random): void
  /** As sync(2): everything is on the disk for good. */
  sync(): void
  /** Grows or shrinks the disk; what is on it stays. */
  resize(capacityBytes: number): void
  readonly freeBytes: number
  /** The disk as it is, with what is not yet synced. */
  snapshot(): DiskSnapshot
  /** Kills every process, then makes the disk what it was. */
  restore(snapshot: DiskSnapshot): void
}

const settleMsDefault = 30_000

export function createSimulatedDisk(options: SimulatedDiskOptions): SimulatedDisk {
  let tree = new DiskTree({
    now: options.now,
    granularityMs: options.granularityMs ?? 0,
    capacityBytes: options.capacityBytes ?? Number.MAX_SAFE_INTEGER,
    caseInsensitive: options.caseInsensitive ?? false,
    normalisesNames: options.normalisesNames ?? false,
    windowsNames: options.windowsNames ?? false,
    hardLinks: options.hardLinks ?? true,
    devices: options.devices ?? [],
    writeBack: options.writeBack ?? 'reordered',
    settleMs: options.settleMs ?? settleMsDefault,
  })
  const processes = new Set<DiskProcess>()

  function killAll(): void {
    for (const process of processes) process.kill()
    processes.clear()
  }

  return {
    process(hooks = {}) {
      const process = createProcess({
        tree,
        hooks,
        hasDescriptorFolder: options.descriptorFolder ?? true,
        schedule: options.schedule ?? queueMicrotask,
      })
      processes.add(process)
      return process
    },
    user: createUser(() => tree),
    powerCut(random) {
      killAll()
      tree.journal.powerCut(random)
    },
    sync: () => tree.journal.settleAll(),
    resize(capacityBytes) {
      tree.capacityBytes = capacityBytes
    },
    get freeBytes() {
      return tree.freeBytes
    },
    snapshot: () => ({ tree: tree.clone() }),
    restore(snapshot) {
      killAll()
      tree = snapshot.tree.clone()
    },
  }
}
