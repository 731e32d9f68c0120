/** Two threads that hash. Calls made at about the same time travel together: a message per small file costs more than it. */
import { Worker } from 'node:worker_threads'
import type { Clock } from '../model/clock.ts'
import { DavitError } from '../model/errors.ts'
import type { FilePath } from '../model/file-state.ts'
import { workerFailed } from './scanner.ts'
import { isRacy } from './stamp.ts'
import { workerFile } from './worker-file.ts'
import { decodeError, type HashReply, type HashRequest } from './worker-messages.ts'
import type { HashedFile } from './workspace.ts'

const threadsMax = 2
const pathsOfRequestMax = 64

interface Task {
  readonly path: FilePath
  resolve(file: HashedFile): void
  reject(reason: unknown): void
  /** Tells the thread that nobody waits any more; set once it is there. */
  cancel: () => void
}

interface Thread {
  readonly worker: Worker
  /** What it works on; empty when it is idle. */
  tasks: (Task | null)[]
  startedAtMs: number
}

export interface HashPool {
  hash(path: FilePath, signal?: AbortSignal): Promise<HashedFile>
  close(): Promise<void>
}

export function openHashPool(options: { readonly root: string; readonly clock: Clock }): HashPool {
  const waiting = new Set<Task>()
  const threads = new Set<Thread>()
  let dispatching = false
  let closed = false

  function dispatchSoon(): void {
    if (dispatching) return
    dispatching = true
    setImmediate(() => {
      dispatching = false
      dispatch()
    })
  }

  function dispatch(): void {
    while (waiting.size > 0 && !closed) {
      const idle = [...threads].find((thread) => thread.tasks.length === 0)
      const thread = idle ?? (threads.size < threadsMax ? startThread() : null)
      if (thread === null) return
      send(thread, takeTasks())
    }
  }

  /** A fair share, so that the other thread gets something as well. */
  function takeTasks(): Task[] {
    const share = Math.min(pathsOfRequestMax, Math.ceil(waiting.size / threadsMax))
    const tasks: Task[] = []
    for (const task of waiting) {
      if (tasks.length >= share) break
      tasks.push(task)
      waiting.delete(task)
    }
    return tasks
  }

  function send(thread: Thread, tasks: Task[]): void {
    const cancelled = new SharedArrayBuffer(4 * tasks.length)
    const cells = new Int32Array(cancelled)
    tasks.forEach((task, index) => {
      task.cancel = () => {
        Atomics.store(cells, index, 1)
      }
    })
    thread.tasks = tasks
    thread.startedAtMs = options.clock.now()
    thread.worker.ref()
    const request: HashRequest = { root: options.root, paths: tasks.map((task) => task.path), cancelled }
    thread.worker.postMessage(request)
  }

  function receive(thread: Thread, reply: HashReply): void {
    const now = options.clock.now()
    for (const result of reply.results) {
      const task = thread.tasks[result.index]
      thread.tasks[result.index] = null
      if ('error' in result) task?.reject(decodeError(result.error))
      else task?.resolve({ ...result.file, racy: isRacy(result.file.stamp.mtimeMs, thread.startedAtMs, now) })
    }
    if (!reply.last) return
    thread.tasks = []
    thread.worker.unref()
    dispatch()
  }

  function startThread(): Thread {
    const thread: Thread = { worker: new Worker(workerFile('hash-worker')), tasks: [], startedAtMs: 0 }
    const fail = (cause: unknown) => {
      threads.delete(thread)
      for (const task of thread.tasks) task?.reject(workerFailed(cause))
      thread.tasks = []
      dispatchSoon()
    }
    thread.worker.on('message', (reply: HashReply) => receive(thread, reply))
    thread.worker.on('error', fail)
    thread.worker.on('exit', () => fail(null))
    thread.worker.unref()
    threads.add(thread)
    return thread
  }

  return {
    hash(path, signal) {
      return new Promise((resolve, reject) => {
        signal?.throwIfAborted()
        if (closed) throw new DavitError('stopped', 'The workspace is closed.', { action: 'give-up' })
        const abort = () => {
          waiting.delete(task)
          task.cancel()
          reject(signal?.reason)
        }
        const settle = () => signal?.removeEventListener('abort', abort)
        const task: Task = {
          path,
          resolve: (file) => {
            settle()
            resolve(file)
          },
          reject: (reason) => {
            settle()
            reject(reason)
          },
          cancel: () => undefined,
        }
        signal?.addEventListener('abort', abort)
        waiting.add(task)
        dispatchSoon()
      })
    },
    async close() {
      closed = true
      for (const task of waiting)
        task.reject(new DavitError('stopped', 'The workspace was closed.', { action: 'give-up' }))
      waiting.clear()
      await Promise.all([...threads].map((thread) => thread.worker.terminate()))
    },
  }
}
