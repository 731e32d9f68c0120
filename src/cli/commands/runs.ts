/** `davit runs`: the history of runs, newest first. */
import { type CommandContext, withSession } from '../command.ts'
import { formatDuration, print, printJson, table } from '../output.ts'

export function runs(context: CommandContext, options: { readonly limit: number }): Promise<number> {
  const { io } = context
  return withSession(context, {}, async (session) => {
    const page = await session.runs({ limit: options.limit })
    if (context.json) printJson(io, page)
    else if (page.items.length === 0) print(io, 'no runs yet')
    else {
      const rows = page.items.map((run) => [
        run.startedAt,
        run.kind,
        run.trigger,
        run.outcome,
        String(run.version),
        String(run.uploaded),
        String(run.downloaded),
        String(run.deleted),
        String(run.problems.length),
        formatDuration(run.durationMs),
      ])
      const heads = [
        'started',
        'kind',
        'trigger',
        'outcome',
        'version',
        'up',
        'down',
        'deleted',
        'problems',
        'took',
      ]
      print(io, table(io, heads, rows))
    }
    return 0
  })
}
