/**
 * One run, from looking at the disk to the last commit:
 *
 *   scan → pull → { plan → guard → apply → push → commit }… → maintenance
 *
 * Each step is durable and can be repeated; a crash between any two leaves a state from which the next run goes on.
 */

import { DavitError, isDavitError } from '../model/errors.ts'
import type { FileId } from '../model/file-state.ts'
import { runRoundsMax } from '../model/limits.ts'
import { applyLocal } from './apply-local.ts'
import { clearRunProblems } from './clear-problems.ts'
import { settleAttempts } from './commit.ts'
import { breathe, type SyncContext } from './context.ts'
import { beginWindow, checkDeletions, settleGuard } from './guard.ts'
import { claimArrivals, identifyAll } from './identify.ts'
import { indexWorkspace } from './index-workspace.ts'
import { type JoinMode, join } from './join.ts'
import { maintain } from './maintenance.ts'
import { planPage } from './plan.ts'
import { preview } from './preview.ts'
import { pull } from './pull.ts'
import { commitNotices, push } from './push.ts'
import { requireRoot } from './require-root.ts'
import { retryDelayMs } from './retry-delay.ts'
import type { RunState, ScanScope } from './run-state.ts'
import { joiningKey } from './take-in.ts'
import { giveWay, type Turn, takeTurn } from './take-turn.ts'
import { takeBackUnfinished } from './unfinished.ts'
import { lookAtUnseen } from './unseen-conflicts.ts'
import { forgetWrittenOut } from './verify-pulled.ts'

export interface RunSteps {
  readonly scan: ScanScope
  /** List `version/` rather than ask for the known head. */
  readonly list: boolean
  /** May create a store where there is none. */
  readonly create: boolean
  /** May do so in a dry run, too. */
  readonly setUp?: boolean
  /** Plan only: nothing is written on either side. */
  readonly dryRun: boolean
  /** Between two pages: lets what waits for the run, such as an edit through the API, come in between. */
  readonly pause: () => Promise<void>
  /** This instance commits in quick succession: others may not get through, and it looks whether one has the lock. */
  readonly isBusy: boolean
  readonly onGaveWay: (met: boolean) => void
  /** Somebody else's commits were taken in. */
  readonly onOthers: () => void
  readonly onScanned: () => void
  readonly onListed: () => void
  readonly onCommitted: () => void
}

/** How often a path that keeps changing is looked at again within one run. */
const looksAgainMax = 5

export async function executeRun(context: SyncContext, run: RunState, steps: RunSteps): Promise<void> {
  const { database } = context
  await run.timed('scan', () => indexScope(context, run, steps.scan))
  steps.onScanned()
  // ORDER: before more is taken in from the chain, which may have gone on from what was put here.
  claimArrivals(context)
  await lookAtUnseen(context, run)

  await syncScanned(context, run, steps)
  if (run.options.paths === null && !steps.dryRun) {
    database.settings.set(joiningKey, null)
    if (run.options.force) beginWindow(context)
    if (run.skipped.size === 0) clearRunProblems(context, run)
  }
  forgetWrittenOut(context)
  if (!steps.dryRun) await maintain(context, run, steps)
}

async function syncScanned(context: SyncContext, run: RunState, steps: RunSteps): Promise<void> {
  const { database } = context
  const { signal } = run.options
  if (database.chain.point() === null) {
    await run.timed('pull', () =>
      join(context, {
        mode: joinModeOf(database.settings.get(joiningKey)),
        create: steps.create && (!steps.dryRun || steps.setUp === true),
        signal,
        onChangeset: (done, total) => run.progress('pull', done, total),
      }),
    )
  }
  // What an earlier run left open is settled before anything new is decided on.
  if (!steps.dryRun) run.deletedThere += await settleOpenAttempts(context, signal)
  if (!steps.dryRun && steps.isBusy && database.trees.counts().pending > 0)
    steps.onGaveWay(await giveWay(context, signal))
  let list = steps.list
  let lost = 0
  let looks = 0
  let turn: Turn | null = null
  try {
    for (let round = 0; ; round++) {
      if (round === runRoundsMax) {
        throw new DavitError('remote-busy', 'others commit faster than this instance can follow', {
          action: 'retry',
          hint: 'It is tried again later.',
        })
      }
      const pulled = await run.timed(round === 0 && !list ? 'check' : 'pull', () =>
        pull(context, { list, signal, onChangeset: (done, total) => run.progress('pull', done, total) }),
      )
      if (pulled.listed) steps.onListed()
      if (pulled.count > 0) steps.onOthers()
      list = true
      await lookAgain(context, run)
      await lookAtUnseen(context, run)
      await identifyAll(context)
      await checkDeletions(context, run)
      if (steps.dryRun) return await preview(context, run)
      const result = await workOff(context, run, steps)
      if (result.committed) steps.onCommitted()
      if (result.kind === 'moved-on') continue
      if (result.kind === 'lost') {
        lost += 1
        turn ??= await takeTurn(context, { lost, signal })
        // Whose turn it is goes on at once: the others wait for it.
        if (turn === null) {
          await context.clock.sleep(
            retryDelayMs(
              Math.min(lost, 6),
              { baseMs: 25, maxMs: 2_000 },
              context.random.fraction(),
              undefined,
            ),
            signal,
          )
        }
        continue
      }
      if (run.again.size > 0 && looks < looksAgainMax) {
        looks += 1
        list = false
        continue
      }
      break
    }
  } finally {
    // However it ended and whatever it was limited to: what it deleted counts towards the next ones.
    if (!steps.dryRun) settleGuard(context, run)
    await turn?.end()
  }
}

/** A store that was rolled back or emptied never tells what became of an attempt: pulling finds that out, and halts. */
async function settleOpenAttempts(context: SyncContext, signal: AbortSignal): Promise<number> {
  try {
    return await settleAttempts(context, signal)
  } catch (error) {
    if (!isDavitError(error, 'remote-busy')) throw error
    await pull(context, { list: true, signal })
    return settleAttempts(context, signal)
  }
}

function joinModeOf(stored: unknown): JoinMode {
  return stored === 'keep' ? 'keep' : 'fresh'
}

/** Brings the index up to what the disk holds, with what a crash left aside brought back first. */
export async function indexScope(context: SyncContext, run: RunState, scope: ScanScope): Promise<void> {
  // ORDER: before anything is brought back. It belongs into the folder that it was taken from, not into another one.
  await requireRoot(context)
  await takeBackUnfinished(context)
  if (scope.kind === 'everything') await indexWorkspace(context, run, [''])
  else if (scope.paths.length > 0) await indexWorkspace(context, run, scope.paths)
}

async function lookAgain(context: SyncContext, run: RunState): Promise<void> {
  if (run.again.size === 0) return
  const paths = [...run.again]
  run.again.clear()
  for (const id of run.againIds) run.skipped.delete(id)
  run.againIds.clear()
  await run.timed('scan', () => indexScope(context, run, { kind: 'paths', paths }))
}

/** Goes once through the dirty set, a page at a time. */
async function workOff(
  context: SyncContext,
  run: RunState,
  steps: RunSteps,
): Promise<{ readonly kind: 'done' | 'lost' | 'moved-on'; readonly committed: boolean }> {
  let after: FileId | null = null
  let committed = false
  for (;;) {
    run.options.signal.throwIfAborted()
    const page = await run.timed('plan', () => planPage(context, run, after))
    if (page === null) {
      // A commit that lost may have left nothing to do but to tell.
      const told = run.notices.length > 0 ? await commitNotices(context, run) : 'done'
      return { kind: told === 'lost' ? 'lost' : 'done', committed }
    }
    after = page.last
    await breathe()
    const planned = await run.timed('apply', () => applyLocal(context, run, page))
    const versionBefore = context.database.chain.point()?.version
    const result = await push(context, run, planned)
    committed ||= context.database.chain.point()?.version !== versionBefore
    if (result === 'lost') return { kind: 'lost', committed }
    await breathe()
    const before = context.database.chain.point()?.hash
    await steps.pause()
    // Somebody's resolution brought new versions in: they pass the guard like all others.
    if (context.database.chain.point()?.hash !== before) return { kind: 'moved-on', committed }
  }
}
