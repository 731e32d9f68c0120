/** The content of a file that both sides have: which bytes stand where, and what waits in a conflict. */
import { unreachable } from '../model/errors.ts'
import type { ContentHash, FileState } from '../model/file-state.ts'
import type { ConflictChange, Decision, Notice, RuleId } from './decision.ts'
import { conflictOf, hasRoom, openChange, ownCandidate, updateChange, withdrawChanges } from './own-side.ts'
import type { BothSides, ReconcileInput } from './reconcile-input.ts'
import { compareThreeWay, ruleOf } from './three-way.ts'

/** Bytes together with the modification time that belongs to them. */
export interface Content {
  readonly hash: ContentHash | null
  readonly size: number
  readonly mtimeUs: number
}

export interface ContentOutcome {
  readonly rules: readonly RuleId[]
  readonly local: Content
  readonly remote: Content
  readonly synced: Content
  readonly changes: readonly ConflictChange[]
  readonly notices: readonly Notice[]
  /** The local content goes to a file of its own. */
  readonly copied: boolean
  readonly needsMerge: Decision['needsMerge']
}

export function decideContent(input: ReconcileInput, sides: BothSides): ContentOutcome {
  const { local, synced, remote } = sides
  const conflict = conflictOf('content', input.conflicts)
  const own = ownCandidate(conflict, input.instance.id)
  const verdict = compareThreeWay({ base: synced?.hash, local: local.hash, remote: remote.hash })

  if (verdict === 'unchanged' || verdict === 'adopt') {
    const closed = withdrawChanges(conflict, input.instance.id)
    const mtime = compareThreeWay({ base: synced?.mtimeUs, local: local.mtimeUs, remote: remote.mtimeUs })
    // A time says nothing by itself: it follows, and never clashes.
    const timed = mtime === 'clash' ? 'pull' : mtime
    return {
      ...everywhere(content(timed === 'push' ? local : remote)),
      rules: [...(verdict === 'adopt' ? ruleOf(verdict) : ruleOf(timed)), ...closedRule(closed)],
      changes: closed,
    }
  }

  if (conflict !== undefined && own !== undefined) {
    if (own.hash === local.hash) return { ...apart(sides), rules: ['R17-conflict-held'] }
    if (verdict !== 'pull') return updated(input, sides)
    // The own edit was given up for the content that was committed then, and that has moved on since.
    const closed = withdrawChanges(conflict, input.instance.id)
    return {
      ...everywhere(content(remote)),
      rules: [...ruleOf(verdict), ...closedRule(closed)],
      changes: closed,
    }
  }

  switch (verdict) {
    case 'push':
      return { ...everywhere(content(local)), rules: ruleOf(verdict) }
    case 'pull':
      return { ...everywhere(content(remote)), rules: ruleOf(verdict) }
    case 'clash':
      return conflict === undefined ? byPolicy(input, sides) : updated(input, sides)
    default:
      return unreachable(verdict)
  }
}

function byPolicy(input: ReconcileInput, sides: BothSides): ContentOutcome {
  const { local, remote } = sides
  switch (input.policy) {
    case 'manual':
      return opened(input, sides)
    case 'merge':
      return merged(input, sides)
    case 'local':
      return won(input, sides, local)
    case 'remote':
      return won(input, sides, remote)
    case 'newest':
      return won(input, sides, local.mtimeUs > remote.mtimeUs ? local : remote)
    case 'both':
      return copied(sides, 'by policy `both` this instance’s content goes to a file of its own')
    default:
      return unreachable(input.policy)
  }
}

function opened(input: ReconcileInput, sides: BothSides): ContentOutcome {
  const { local, synced, remote } = sides
  if (local.hash === null) return { ...everywhere(content(remote)), rules: ['R3-pull'] }
  const kind = synced === null ? 'create' : 'edit'
  const base = synced === null || synced.hash === null ? null : { hash: synced.hash, size: synced.size }
  const on = { fileId: input.id, path: remote.path, kind, aspect: 'content', base } as const
  return {
    ...apart(sides),
    rules: [kind === 'create' ? 'R14-create-conflict' : 'R11-content-conflict'],
    changes: [openChange(on, { hash: local.hash, size: local.size })],
  }
}

function updated(input: ReconcileInput, sides: BothSides): ContentOutcome {
  const { local } = sides
  const conflict = conflictOf('content', input.conflicts)
  if (conflict === undefined || local.hash === null) return opened(input, sides)
  if (!hasRoom(conflict, input.instance.id)) {
    return copied(
      sides,
      'the open conflict holds as many versions as it can; this one goes to a file of its own',
    )
  }
  return {
    ...apart(sides),
    rules: ['R18-conflict-updated'],
    changes: [updateChange(conflict, input.instance.id, { hash: local.hash, size: local.size })],
  }
}

function merged(input: ReconcileInput, sides: BothSides): ContentOutcome {
  const { local, synced, remote } = sides
  if (input.merge?.kind === 'conflict' || local.hash === null || remote.hash === null)
    return opened(input, sides)
  if (input.merge === null) {
    const needsMerge = { base: synced?.hash ?? null, local: local.hash, remote: remote.hash }
    return { ...apart(sides), rules: ['R10-merge-content'], needsMerge }
  }
  const mtimeUs = Math.max(local.mtimeUs, remote.mtimeUs)
  const { hash, size } = input.merge
  return {
    ...everywhere({ hash, size, mtimeUs }),
    rules: ['R10-merge-content'],
    notices: [
      {
        rule: 'R10-merge-content',
        path: remote.path,
        detail: 'Both sides edited it; the edits were merged.',
      },
    ],
  }
}

function won(input: ReconcileInput, { local, remote }: BothSides, winner: FileState): ContentOutcome {
  const side = winner === local ? 'this instance’s' : 'the committed'
  const detail = `Both sides edited it; by policy \`${input.policy}\` ${side} content stands.`
  return {
    ...everywhere(content(winner)),
    rules: ['R20-policy'],
    notices: [{ rule: 'R20-policy', path: remote.path, detail }],
  }
}

function copied({ remote }: BothSides, reason: string): ContentOutcome {
  return {
    ...everywhere(content(remote)),
    rules: ['R20-policy'],
    notices: [{ rule: 'R20-policy', path: remote.path, detail: `Both sides edited it; ${reason}.` }],
    copied: true,
  }
}

/** Each side keeps its bytes; what both agree on is the committed content. */
function apart({ local, remote }: BothSides): Omit<ContentOutcome, 'rules'> {
  return { ...everywhere(content(remote)), local: content(local) }
}

function everywhere(one: Content): Omit<ContentOutcome, 'rules'> {
  return { local: one, remote: one, synced: one, changes: [], notices: [], copied: false, needsMerge: null }
}

function content({ hash, size, mtimeUs }: FileState): Content {
  return { hash, size, mtimeUs }
}

function closedRule(closed: readonly ConflictChange[]): RuleId[] {
  return closed.length === 0 ? [] : ['R19-conflict-closed']
}
