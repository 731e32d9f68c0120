/** The verbs that commands use, on an instance in this process or, through `client.ts`, on the one that is running. */
import type {
  ConflictView,
  FileContent,
  FileView,
  InstanceStatus,
  Page,
  ResolveRequest,
  ResolveResult,
  SyncRequest,
  VerifyReport,
} from '../instance/instance.ts'
import type { JsonObject } from '../model/json.ts'
import type { RunSummary } from '../model/run.ts'
import type { OpenedInstance } from './engine.ts'

export interface ProgressReport {
  readonly phase: string
  readonly done: number
  readonly total: number
}

export interface PageRequest {
  readonly limit?: number
  readonly cursor?: string
}

export interface Session {
  sync(request: SyncRequest): Promise<RunSummary>
  status(): Promise<InstanceStatus>
  runs(page: PageRequest): Promise<Page<RunSummary>>
  conflicts(page: PageRequest): Promise<Page<ConflictView>>
  conflict(id: string): Promise<ConflictView>
  conflictContent(id: string, side: string): Promise<Pick<FileContent, 'stream'>>
  resolve(id: string, request: ResolveRequest): Promise<ResolveResult>
  recover(choice: 'republish' | 'adopt'): Promise<RunSummary>
  verify(request: { readonly deep?: boolean; readonly repair?: boolean }): Promise<VerifyReport>
  fileAt(path: string): Promise<FileView>
  patchMetadata(id: string, patch: JsonObject, ifMatch: string): Promise<FileView>
  /** Calls the listener with the progress of runs, until the returned function is called. */
  onProgress(listener: (progress: ProgressReport) => void): () => void
  close(): Promise<void>
}

/** Reads a progress event's data; `null` for what is none. */
export function progressOf(data: JsonObject): ProgressReport | null {
  const { phase, done, total } = data
  const isProgress = typeof phase === 'string' && typeof done === 'number' && typeof total === 'number'
  return isProgress ? { phase, done, total } : null
}

/** A session on an instance in this process. Closing it closes the instance. */
export function localSession(instance: OpenedInstance): Session {
  return {
    sync: (request) => instance.sync({ ...request, trigger: 'command' }).finished,
    status: async () => instance.status(),
    runs: async (page) => instance.runs.list(page),
    conflicts: (page) => instance.conflicts.list(page),
    conflict: (id) => instance.conflicts.get(id),
    conflictContent: (id, side) => instance.conflicts.content(id, side),
    resolve: (id, request) => instance.conflicts.resolve(id, request),
    recover: (choice) => instance.recover(choice),
    verify: (request) => instance.verify(request),
    fileAt: async (path) => instance.files.at(path),
    patchMetadata: (id, patch, ifMatch) => instance.files.patchMetadata(id, patch, { ifMatch }),
    onProgress: (listener) =>
      instance.on('sync.progress', (event) => {
        const progress = progressOf(event.data)
        if (progress !== null) listener(progress)
      }),
    close: () => instance.close(),
  }
}
