/** `davit recover republish|adopt`: join again after the store was rolled back or replaced. */
import { type CommandContext, withSession } from '../command.ts'
import { describeRun } from '../describe-run.ts'
import { exitCodeOfRun } from '../exit-codes.ts'
import { printJson } from '../output.ts'
import { showProgress } from '../progress-bar.ts'

export function recover(context: CommandContext, choice: 'republish' | 'adopt'): Promise<number> {
  return withSession(context, {}, async (session) => {
    const hide = context.json ? () => {} : await showProgress(context.io, session)
    const run = await session.recover(choice).finally(hide)
    if (context.json) printJson(context.io, run)
    else describeRun(context.io, run)
    return exitCodeOfRun(run)
  })
}
