/** `davit conflicts list|show|resolve`. */
import { readFile } from 'node:fs/promises'
import type { ConflictView } from '../../instance/instance.ts'
import type { ResolutionStrategy } from '../../model/conflict.ts'
import { DavitError } from '../../model/errors.ts'
import { mergeTextBytesMax, pageRowsMax } from '../../model/limits.ts'
import { type CommandContext, withSession } from '../command.ts'
import { exitCodes } from '../exit-codes.ts'
import { formatBytes, print, printable, printJson, table } from '../output.ts'
import type { Session } from '../session.ts'

const strategies: Readonly<Record<string, ResolutionStrategy>> = {
  local: 'local',
  remote: 'remote',
  both: 'both',
  merge: 'merge',
  local_wins: 'local',
  remote_wins: 'remote',
  keep_both: 'both',
}
/** Characters of an id that a list shows; any beginning that is unique may be given back. */
const idShown = 12
const idLength = 32

function usage(message: string, hint: string): DavitError {
  return new DavitError('bad-request', message, { action: 'ask', hint })
}

function describe(conflict: ConflictView): string {
  const sides = conflict.candidates.map((side) => side.instance).join(', ')
  return `${conflict.kind} of ${conflict.aspect}: ${sides}`
}

/** Every page of open conflicts. */
async function allConflicts(session: Session): Promise<ConflictView[]> {
  const found: ConflictView[] = []
  for (let cursor: string | null | undefined; cursor !== null; ) {
    const page = await session.conflicts({ limit: pageRowsMax, ...(cursor === undefined ? {} : { cursor }) })
    found.push(...page.items)
    cursor = page.nextCursor
  }
  return found
}

/** The conflict with this id, or the only one whose id begins so. */
async function find(session: Session, given: string): Promise<ConflictView> {
  if (given.length >= idLength) return session.conflict(given)
  const [first, second] = (await allConflicts(session)).filter((each) => each.id.startsWith(given))
  if (given === '' || first === undefined) {
    throw new DavitError('not-found', `there is no open conflict '${given}'`, {
      action: 'ask',
      hint: "See 'davit conflicts' for those that are open.",
    })
  }
  if (second !== undefined)
    throw usage(`more than one conflict begins with '${given}'`, 'Give more characters.')
  return first
}

export function listConflicts(context: CommandContext): Promise<number> {
  const { io } = context
  return withSession(context, {}, async (session) => {
    const items = await allConflicts(session)
    if (context.json) printJson(io, { items, nextCursor: null })
    else if (items.length === 0) print(io, 'no conflicts')
    else {
      const rows = items.map((each) => [each.id.slice(0, idShown), each.path, describe(each)])
      print(io, table(io, ['id', 'path', 'conflict'], rows))
    }
    return 0
  })
}

export function showConflict(
  context: CommandContext,
  given: string,
  options: { readonly side?: string },
): Promise<number> {
  const { io } = context
  return withSession(context, {}, async (session) => {
    const conflict = await find(session, given)
    if (options.side !== undefined) {
      const { stream } = await session.conflictContent(conflict.id, options.side)
      for await (const piece of stream) io.stdout.write(piece)
      return 0
    }
    if (context.json) {
      printJson(io, conflict)
      return 0
    }
    print(io, `${conflict.id}\n${printable(conflict.path)}\n${printable(describe(conflict))}`)
    const rows = conflict.candidates.map((side) => [
      side.instance,
      side.value === undefined ? formatBytes(side.size) : JSON.stringify(side.value),
      side.at ?? '',
      side.hash?.slice(0, idShown) ?? 'deleted',
    ])
    const base = conflict.base
    rows.unshift([
      'base',
      base === null
        ? 'nothing'
        : base.value === undefined
          ? formatBytes(base.size)
          : JSON.stringify(base.value),
      '',
      base?.hash.slice(0, idShown) ?? '',
    ])
    print(io, table(io, ['side', 'value', 'at', 'hash'], rows))
    const short = conflict.id.slice(0, idShown)
    print(io, `a side's content: davit conflicts show ${short} --side NAME`)
    print(io, `to settle it: davit conflicts resolve ${short} --take local|remote|both|merge`)
    return 0
  })
}

export interface ResolveOptions {
  readonly take: string
  readonly candidate?: string
  readonly content?: string
}

async function readContent(path: string): Promise<Uint8Array> {
  const content = await readFile(path).catch((error: NodeJS.ErrnoException) => {
    throw usage(`cannot read ${path}: ${error.code ?? 'unknown error'}`, '--content names the file to take.')
  })
  if (content.byteLength > mergeTextBytesMax) {
    throw usage(
      `${path} is larger than ${formatBytes(mergeTextBytesMax)}`,
      'Write the file itself and take local.',
    )
  }
  return content
}

export async function resolveConflict(
  context: CommandContext,
  given: string,
  options: ResolveOptions,
): Promise<number> {
  const { io } = context
  const strategy = Object.hasOwn(strategies, options.take) ? strategies[options.take] : undefined
  if (strategy === undefined) {
    throw usage(
      `--take ${options.take} does not settle a conflict between instances`,
      'Take local, remote, both or merge.',
    )
  }
  if (options.content !== undefined && strategy !== 'merge') {
    throw usage('--content goes with --take merge only', 'Say --take merge --content FILE.')
  }
  const content = options.content === undefined ? undefined : await readContent(options.content)
  return withSession(context, {}, async (session) => {
    const conflict = await find(session, given)
    const result = await session.resolve(conflict.id, {
      strategy,
      // What was found a moment ago is what is settled, not what may have come in between.
      expected: conflict.revision,
      ...(options.candidate === undefined ? {} : { candidate: options.candidate }),
      ...(content === undefined ? {} : { content }),
    })
    if (context.json) printJson(io, result)
    else {
      print(io, `${printable(conflict.path)}: settled with ${strategy}`)
      if (!result.committed)
        io.stderr.write('the remote cannot be reached; it is committed as soon as it can\n')
    }
    return result.committed ? exitCodes.inSync : exitCodes.unreachable
  })
}
