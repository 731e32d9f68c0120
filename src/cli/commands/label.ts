/** `davit label PATH… --add X --remove Y`: labels live in the index and travel without any file transfer. */
import type { FileView } from '../../instance/instance.ts'
import { DavitError, isDavitError } from '../../model/errors.ts'
import { labelsField } from '../../model/file-state.ts'
import { type CommandContext, withSession } from '../command.ts'
import { print, printable, printJson } from '../output.ts'
import type { Session } from '../session.ts'
import { workspacePath } from '../workspace-path.ts'

export interface LabelOptions {
  readonly add: readonly string[]
  readonly remove: readonly string[]
}

/** How often a file that changes in between is read again. */
const attemptsMax = 5

function labelsOf(file: FileView): string[] {
  const labels = file.metadata[labelsField]
  return Array.isArray(labels) ? labels.filter((label) => typeof label === 'string') : []
}

async function relabel(session: Session, path: string, options: LabelOptions): Promise<FileView> {
  for (let attempt = 1; ; attempt++) {
    const file = await session.fileAt(path)
    const labels = new Set([...labelsOf(file), ...options.add])
    for (const label of options.remove) labels.delete(label)
    const patch = { [labelsField]: labels.size === 0 ? null : [...labels].sort() }
    try {
      return await session.patchMetadata(file.id, patch, file.revision)
    } catch (error) {
      if (!isDavitError(error, 'precondition-failed') || attempt >= attemptsMax) throw error
    }
  }
}

export async function label(
  context: CommandContext,
  options: LabelOptions,
  given: readonly string[],
): Promise<number> {
  const { io } = context
  if (options.add.length + options.remove.length === 0) {
    throw new DavitError('bad-request', 'no label to add or to remove', {
      action: 'ask',
      hint: 'Say --add LABEL or --remove LABEL, as often as you like.',
    })
  }
  return withSession(context, {}, async (session, { workspace }) => {
    const paths = given.map((path) => workspacePath(path, { cwd: io.cwd, workspace }))
    const items: FileView[] = []
    for (const path of paths) items.push(await relabel(session, path, options))
    if (context.json) printJson(io, { items, nextCursor: null })
    else {
      for (const file of items)
        print(io, printable(`${file.path}: ${labelsOf(file).join(', ') || 'no labels'}`))
    }
    return 0
  })
}
