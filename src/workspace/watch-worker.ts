/** The thread that watches: it empties the system's queue whatever the main thread is busy with. */
import { existsSync, mkdirSync, rmSync, watch, writeFileSync } from 'node:fs'
import path from 'node:path'
import { parentPort } from 'node:worker_threads'
import type { FilePath } from '../model/file-state.ts'
import { pendingPathsMax } from './change-source.ts'
import { type FolderWatches, openFolderWatches } from './folder-watches.ts'
import { createIgnoreRules } from './ignore-rules.ts'
import type { WatchReply, WatchRequest } from './worker-messages.ts'

let pending = new Set<FilePath>()
let probeFolder = ''
let watches: FolderWatches | null = null

parentPort?.on('message', (request: WatchRequest) => {
  if (request.kind === 'start') start(request)
  else probe(request.id)
})

function start(request: Extract<WatchRequest, { kind: 'start' }>): void {
  const { root } = request
  probeFolder = request.probeFolder
  try {
    // Not the folders above it: where they are not, this is not the workspace, and nothing is written into it.
    if (!existsSync(probeFolder)) mkdirSync(probeFolder, { mode: 0o700 })
    watches = openFolderWatches({
      root,
      rules: createIgnoreRules(request.ignore),
      onPath: add,
      onStale: (reason) => post({ kind: 'stale', reason }),
      onLost: (reason) => post({ kind: 'lost', reason }),
      onError: (error) => post({ kind: 'failed', reason: String(error) }),
    })
    // All watches share one queue: when the probe's event is here, so are all earlier ones.
    watch(probeFolder, (_type, name) => {
      if (name === null || !/^\d+$/.test(name)) return
      report()
      post({ kind: 'probed', id: Number(name), ok: true })
    }).on('error', (error) => post({ kind: 'failed', reason: String(error) }))
    post({ kind: 'started' })
  } catch (error) {
    post({ kind: 'failed', reason: String(error) })
  }
}

function probe(id: number): void {
  const file = path.join(probeFolder, String(id))
  try {
    writeFileSync(file, '')
    rmSync(file)
  } catch {
    // No probe, no promise: the asker is told so and looks at everything instead.
    post({ kind: 'probed', id, ok: false })
  }
}

function add(changed: FilePath): void {
  if (pending.size === 0) setImmediate(report)
  pending.add(changed)
}

function report(): void {
  if (pending.size === 0) return
  watches?.settle()
  const paths = [...pending]
  pending = new Set()
  if (paths.length > pendingPathsMax) post({ kind: 'lost', reason: 'too many changes at once' })
  else post({ kind: 'paths', paths })
}

function post(reply: WatchReply): void {
  parentPort?.postMessage(reply)
}
