/** Whether the workspace is still the one that the index speaks of. Asked before anything counts as deleted. */
import { DavitError } from '../model/errors.ts'
import type { SyncContext } from './context.ts'

/** Rejects with `workspace-vanished`, `workspace-replaced` or `workspace-restored`, which halt the instance. */
export async function requireRoot(context: SyncContext): Promise<void> {
  const state = await context.workspace.rootState()
  const { root } = context.workspace
  switch (state.kind) {
    case 'present':
      return
    case 'vanished':
      throw new DavitError('workspace-vanished', `the workspace ${root} is not there`, {
        action: 'ask',
        hint: 'Mount the disk or bring the folder back; Davit goes on by itself. Nothing was deleted.',
      })
    case 'replaced':
      throw new DavitError(
        'workspace-replaced',
        `the workspace ${root} is not the folder that it was: ${state.detail}`,
        {
          action: 'ask',
          hint: 'Mount the disk or bring the folder back; Davit goes on by itself. If the folder was emptied or replaced on purpose, run `davit recover adopt`. Nothing was deleted.',
        },
      )
    case 'restored':
      throw new DavitError(
        'workspace-restored',
        `the workspace ${root}, or the index of it, was restored from a backup`,
        {
          action: 'ask',
          hint: 'Run `davit recover adopt`: the store is joined as it is, and what only exists here is kept. Nothing was deleted.',
        },
      )
  }
}
