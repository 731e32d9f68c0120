/** The system's file events: on Linux from our own watches in a thread, elsewhere from @parcel/watcher's recursive ones. */
import { existsSync } from 'node:fs'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { Worker } from 'node:worker_threads'
import type { FilePath } from '../model/file-state.ts'
import { type ChangeSink, type ChangeSource, probeFolderName } from './change-source.ts'
import type { IgnoreRules } from './ignore-rules.ts'
import { workerFile } from './worker-file.ts'
import type { WatchReply, WatchRequest } from './worker-messages.ts'

interface NativeOptions {
  readonly root: string
  readonly rules: IgnoreRules
  readonly sink: ChangeSink
}

/** Resolves when the watches stand; rejects when there can be none. */
export function openNativeChanges(options: NativeOptions): Promise<ChangeSource> {
  return process.platform === 'linux' ? openThreadChanges(options) : openParcelChanges(options)
}

/** Questions for a probe that wait for an answer. */
function createProbes() {
  const waiting = new Map<number, (ok: boolean) => void>()
  let lastId = 0
  return {
    async ask(signal: AbortSignal, make: (id: number) => Promise<void> | void): Promise<boolean> {
      signal.throwIfAborted()
      const id = ++lastId
      const answered = new Promise<boolean>((resolve) => waiting.set(id, resolve))
      const abort = () => waiting.get(id)?.(false)
      signal.addEventListener('abort', abort)
      try {
        await make(id)
        return await answered
      } finally {
        waiting.delete(id)
        signal.removeEventListener('abort', abort)
      }
    },
    answer(id: number, ok: boolean): void {
      waiting.get(id)?.(ok)
    },
    giveUp: () => {
      for (const resolve of waiting.values()) resolve(false)
    },
  }
}

export async function openThreadChanges({ root, rules, sink }: NativeOptions): Promise<ChangeSource> {
  const worker = new Worker(workerFile('watch-worker'))
  const probes = createProbes()
  const post = (request: WatchRequest) => worker.postMessage(request)
  let started = false
  let closed = false
  try {
    await new Promise<void>((resolve, reject) => {
      const fail = (reason: string) => {
        probes.giveUp()
        if (!started) reject(new Error(reason))
        else if (!closed) sink.failed(reason)
        closed = true
      }
      worker.on('error', (error) => fail(String(error)))
      worker.on('exit', () => fail('the watching thread ended'))
      worker.on('message', (reply: WatchReply) => {
        if (reply.kind === 'started') {
          started = true
          resolve()
        } else if (reply.kind === 'failed') fail(reply.reason)
        else if (reply.kind === 'probed') probes.answer(reply.id, reply.ok)
        else if (closed) return
        else if (reply.kind === 'lost') sink.lost(reply.reason)
        else if (reply.kind === 'stale') sink.stale(reply.reason)
        else sink.paths(reply.paths)
      })
      post({ kind: 'start', root, ignore: rules.source, probeFolder: path.join(root, probeFolderName) })
    })
  } catch (error) {
    await worker.terminate()
    throw error
  }
  worker.unref()
  return {
    probe: (signal) =>
      closed ? Promise.resolve(false) : probes.ask(signal, (id) => post({ kind: 'probe', id })),
    async close() {
      closed = true
      probes.giveUp()
      await worker.terminate()
    },
  }
}

export async function openParcelChanges({ root, rules, sink }: NativeOptions): Promise<ChangeSource> {
  const watcher = await import('@parcel/watcher')
  const probes = createProbes()
  const probeFolder = path.join(root, probeFolderName)
  let closed = false
  // Not the folders above it: where they are not, this is not the workspace, and nothing is written into it.
  if (!existsSync(probeFolder)) await mkdir(probeFolder, { mode: 0o700 })
  const subscription = await watcher.subscribe(root, (error, events) => {
    if (closed) return
    if (error !== null) return sink.failed(String(error))
    const paths: FilePath[] = []
    const seen: number[] = []
    for (const event of events) {
      const changed = path.relative(root, event.path).split(path.sep).join('/')
      if (changed.startsWith(`${probeFolderName}/`))
        seen.push(Number(changed.slice(probeFolderName.length + 1)))
      else if (changed !== '' && !rules.ignores(changed, 'folder')) paths.push(changed)
    }
    if (paths.length > 0) sink.paths(paths)
    for (const id of seen) probes.answer(id, true)
  })
  return {
    probe: (signal) =>
      probes.ask(signal, async (id) => {
        try {
          // Left until the end: what is created and deleted at once is reported by nobody.
          await writeFile(path.join(probeFolder, String(id)), '')
        } catch {
          // No probe, no promise: the asker looks at everything instead.
          probes.answer(id, false)
        }
      }),
    async close() {
      closed = true
      probes.giveUp()
      await subscription.unsubscribe()
      await rm(probeFolder, { recursive: true, force: true })
    },
  }
}
