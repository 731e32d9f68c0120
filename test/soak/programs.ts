/** What programs do through the HTTP API: labels, fields, resolutions, and runs that are waited for. */
import type { ConflictView, FileView, Page } from '../../src/instance/instance.ts'
import type { Random } from '../../src/model/clock.ts'
import type { RunSummary } from '../../src/model/run.ts'
import { hashOf } from './contents.ts'
import { filesOf, mayBeIgnored } from './crowd.ts'
import { type History, resolver } from './history.ts'
import type { Label } from './oracle.ts'
import type { Serving } from './serving.ts'

/** A run that is waited for takes less, while nothing disturbs it. */
export const runMsMax = 120_000

export interface RunSeen {
  readonly instance: string
  readonly fromMs: number
  readonly toMs: number
  /** `null`: it was not answered. */
  readonly outcome: string | null
}

export class Programs {
  readonly labels: Label[] = []
  /** The last gesture that the newest check knew. */
  checkedUpTo = 0
  readonly counts = { labels: 0, resolutions: 0, refused: 0, runs: 0 }
  private readonly random: Random
  private readonly history: History
  private readonly now: () => number
  private readonly onRun: (run: RunSeen) => void
  private readonly underWay = new Set<Promise<void>>()
  private serial = 0

  constructor(options: {
    readonly random: Random
    readonly history: History
    readonly now: () => number
    readonly onRun: (run: RunSeen) => void
  }) {
    this.random = options.random
    this.history = options.history
    this.now = options.now
    this.onRun = options.onRun
  }

  /** Begins something, and does not wait for it: whoever is asked may be stopped or gone. */
  act(one: Serving): void {
    if (this.underWay.size > 20) return
    const chance = this.random.fraction()
    const work =
      chance < 0.35
        ? this.label(one)
        : chance < 0.5
          ? this.setField(one)
          : chance < 0.8
            ? this.resolve(one)
            : this.run(one)
    // Not answered: it was killed or stopped, or the store is away. What it did of it is seen in the end.
    const ended = work.catch((error: unknown) => {
      if (!isUnanswered(error)) throw error
    })
    const kept = ended.finally(() => this.underWay.delete(kept))
    this.underWay.add(kept)
  }

  /** Resolves when everything that was begun has ended. */
  async settle(): Promise<void> {
    await Promise.all(this.underWay)
  }

  private async someFile(one: Serving): Promise<FileView | null> {
    const files = filesOf(one.workspace)
    const path = files[Math.floor(this.random.fraction() * files.length)]
    if (path === undefined) return null
    const found = await one.call<Page<FileView>>('GET', `/files?path=${encodeURIComponent(path)}`)
    return found.status === 200 ? (found.body.items[0] ?? null) : null
  }

  private async label(one: Serving): Promise<void> {
    const label = `label-${++this.serial}`
    const file = await this.someFile(one)
    if (file === null || file.kind !== 'file') return
    const had = Array.isArray(file.metadata['labels']) ? file.metadata['labels'] : []
    const patch = { labels: [...had, label] }
    const condition = { ifMatch: file.revision }
    const answer = await one.call<FileView>('PATCH', `/files/${file.id}/metadata`, patch, condition)
    if (answer.status !== 200) return
    this.counts.labels += 1
    const { checkedUpTo: afterGesture } = this
    this.labels.push({ instance: one.name, fileId: file.id, path: file.path, label, afterGesture })
  }

  /** The same field everywhere, so that two instances come to disagree about it. */
  private async setField(one: Serving): Promise<void> {
    const file = await this.someFile(one)
    if (file !== null)
      await one.call('PATCH', `/files/${file.id}/metadata`, { stage: `stage ${++this.serial}` })
  }

  private async resolve(one: Serving): Promise<void> {
    const list = await one.call<Page<ConflictView>>('GET', '/sync/conflicts?limit=100')
    if (list.status !== 200 || list.body.items.length === 0) return
    const conflict = list.body.items[
      Math.floor(this.random.fraction() * list.body.items.length)
    ] as ConflictView
    const isContent = conflict.aspect === 'content'
    const strategies = isContent ? ['local', 'remote', 'both', 'merge', 'own'] : ['local', 'remote', 'own']
    const strategy = strategies[Math.floor(this.random.fraction() * strategies.length)] as string
    const candidate = conflict.candidates.at(-1)?.instance
    const own = isContent
      ? `merged by a program ${++this.serial}\n`
      : JSON.stringify(`merged ${++this.serial}`)
    if (strategy === 'merge') {
      const merged = await one.call<Buffer>('GET', `/sync/conflicts/${conflict.id}/content/merged`)
      if (merged.status !== 200) return
      this.history.known.add(hashOf(merged.body))
    }
    // ORDER: noted before it is asked for; it may be done although nobody hears the answer.
    if (isContent) this.history.known.add(hashOf(own))
    this.history.add({
      instance: resolver,
      what: `${one.name} resolves ${conflict.kind} by ${strategy}`,
      results: [],
      destroyed: [],
      links: [],
      touches: [conflict.path],
    })
    const answer = await one.call('POST', `/sync/conflicts/${conflict.id}/resolve`, {
      expected: conflict.revision,
      strategy: strategy === 'own' ? 'merge' : strategy,
      ...(strategy === 'own' ? { content: own } : {}),
      ...(strategy === 'local' ? { candidate } : {}),
    })
    if (answer.status === 200 || answer.status === 202) this.counts.resolutions += 1
    else this.counts.refused += 1
  }

  /** Includes every change that was finished on disk before it was asked for. */
  private async run(one: Serving): Promise<void> {
    const { last } = this.history
    const fromMs = this.now()
    let summary: RunSummary | null = null
    try {
      const answer = await one.call<RunSummary>(
        'POST',
        '/sync',
        { wait: true },
        { timeoutMs: 1.5 * runMsMax },
      )
      if (answer.status === 200) summary = answer.body
    } finally {
      this.onRun({ instance: one.name, fromMs, toMs: this.now(), outcome: summary?.outcome ?? null })
    }
    if (summary === null || (summary.outcome !== 'in-sync' && summary.outcome !== 'conflicts')) return
    this.counts.runs += 1
    const problems = summary.problems.map(({ path }) => path)
    this.history.acknowledge(
      one.name,
      last,
      (path) => !mayBeIgnored(path) && !problems.some((problem) => problem === path),
    )
  }
}

/** Refused, cut, or too late: as fetch tells it. */
export function isUnanswered(error: unknown): boolean {
  return (
    (error instanceof TypeError && /fetch failed|terminated/.test(error.message)) ||
    (error instanceof DOMException && (error.name === 'TimeoutError' || error.name === 'AbortError')) ||
    (error instanceof Error && 'code' in error && error.code === 'ENOENT')
  )
}
