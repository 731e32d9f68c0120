/** What a run would do, counted like one that did it. Writes nothing on either side. */
import { liveState } from '../model/dirtiness.ts'
import { breathe, type SyncContext } from './context.ts'
import { planPage } from './plan.ts'
import type { RunState } from './run-state.ts'

export async function preview(context: SyncContext, run: RunState): Promise<void> {
  for (
    let page = await planPage(context, run, null);
    page !== null;
    page = await planPage(context, run, page.last)
  ) {
    for (const { decision, triple } of page.files) {
      const live = liveState(triple)
      const local = triple.local?.state ?? null
      run.plannedConflicts += decision.conflicts.filter(({ change }) => change === 'open').length
      if (decision.remote === null && live !== null) run.deletedThere += 1
      if (decision.local === null && local !== null) run.deletedHere += 1
      if (decision.remote !== null && decision.remote.hash !== (live?.hash ?? null)) run.uploaded += 1
      if (decision.local !== null && decision.local.hash !== (local?.hash ?? null)) run.downloaded += 1
      const from = live?.path ?? local?.path
      const to = decision.remote?.path ?? decision.local?.path
      if (from !== undefined && to !== undefined && (from !== to || (local !== null && local.path !== to)))
        run.moved += 1
    }
    await breathe()
  }
}
