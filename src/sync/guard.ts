/**
 * The deletion guard over a whole run: what would go on either side is counted before anything goes, together with
 * what went while the side was not quiet.
 */
import { effectiveLocal, liveState } from '../model/dirtiness.ts'
import { DavitError } from '../model/errors.ts'
import type { FileId } from '../model/file-state.ts'
import type { JsonObject } from '../model/json.ts'
import { type DeletionWindow, type GuardedSide, guardDeletions } from '../reconcile/deletion-guard.ts'
import { breathe, type SyncContext } from './context.ts'
import { decide } from './plan.ts'
import type { RunState } from './run-state.ts'

const sides: readonly GuardedSide[] = ['local', 'remote']
/** What halted the instance, until it is settled. */
export const haltKey = 'sync.halt'
const windowKey = (side: GuardedSide) => `sync.deletions.${side}`

/** Rejects with `deletion-guard`, before anything was deleted, when the plan would delete too much of either side. */
export async function checkDeletions(context: SyncContext, run: RunState): Promise<void> {
  const planned = await countDeletions(context, run)
  for (const side of sides) {
    const verdict = verdictFor(context, run, side, planned[side])
    if (verdict.kind === 'allowed') continue
    if (run.options.force) {
      run.problem({
        path: '',
        code: 'deletion-guard',
        detail: `The guard was lifted for this run: ${planned[side]} deletions.`,
      })
      continue
    }
    throw new DavitError('deletion-guard', verdict.reason, {
      action: 'ask',
      hint: 'If this is meant, run `davit sync --force`. Otherwise bring the files back; Davit goes on by itself.',
      details: { side, deletions: planned[side] },
    })
  }
}

/** After a run, however it ended: what it deleted counts towards the next ones. */
export function settleGuard(context: SyncContext, run: RunState): void {
  for (const side of sides) {
    const { window } = verdictFor(context, run, side, 0)
    context.database.settings.set(windowKey(side), window as JsonObject | null)
  }
}

/** An approved plan was carried out: what it deleted counts no more. */
export function beginWindow(context: SyncContext): void {
  for (const side of sides) context.database.settings.set(windowKey(side), null)
}

function verdictFor(context: SyncContext, run: RunState, side: GuardedSide, planned: number) {
  const counts = context.database.trees.counts()
  const done = side === 'local' ? run.deletedHere : run.deletedThere
  const filesNow = side === 'local' ? counts.localFiles : counts.remoteFiles
  const { settings } = context.database
  const window = settings.get(windowKey(side)) as DeletionWindow | null
  const halt = settings.get(haltKey) as { readonly code?: string } | null
  // A plan that waits for a person does not come to be allowed by waiting.
  const isHeld = halt?.code === 'deletion-guard' && window !== null
  return guardDeletions({
    side,
    window,
    deletions: planned + done,
    filesTotal: filesNow + done,
    maxDelete: context.settings.maxDelete,
    nowMs: isHeld ? Math.min(context.clock.now(), window.lastAtMs) : context.clock.now(),
  })
}

async function countDeletions(context: SyncContext, run: RunState): Promise<Record<GuardedSide, number>> {
  const counted = { local: 0, remote: 0 }
  for (let after: FileId | undefined; ; ) {
    const page = context.database.trees.dirtyPage({
      limit: 2_000,
      ...(after === undefined ? {} : { after }),
    })
    for (const triple of page) {
      const local = effectiveLocal(triple)
      const live = liveState(triple)
      if (!run.covers(local?.path, live?.path, triple.synced?.path)) continue
      if (local !== null && live !== null) {
        // What is missing on neither side is deleted on none, but leaves here where its new name is ignored.
        const isMoved = triple.local?.absence === null && triple.synced?.path !== live.path
        if (isMoved && context.workspace.isIgnored(live.path, live.kind)) counted.local += 1
        continue
      }
      const decision = decide(context, triple, null)
      if (local !== null && decision.local === null) counted.local += 1
      if (live !== null && decision.remote === null) counted.remote += 1
    }
    after = page.at(-1)?.id
    if (page.length < 2_000) return counted
    await breathe()
  }
}
