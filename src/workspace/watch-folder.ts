/**
 * Watches the workspace: the source of changes, the root that may vanish under it, the rules that may change, and the
 * fall-back to polling. What it reports are hints; who is told of a path looks at it.
 */
import fs from 'node:fs'
import path from 'node:path'
import type { Clock } from '../model/clock.ts'
import { DavitError } from '../model/errors.ts'
import type { FilePath } from '../model/file-state.ts'
import { stateFolderName } from '../model/path.ts'
import { createChangeBuffer } from './change-buffer.ts'
import { type ChangeSink, type ChangeSource, probeTimeoutMs } from './change-source.ts'
import { type IgnoreRules, ignoreFileName } from './ignore-rules.ts'
import { openNativeChanges } from './native-changes.ts'
import { openPolledChanges } from './polled-changes.ts'
import type { Scanner } from './scanner.ts'
import type { WorkspaceChange, WorkspaceWatch } from './workspace.ts'

const rootLookMs = 2_000

export interface WatchOptions {
  readonly root: string
  readonly mode: 'native' | 'polling' | 'off'
  readonly debounceMs: number
  readonly pollMs: number
  readonly clock: Clock
  readonly scanner: Scanner
  rules(): IgnoreRules
  /** Reads `.davitignore` anew; answers whether it says something else. */
  reloadRules(): boolean
  readonly listener: (change: WorkspaceChange) => void
}

/** Resolves when it watches: what changes from then on is reported. */
export async function watchFolder(options: WatchOptions): Promise<WorkspaceWatch> {
  if (options.mode === 'off')
    return { mode: 'off', fallback: null, flush: async () => false, close: async () => undefined }
  const watch = new FolderWatch(options)
  await watch.start()
  return watch
}

class FolderWatch implements WorkspaceWatch {
  mode: 'native' | 'polling'
  fallback: string | null = null
  private readonly options: WatchOptions
  private readonly buffer
  private readonly closing = new AbortController()
  private source: ChangeSource | null = null
  /** One change of the source after the other. */
  private rebuilding: Promise<void> = Promise.resolve()
  private rootWatch: Promise<void> = Promise.resolve()
  private identity: fs.Stats | null = null
  /** The ignore rules that the source was opened with. */
  private rulesInUse = ''

  constructor(options: WatchOptions) {
    this.options = options
    this.mode = options.mode === 'polling' ? 'polling' : 'native'
    this.buffer = createChangeBuffer(options)
  }

  async start(): Promise<void> {
    this.identity = lookAtRoot(this.options.root)
    await this.open()
    this.rootWatch = this.watchRoot()
  }

  async flush(signal?: AbortSignal): Promise<boolean> {
    signal?.throwIfAborted()
    const source = this.source
    if (source === null || this.identity === null || this.closing.signal.aborted) return false
    const { clock } = this.options
    const limit = new AbortController()
    const abort = () => limit.abort()
    signal?.addEventListener('abort', abort)
    const timer = clock.sleep(probeTimeoutMs, limit.signal).then(abort, () => undefined)
    try {
      const seen = await source.probe(limit.signal)
      signal?.throwIfAborted()
      // A source that was replaced meanwhile has not seen it all, nor has one whose root is another folder by now.
      if (!seen || source !== this.source || !isSameRoot(lookAtRoot(this.options.root), this.identity))
        return false
      this.buffer.deliver()
      return true
    } finally {
      signal?.removeEventListener('abort', abort)
      abort()
      await timer
    }
  }

  async close(): Promise<void> {
    this.closing.abort()
    this.buffer.close()
    await this.rootWatch
    await this.rebuilding
    await this.source?.close()
    this.source = null
  }

  private async open(): Promise<void> {
    const { root } = this.options
    // A folder without Davit's own is not the workspace: nothing is written into it, and nothing there is of interest.
    if (!fs.existsSync(path.join(root, stateFolderName))) {
      throw new DavitError('workspace-replaced', `'${root}' is not the workspace now`, { action: 'retry' })
    }
    this.reloadRules()
    this.rulesInUse = this.currentRules()
    await this.openSource()
    // What was edited before the new watches stood is told by nobody.
    this.followRules()
  }

  private async openSource(): Promise<void> {
    const { root, rules, scanner, clock, pollMs } = this.options
    if (this.mode === 'native') {
      try {
        this.source = await openNativeChanges({ root, rules: rules(), sink: this.sink() })
        return
      } catch (error) {
        this.fallBack(`Native watching is impossible (${String(error)})`)
      }
    }
    this.source = await openPolledChanges({ root, rules, scanner, clock, pollMs, sink: this.sink() })
  }

  private fallBack(why: string): void {
    this.mode = 'polling'
    const more = /ENOSPC/.test(why)
      ? ' The system has no watch left: raise fs.inotify.max_user_watches and start again.'
      : /EMFILE/.test(why)
        ? ' The system has no watcher left: raise fs.inotify.max_user_instances and start again.'
        : ''
    this.fallback = `${why}; the folder is polled instead.${more}`
  }

  private sink(): ChangeSink {
    return {
      paths: (paths) => this.onPaths(paths),
      lost: (reason) => {
        this.buffer.addEverything(reason)
        this.followRules()
      },
      stale: (reason) => this.rebuild(reason),
      failed: (reason) => {
        if (this.mode === 'native') this.fallBack(`Native watching failed (${reason})`)
        this.rebuild(`watching failed: ${reason}`)
      },
    }
  }

  private onPaths(paths: readonly FilePath[]): void {
    this.buffer.addPaths(paths)
    if (paths.includes(ignoreFileName) || paths.includes('')) this.followRules()
  }

  /**
   * RACE: a scan reads the rules anew as well, and may have done so before the watcher told of the edit. So it is what
   * the source was opened with that counts, not whether the rules are others than a moment ago.
   */
  private followRules(): void {
    this.reloadRules()
    if (this.currentRules() !== this.rulesInUse) this.rebuild('the ignore rules were edited')
  }

  private reloadRules(): void {
    try {
      this.options.reloadRules()
    } catch {
      // They cannot be read: the next scan says so and stops, which is what this makes happen.
      this.buffer.addEverything('the ignore rules cannot be read')
    }
  }

  private currentRules(): string {
    return JSON.stringify(this.options.rules().source)
  }

  /** Closes the source and opens another one; what happened in between is unknown. */
  private rebuild(reason: string): void {
    const old = this.source
    this.source = null
    this.rebuilding = this.rebuilding.then(async () => {
      await old?.close()
      // One that was asked for before this one may have opened a source meanwhile.
      const between = this.source
      this.source = null
      await between?.close()
      if (this.closing.signal.aborted || this.identity === null) return
      try {
        await this.open()
        this.buffer.addEverything(reason)
      } catch (error) {
        // Tried again with the next look at the root.
        this.buffer.addEverything(`${reason}; watching cannot be resumed yet: ${String(error)}`)
      }
    })
  }

  private async watchRoot(): Promise<void> {
    const { clock, listener, root } = this.options
    const { signal } = this.closing
    for (;;) {
      try {
        await clock.sleep(rootLookMs, signal)
      } catch (error) {
        if (signal.aborted) return
        throw error
      }
      await this.rebuilding
      const found = lookAtRoot(root)
      if (isSameRoot(found, this.identity)) {
        this.identity = found
        if (found !== null && this.source === null && !signal.aborted) this.rebuild('watching was resumed')
        continue
      }
      const gone = found === null
      this.identity = found
      if (!signal.aborted)
        listener({
          kind: 'root',
          detail: gone ? `'${root}' has vanished` : `'${root}' is another folder now`,
        })
      this.rebuild('the root was replaced')
    }
  }
}

/** `null`: no folder is there. */
function lookAtRoot(root: string): fs.Stats | null {
  try {
    const stats = fs.lstatSync(root)
    return stats.isDirectory() ? stats : null
  } catch {
    // Whatever the reason, nothing can be watched there.
    return null
  }
}

/** A folder that was deleted and made again may get the same inode: its time of birth tells. */
function isSameRoot(found: fs.Stats | null, known: fs.Stats | null): boolean {
  if (known === null || found === null) return known === found
  // Where no birth time is kept, the system answers 0 or repeats ctime.
  const keepsBirth = known.birthtimeMs !== 0 && known.birthtimeMs !== known.ctimeMs
  if (keepsBirth && known.birthtimeMs !== found.birthtimeMs) return false
  return known.dev === found.dev && known.ino === found.ino
}
