/** Gathers hints until it has been quiet for a while, and no longer than five such whiles under constant change. */
import type { Clock } from '../model/clock.ts'
import type { FilePath } from '../model/file-state.ts'
import { ancestorsOf } from '../model/path.ts'
import { pendingPathsMax } from './change-source.ts'
import type { WorkspaceChange } from './workspace.ts'

const waitFactorMax = 5

export interface ChangeBuffer {
  addPaths(paths: readonly FilePath[]): void
  addEverything(reason: string): void
  /** Hands over what waits, now. */
  deliver(): void
  close(): void
}

export function createChangeBuffer(options: {
  readonly clock: Clock
  readonly debounceMs: number
  readonly listener: (change: WorkspaceChange) => void
}): ChangeBuffer {
  const { clock, debounceMs, listener } = options
  const closing = new AbortController()
  let pending = new Set<FilePath>()
  let everything: string | null = null
  let firstAtMs = 0
  let lastAtMs = 0
  let waiting = false

  function touch(): void {
    lastAtMs = clock.monotonic()
    if (isEmpty()) firstAtMs = lastAtMs
  }
  function isEmpty(): boolean {
    return pending.size === 0 && everything === null
  }
  async function wait(): Promise<void> {
    if (waiting) return
    waiting = true
    try {
      while (!isEmpty()) {
        const dueAtMs = Math.min(lastAtMs + debounceMs, firstAtMs + waitFactorMax * debounceMs)
        const leftMs = dueAtMs - clock.monotonic()
        if (leftMs <= 0) deliver()
        else await clock.sleep(leftMs, closing.signal)
      }
    } catch (error) {
      if (!closing.signal.aborted) throw error
    } finally {
      waiting = false
    }
  }
  function deliver(): void {
    if (isEmpty() || closing.signal.aborted) return
    const paths = withoutCovered(pending)
    const reason = everything
    pending = new Set()
    everything = null
    listener(reason === null ? { kind: 'paths', paths } : { kind: 'everything', reason })
  }
  function addEverything(reason: string): void {
    touch()
    everything ??= reason
    pending.clear()
    void wait()
  }

  return {
    addPaths(paths) {
      if (closing.signal.aborted || paths.length === 0) return
      touch()
      if (everything !== null) return
      for (const path of paths) pending.add(path)
      if (pending.size > pendingPathsMax) addEverything(`more than ${pendingPathsMax} paths changed at once`)
      else void wait()
    },
    addEverything(reason) {
      if (!closing.signal.aborted) addEverything(reason)
    },
    deliver,
    close: () => closing.abort(),
  }
}

/** A path says the same for everything below it. */
function withoutCovered(paths: ReadonlySet<FilePath>): FilePath[] {
  return [...paths].filter((path) => !ancestorsOf(path).some((folder) => paths.has(folder)))
}
