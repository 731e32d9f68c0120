/**
 * What keeps the store cheap to read for newcomers, done by whoever notices first, under the maintenance lock: the
 * checkpoint, and this instance's own small file.
 */
import { createHash } from 'node:crypto'
import { isDavitError } from '../model/errors.ts'
import { commitOperations, formatDueKey } from './commit.ts'
import { nowIso, type SyncContext } from './context.ts'
import type { RunState } from './run-state.ts'

/** Below this many stored bytes of changesets a checkpoint saves nobody anything. */
export const checkpointBytesMin = 256 * 1024
const announceEveryMs = 60 * 60 * 1000
const sweepEveryMs = 86_400_000
const sweptKey = 'sync.sweptAt'
/** What was overwritten or deleted by a pull is kept for so long in the state folder. */
export const trashAgeMs = 14 * 86_400_000
const announcedKey = 'sync.announcedAt'
/** Instances that spoke lately, this one among them: how often the store may be asked depends on it. */
export const liveInstancesKey = 'sync.liveInstances'

/**
 * Never a reason for a run to fail: what a server refuses here is told as a problem, and tried again after a later
 * commit.
 */
export async function maintain(
  context: SyncContext,
  run: RunState,
  steps: { readonly onCommitted: () => void },
): Promise<void> {
  const { database, remote } = context
  if (isCheckpointDue(context)) {
    const held = await remote.acquireLock({
      wait: false,
      signal: run.options.signal,
      onBroken: (name) => context.emit({ type: 'lock.broken', data: { name } }),
    })
    if (held !== null) {
      try {
        await writeCheckpoint(context, run, steps)
      } catch (error) {
        if (!isDavitError(error, 'remote-full', 'remote-too-large', 'disk-full')) throw error
        run.problem({
          path: '',
          code: error.code,
          detail: `the checkpoint could not be written: ${error.message}`,
        })
      } finally {
        await held.release()
      }
    }
  }
  await sweepTrash(context)
  if (database.settings.get(formatDueKey) === true) {
    const text = {
      format: 1,
      replicaSet: database.chain.replicaSet(),
      software: 'davit',
      written: nowIso(context),
    }
    await remote.writeFormat(`${JSON.stringify(text, null, 2)}\n`)
    database.settings.set(formatDueKey, null)
  }
  if (run.uploaded + run.downloaded + run.deleted + run.moved + run.metadata > 0) await announce(context)
}

/** Once a day while it runs, besides at each start. */
async function sweepTrash({ database, workspace, clock }: SyncContext): Promise<void> {
  const last = database.settings.get(sweptKey)
  const nowMs = clock.now()
  if (typeof last === 'number' && nowMs >= last && nowMs - last < sweepEveryMs) return
  await workspace.cleanUp({ trashAgeMs, nowMs })
  database.settings.set(sweptKey, nowMs)
}

/** O(1) per change, amortised: due when the changesets since the last checkpoint outweigh a quarter of it. */
function isCheckpointDue(context: SyncContext): boolean {
  const { chain } = context.database
  const since = chain.bytesSinceCheckpoint()
  if (since < context.settings.checkpointBytesMin) return false
  const last = chain.checkpoint()
  return last === null || since > last.size / 4
}

async function writeCheckpoint(
  context: SyncContext,
  run: RunState,
  steps: { readonly onCommitted: () => void },
): Promise<void> {
  const { database, workspace, remote } = context
  const point = database.chain.point()
  if (point === null) return
  const staged = await workspace.stage(0)
  try {
    await staged.finish({ durable: false })
    database.writeCheckpoint(staged.path)
    const file = await staged.reread()
    const hash = createHash('sha256')
    for await (const chunk of file.open()) hash.update(chunk)
    const checkpoint = await remote.writeCheckpoint(
      point,
      { hash: hash.digest('hex'), source: file },
      run.options.signal,
    )
    const before = database.chain.checkpoint()
    // Lost races are no harm: the checkpoint is announced by a later one, written when it is due again.
    await commitOperations(context, [{ kind: 'checkpoint', checkpoint, before }], run.options.signal)
    steps.onCommitted()
  } finally {
    await staged.discard()
  }
}

/** At most once an hour, and never by a check that found nothing: this instance's name and what it has read. */
export async function announce(context: SyncContext): Promise<void> {
  const { database, remote, clock } = context
  const last = database.settings.get(announcedKey)
  if (typeof last === 'number' && clock.now() - last < announceEveryMs && clock.now() >= last) return
  const point = database.chain.point()
  if (point === null) return
  await remote.announceInstance({ ...context.instance(), version: point.version, seenAt: nowIso(context) })
  const others = await remote.listInstances()
  const isLive = (seenAt: string) => Math.abs(clock.now() - Date.parse(seenAt)) < 2 * announceEveryMs
  database.settings.set(liveInstancesKey, others.filter(({ seenAt }) => isLive(seenAt)).length)
  database.settings.set(announcedKey, clock.now())
}
