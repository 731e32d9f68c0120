/** The real workspace code over a simulated disk: what tests of either begin with. */
import type { Clock, Random } from '../../src/model/clock.ts'
import type { FileCalls } from '../../src/workspace/file-calls.ts'
import { openFolderWorkspace, type RememberedRoot } from '../../src/workspace/folder-workspace.ts'
import type { Workspace } from '../../src/workspace/workspace.ts'

export const rootFolder = '/home/work'

/** A clock that stands unless it is moved. */
export interface StandingClock extends Clock {
  advance(ms: number): void
}

export function createStandingClock(startMs = Date.UTC(2026, 0, 2, 3, 4, 5)): StandingClock {
  let nowMs = startMs
  return {
    now: () => nowMs,
    monotonic: () => nowMs - startMs,
    async sleep(ms) {
      nowMs += ms
    },
    advance(ms) {
      nowMs += ms
    },
  }
}

export function openDiskWorkspace(options: {
  readonly calls: FileCalls
  readonly clock: Clock
  readonly random: Random
  readonly stateFolder?: string
  readonly memory?: { value: RememberedRoot | null }
}): Promise<Workspace> {
  const memory = options.memory ?? { value: null }
  return openFolderWorkspace({
    root: rootFolder,
    stateFolder: options.stateFolder ?? `${rootFolder}/.davit`,
    identity: {
      read: () => memory.value,
      write: (value) => {
        memory.value = value
      },
    },
    ignore: [],
    watch: { mode: 'off', debounceMs: 0 },
    clock: options.clock,
    random: options.random,
    trashReserveBytes: 0,
    fileCalls: options.calls,
  })
}
