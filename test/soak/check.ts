/** The check: everybody rests, and then everything has to be right. */
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ConflictView, FileView, InstanceStatus, Page } from '../../src/instance/instance.ts'
import type { FilePath } from '../../src/model/file-state.ts'
import { canonicalJson, type JsonValue } from '../../src/model/json.ts'
import { run } from '../support/process.ts'
import { type HashCache, readHoldings, readTree } from './contents.ts'
import { mayBeIgnored } from './crowd.ts'
import type { Gesture, History } from './history.ts'
import {
  findConflictDifferences,
  findDifferences,
  findLosses,
  findLostLabels,
  findStrayCandidates,
  findSurprises,
  type Label,
  type Tree,
  type Violation,
} from './oracle.ts'
import { isUnanswered } from './programs.ts'
import type { Member } from './trouble.ts'

/** From the end of gestures and trouble until everybody is idle and agrees. */
export const quietMsMax = 180_000
/** Everybody has to stay so for a while before it counts. */
const restMs = 4_000
const lookMs = 500
/** How long traffic is counted. */
const idleMs = 15_000
/** A listing of the heads in a minute, and one that was just due. */
const listingsMax = 2

export interface Agreed {
  readonly tree: Tree
  /** Paths whose content is in conflict, by the conflict's id. */
  readonly conflicts: ReadonlyMap<string, FilePath>
}

export interface CheckInput {
  readonly members: readonly Member[]
  /** The server's data. */
  readonly store: string
  readonly history: History
  readonly labels: readonly Label[]
  readonly cache: HashCache
  readonly before: Agreed
  /** Since the last check. */
  readonly gestures: readonly Gesture[]
}

export interface CheckOutcome {
  readonly violations: readonly Violation[]
  readonly agreed: Agreed
  readonly statuses: readonly InstanceStatus[]
  readonly quietAfterMs: number
  readonly conflicts: number
}

export async function check(input: CheckInput): Promise<CheckOutcome> {
  const { members, history, cache, before, gestures } = input
  const startedAt = performance.now()
  const resting = await untilQuiet(input)
  const { trees, conflicts, statuses } = resting
  const inConflict = new Set(conflicts.values())
  const wereInConflict = new Set(before.conflicts.values())
  const outcome = (violations: readonly Violation[], tree: Tree): CheckOutcome => ({
    violations,
    agreed: { tree, conflicts },
    statuses,
    quietAfterMs: performance.now() - startedAt,
    conflicts: conflicts.size,
  })
  const tree = [...trees.values()][0] ?? new Map()
  const quiet = outcome(resting.violations, tree)
  if (resting.violations.length > 0) return quiet

  const lists = await Promise.all(
    members.map(async ({ serving }) => [serving.name, await allConflicts(serving)] as const),
  )
  const held = await readHoldings(
    members.map(({ serving }) => serving.workspace),
    input.store,
    cache,
  )
  const violations = [
    ...findConflictDifferences(new Map(lists)),
    ...findStrayCandidates(trees, lists[0]?.[1] ?? []),
    ...findLosses(history, held),
    ...findSurprises({
      before: before.tree,
      after: tree,
      gestures,
      known: history.known,
      isLeftOut: (path) => mayBeIgnored(path) || inConflict.has(path) || wereInConflict.has(path),
      newConflicts: [...conflicts]
        .filter(([id, path]) => !before.conflicts.has(id) && !wereInConflict.has(path) && !mayBeIgnored(path))
        .map(([, path]) => path),
    }),
    ...(await checkIndexes(members, inConflict, input)),
    ...(await verifyAll(members)),
    ...(await checkTraffic(members)),
    ...(await checkLogs(members)),
  ]
  return { ...quiet, violations }
}

interface Resting {
  readonly violations: readonly Violation[]
  readonly trees: ReadonlyMap<string, Tree>
  readonly conflicts: ReadonlyMap<string, FilePath>
  readonly statuses: readonly InstanceStatus[]
}

/** Waits until everybody is idle at one version, with equal workspaces, and stays so; nobody is asked for a run. */
async function untilQuiet({ members, cache }: CheckInput): Promise<Resting> {
  const deadline = performance.now() + quietMsMax
  let stableSince = Number.POSITIVE_INFINITY
  let lastSeen = ''
  let unlike: readonly Violation[] = []
  for (;;) {
    const statuses = await statusesOf(members)
    const seen = tellAll(statuses)
    if (seen !== lastSeen) {
      lastSeen = seen
      stableSince = performance.now()
    }
    const known = statuses.filter((status) => status !== null)
    const isQuiet = known.length === members.length && areQuiet(known)
    const isStable = isQuiet && performance.now() - stableSince >= restMs
    const isLate = performance.now() > deadline
    if (isStable || isLate) {
      const trees = new Map<string, Tree>()
      for (const { serving } of members) trees.set(serving.name, await readTree(serving.workspace, cache))
      const conflicts = known.length === members.length ? await allConflictsOf(members) : []
      const inConflict = new Set(conflicts.map(({ path }) => path))
      const isLeftOut = (path: FilePath) =>
        mayBeIgnored(path) || inConflict.has(path) || isBesideIgnored(trees, path)
      unlike = findDifferences(trees, isLeftOut)
      if ((isQuiet && unlike.length === 0) || isLate) {
        const violations = [...(isQuiet ? [] : [notQuiet(seen)]), ...unlike]
        const paths = new Map(conflicts.map(({ id, path }) => [id, path]))
        return { violations, trees, conflicts: paths, statuses: known }
      }
    }
    const fallen = members.find(({ serving }) => serving.hasFallen)
    if (fallen !== undefined)
      throw new Error(`${fallen.serving.name} ended by itself; see ${fallen.serving.logFile}`)
    await sleep(lookMs)
  }
}

function notQuiet(seen: string): Violation {
  return { rule: 'L7', path: null, detail: `not quiet after ${quietMsMax / 1000} s: ${seen}` }
}

/** An empty folder here, which only looks empty where what it holds is ignored. */
function isBesideIgnored(trees: ReadonlyMap<string, Tree>, path: FilePath): boolean {
  return [...trees.values()].some((tree) =>
    [...tree.keys()].some((other) => other.startsWith(`${path}/`) && mayBeIgnored(other)),
  )
}

async function statusesOf(members: readonly Member[]): Promise<(InstanceStatus | null)[]> {
  return Promise.all(
    members.map(({ serving }) =>
      serving.status().catch((error: unknown) => {
        if (isUnanswered(error)) return null
        throw error
      }),
    ),
  )
}

function areQuiet(statuses: readonly InstanceStatus[]): boolean {
  const [first] = statuses
  return statuses.every(
    (each) =>
      each.state === 'idle' &&
      each.pending === 0 &&
      each.localVersion === first?.localVersion &&
      each.remoteVersion === first.localVersion &&
      each.conflicts === first.conflicts,
  )
}

function tellAll(statuses: readonly (InstanceStatus | null)[]): string {
  return statuses
    .map((each) =>
      each === null
        ? 'no answer'
        : `${each.instance} ${each.state} ${each.localVersion}/${each.remoteVersion} pending=${each.pending} conflicts=${each.conflicts}${each.state === 'idle' || each.lastError === null ? '' : ` ${each.lastError.code}: ${each.lastError.message}`}`,
    )
    .join('; ')
}

async function allConflicts(serving: Member['serving']): Promise<ConflictView[]> {
  return allPages(serving, '/sync/conflicts?limit=200')
}

async function allConflictsOf(members: readonly Member[]): Promise<ConflictView[]> {
  const lists = await Promise.all(members.map(({ serving }) => allConflicts(serving)))
  return lists.flat().filter(({ aspect }) => aspect === 'content')
}

async function allPages<T>(serving: Member['serving'], path: string): Promise<T[]> {
  const items: T[] = []
  for (let cursor = ''; ; ) {
    const answer = await serving.call<Page<T>>('GET', `${path}${cursor}`, undefined, { timeoutMs: 60_000 })
    if (answer.status !== 200) throw new Error(`${serving.name}: GET ${path} answered ${answer.status}`)
    items.push(...answer.body.items)
    if (answer.body.nextCursor === null) return items
    cursor = `&cursor=${encodeURIComponent(answer.body.nextCursor)}`
  }
}

/** The indexes tell the same of every file, labels are where they were put, and no path has a problem. */
async function checkIndexes(
  members: readonly Member[],
  inConflict: ReadonlySet<FilePath>,
  { history, labels }: CheckInput,
): Promise<Violation[]> {
  const violations: Violation[] = []
  let first: ReadonlyMap<string, FileView> | null = null
  for (const { serving } of members) {
    const files: FileView[] = await allPages(serving, '/files?limit=500')
    const byId = new Map(files.map((file) => [file.id, file]))
    if (first === null) {
      first = byId
      const labelled = new Map(files.map((file) => [file.id, { path: file.path, labels: labelsOf(file) }]))
      violations.push(...findLostLabels(history, labels, labelled))
    }
    for (const id of new Set([...first.keys(), ...byId.keys()])) {
      const [here, there] = [first.get(id), byId.get(id)]
      const path = (here ?? there)?.path ?? ''
      if (mayBeIgnored(path) || inConflict.has(path)) continue
      const told = (file: FileView | undefined) =>
        file === undefined
          ? 'nothing'
          : canonicalJson([file.path, file.kind, file.hash, file.mode, file.metadata as JsonValue])
      if (told(here) !== told(there))
        violations.push({
          rule: 'L1',
          path,
          detail: `the index of ${serving.name} tells ${told(there)}, the first one ${told(here)}`,
        })
    }
    const problems = await allPages<{ path: string; code: string; detail: string }>(
      serving,
      '/problems?limit=200',
    )
    for (const { path, code, detail } of problems)
      if (!mayBeIgnored(path))
        violations.push({ rule: 'L8', path, detail: `${serving.name} has a problem: ${code}: ${detail}` })
  }
  return violations
}

function labelsOf({ metadata }: FileView): string[] {
  const { labels } = metadata
  return Array.isArray(labels) ? labels.map(String) : []
}

async function verifyAll(members: readonly Member[]): Promise<Violation[]> {
  const violations: Violation[] = []
  for (const { serving } of members) {
    const { code, stdout, stderr } = await run(['verify', '--config', serving.configuration, '--json'])
    if (code !== 0)
      violations.push({
        rule: 'verify',
        path: null,
        detail: `${serving.name}: davit verify ended with ${code}: ${stdout.slice(0, 2_000)} ${stderr.slice(0, 500)}`,
      })
  }
  return violations
}

/** L3: with nothing to do an instance asks for the known head, and once a minute for all heads. */
async function checkTraffic(members: readonly Member[]): Promise<Violation[]> {
  for (const { proxy } of members) proxy.forget()
  await sleep(idleMs)
  return members.flatMap(({ serving, proxy }) => {
    const isHead = (path: string) => /^\/store\/version\//.test(path)
    const others = proxy.log.filter(({ method, path }) => method !== 'HEAD' || !isHead(path))
    const listings = others.filter(({ method, path }) => method === 'PROPFIND' && isHead(path))
    if (others.length === listings.length && listings.length <= listingsMax) return []
    const told = others.map(({ method, path, status }) => `${method} ${path} ${status}`)
    return [
      { rule: 'L3', path: null, detail: `${serving.name} is not quiet: ${told.slice(0, 20).join(', ')}` },
    ]
  })
}

const unexpected =
  /\binternal\b|TypeError|RangeError|ReferenceError|SqliteError|unhandled|database is locked/i

/** What no instance should ever have to say. */
async function checkLogs(members: readonly Member[]): Promise<Violation[]> {
  const violations: Violation[] = []
  for (const { serving } of members) {
    if (!existsSync(serving.logFile)) continue
    const lines = (await readFile(serving.logFile, 'utf8'))
      .split('\n')
      .filter((line) => unexpected.test(line))
    for (const line of lines.slice(0, 5))
      violations.push({ rule: 'log', path: null, detail: `${serving.name}: ${line}` })
  }
  return violations
}
