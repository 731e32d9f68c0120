/** Downloads for a page, some of them ahead of the steps that need them. */
import { setMaxListeners } from 'node:events'
import { DavitError } from '../model/errors.ts'
import type { ContentHash, FileId } from '../model/file-state.ts'
import type { StagedContent } from '../workspace/workspace.ts'
import type { SyncContext } from './context.ts'
import type { RunState } from './run-state.ts'

export interface WantedContent {
  readonly id: FileId
  readonly hash: ContentHash
  readonly size: number
}

/** Bytes that may lie staged before they are placed. A larger single content goes alone. */
const aheadBytesMax = 256 * 1024 * 1024

/** `take` has to be called in the order of `wanted`; contents that are never taken are discarded by `close`. */
export class ContentFetcher {
  private readonly context: SyncContext
  private readonly run: RunState
  private readonly merged: ReadonlyMap<ContentHash, Uint8Array>
  private readonly wanted: readonly WantedContent[]
  private readonly started = new Map<FileId, Promise<StagedContent>>()
  private readonly stop = new AbortController()
  /** One for all downloads: a signal that is made of a long-lived one for each of them is kept for as long. */
  private readonly signal: AbortSignal
  private readonly sizes: ReadonlyMap<FileId, number>
  private next = 0
  private bytesAhead = 0

  constructor(
    context: SyncContext,
    run: RunState,
    work: {
      readonly merged: ReadonlyMap<ContentHash, Uint8Array>
      readonly wanted: readonly WantedContent[]
    },
  ) {
    this.context = context
    this.run = run
    this.signal = AbortSignal.any([this.stop.signal, run.options.signal])
    setMaxListeners(0, this.signal)
    this.merged = work.merged
    this.wanted = work.wanted
    this.sizes = new Map(work.wanted.map(({ id, size }) => [id, size]))
    run.bytesTotal += work.wanted.reduce((sum, { size }) => sum + size, 0)
    this.fill()
  }

  /** The content, verified. Rejects with what the download met. */
  async take(id: FileId): Promise<StagedContent> {
    while (!this.started.has(id) && this.next < this.wanted.length) this.startNext()
    const staged = this.started.get(id)
    if (staged === undefined)
      throw new DavitError('internal', `no content was asked for file ${id}`, { action: 'give-up' })
    this.started.delete(id)
    this.bytesAhead -= this.sizes.get(id) ?? 0
    this.fill()
    return staged
  }

  private fill(): void {
    while (this.next < this.wanted.length && this.started.size < this.context.settings.concurrency * 2) {
      const size = this.wanted[this.next]?.size ?? 0
      if (this.started.size > 0 && this.bytesAhead + size > aheadBytesMax) return
      this.startNext()
    }
  }

  private startNext(): void {
    const wanted = this.wanted[this.next]
    this.next += 1
    if (wanted === undefined) return
    this.bytesAhead += wanted.size
    const download = this.fetch(wanted)
    // Its rejection is told to whoever takes it.
    download.catch(() => undefined)
    this.started.set(wanted.id, download)
  }

  private async fetch({ hash, size }: WantedContent): Promise<StagedContent> {
    const { workspace, database, remote } = this.context
    const merged = this.merged.get(hash)
    const row = database.contents.find(hash)
    if (merged === undefined && row === null) {
      throw new DavitError('remote-damaged', 'the store does not say where the content lies', {
        action: 'ask',
        hint: 'Run `davit verify --repair` on an instance that has the file.',
        details: { hash },
      })
    }
    const staged = await workspace.stage(size)
    try {
      if (merged !== undefined) await staged.sink.write(merged)
      else if (row !== null) {
        await remote.readContent(row.name, { hash, size }, staged.sink, this.signal)
      }
      await staged.finish({ durable: false })
      this.run.bytesDone += size
      return staged
    } catch (error) {
      await staged.discard()
      throw error
    }
  }

  async close(): Promise<void> {
    this.stop.abort()
    for (const download of this.started.values()) {
      try {
        await (await download).discard()
      } catch {
        // It failed and has discarded itself; nobody waits for it any more.
      }
    }
    this.started.clear()
  }
}
