/**
 * What has to hold, decided on what people did and on what lies on the disks and in the store. Each broken promise is
 * told with the number of its invariant: S for safety, L for what has to come about once everything works again.
 */
import { createHash } from 'node:crypto'
import type { Changeset, ChangesetHash } from '../../src/model/changeset.ts'
import { emptyStorePoint } from '../../src/model/changeset.ts'
import type { FileId } from '../../src/model/file-state.ts'
import { changesetName } from '../../src/remote/layout.ts'
import { hashOfText, isWhole, marksOf } from './contents.ts'
import type { History } from './history.ts'
import type { SimulatedInstance } from './instance.ts'
import { keptTexts, type WorkspaceEntry, workspaceOf } from './person.ts'
import type { SimulatedServer } from './server.ts'

export interface Violation {
  readonly invariant: string
  readonly detail: string
}

export class Broken extends Error {
  readonly violation: Violation

  constructor(invariant: string, detail: string) {
    super(`${invariant}: ${detail}`)
    this.violation = { invariant, detail }
  }
}

function broken(invariant: string, detail: string): never {
  throw new Broken(invariant, detail)
}

/** What the seed did to the store, which weakens what can be asked for. */
export interface Harm {
  /** The store was taken back, emptied, or got a head that nobody committed. */
  rolledBack: boolean
  forked: boolean
  /** A person chose to adopt a store as it was. */
  adopted: boolean
  /** A person let a plan with many deletions pass. */
  forced: boolean
  /** Hashes of contents that the store's disk damaged. */
  readonly rotten: Set<string>
}

/** Everything that any instance took for settled. */
export class Ledger {
  private readonly applied = new Map<ChangesetHash, Changeset>()
  private readonly acknowledged = new Map<ChangesetHash, string>()
  private readonly byVersion = new Map<number, ChangesetHash>()
  private readonly versions = new Map<SimulatedInstance, number>()
  private readonly harm: Harm
  readonly forks: string[] = []

  constructor(harm: Harm) {
    this.harm = harm
  }

  appended(instance: SimulatedInstance, changeset: Changeset, isOwn: boolean): void {
    const { version, hash } = changeset.point
    const known = this.byVersion.get(version)
    if (known !== undefined && known !== hash) {
      this.forks.push(`version ${version} at ${instance.name}`)
      if (!this.harm.rolledBack && !this.harm.forked)
        broken('S1', `version ${version} is ${known} and, for ${instance.name}, ${hash}`)
    }
    const before = this.versions.get(instance) ?? 0
    if (version <= before && !this.harm.rolledBack && !this.harm.forked && !instance.lostState)
      broken('S8', `${instance.name} went from version ${before} to ${version}`)
    this.versions.set(instance, version)
    this.byVersion.set(version, hash)
    this.applied.set(hash, changeset)
    if (isOwn) this.acknowledged.set(hash, instance.name)
  }

  /**
   * Every acknowledged commit is in the chain, or taken in by one that is; or whoever made it knows it for an orphan,
   * found nothing of it that was not there already, and names it with the next commit.
   */
  checkDurable(chain: ReadonlyMap<ChangesetHash, Changeset>, instances: readonly SimulatedInstance[]): void {
    if (this.harm.rolledBack) return
    const adopted = new Set([...chain.values()].flatMap(({ header }) => header.adopts))
    for (const { index } of instances) for (const hash of index.chain.orphans()) adopted.add(hash)
    for (const [hash, name] of this.acknowledged) {
      if (!chain.has(hash) && !adopted.has(hash))
        broken('S3', `the commit ${hash.slice(0, 8)} that ${name} was told is not in the chain`)
    }
  }

  get changesets(): Iterable<Changeset> {
    return this.applied.values()
  }
}

/** The chain as it lies in the store, read without any of Davit's protocol. */
export function chainInStore(
  server: SimulatedServer,
  decode: (version: number, hash: ChangesetHash, bytes: Uint8Array) => Changeset,
): Map<ChangesetHash, Changeset> {
  const heads = server.names().filter((name) => /^version\/\d{12}-[0-9a-f]{64}$/.test(name))
  if (heads.length !== 1) broken('L1', `the store has ${heads.length} heads`)
  const chain = new Map<ChangesetHash, Changeset>()
  const [head] = heads as [string]
  let version = Number(head.slice(8, 20))
  let hash = head.slice(21)
  while (version > 0) {
    const name = changesetName({ version, hash })
    const bytes = server.read(name)
    if (bytes === null) broken('S2', `the chain names ${name}, which is not there`)
    const changeset = decode(version, hash, bytes)
    chain.set(hash, changeset)
    hash = changeset.header.parent
    version -= 1
  }
  if (hash !== emptyStorePoint.hash) broken('S2', `the chain ends in ${hash}`)
  return chain
}

/** Hashes of all contents that lie whole in the store. */
function contentsInStore(server: SimulatedServer): Set<string> {
  const found = new Set<string>()
  for (const name of server.names()) {
    const match = /^[0-9a-f]{2}\/([0-9a-f]{64})-/.exec(name)
    const bytes = match === null ? null : server.read(name)
    if (match === null || bytes === null) continue
    if (createHash('sha256').update(bytes).digest('hex') === match[1]) found.add(match[1] as string)
  }
  return found
}

export interface Outcome {
  readonly history: History
  readonly ledger: Ledger
  readonly server: SimulatedServer
  readonly harm: Harm
  /** Those that are left; all of them are running, and have nothing to do. */
  readonly instances: readonly SimulatedInstance[]
  readonly all: readonly SimulatedInstance[]
}

/** At rest, after everything was healed. */
export function checkAtRest(outcome: Outcome): void {
  const { instances, server, ledger } = outcome
  const [first] = instances
  if (first === undefined) return
  for (const instance of instances) {
    const damage = instance.index.verify()
    if (damage.length > 0) broken('S10', `${instance.name}: ${JSON.stringify(damage.slice(0, 3))}`)
    const { pending } = instance.index.trees.counts()
    if (pending > 0)
      broken(
        'L1',
        `${instance.name} has ${pending} pending: ${JSON.stringify(instance.index.trees.dirtyPage({ limit: 2 }))}`,
      )
  }
  const files = new Map(instances.map((instance) => [instance, workspaceOf(instance)]))
  checkAgreement(files)
  const chain = chainInStore(server, (version, hash, bytes) =>
    first.context.remote.decodeChangeset({ version, hash }, bytes),
  )
  ledger.checkDurable(chain, instances)
  checkContents(outcome, files, chain)
}

/** What lies in each workspace, read once for all checks. */
type Workspaces = ReadonlyMap<SimulatedInstance, readonly WorkspaceEntry[]>

function checkAgreement(workspaces: Workspaces): void {
  const [first, ...others] = [...workspaces.keys()] as [SimulatedInstance, ...SimulatedInstance[]]
  const view = (instance: SimulatedInstance) => ({
    head: instance.index.chain.point()?.hash ?? null,
    conflicts: instance.index.conflicts
      .page({ limit: 1_000 })
      .map(
        ({ id, candidates }) => `${id} ${candidates.map((side) => `${side.instance} ${side.hash}`).sort()}`,
      ),
    files: settledFiles(instance, workspaces.get(instance) ?? []),
  })
  const expected = view(first)
  const expectedText = {
    head: JSON.stringify(expected.head),
    conflicts: JSON.stringify(expected.conflicts),
    files: JSON.stringify(expected.files),
  }
  for (const other of others) {
    const found = view(other)
    for (const part of ['head', 'conflicts', 'files'] as const) {
      if (JSON.stringify(found[part]) !== expectedText[part])
        broken(
          part === 'conflicts' ? 'L5' : 'L1',
          `${part} of ${first.name} and ${other.name} differ:\n${JSON.stringify(expected[part], null, 1)}\n${JSON.stringify(found[part], null, 1)}`,
        )
    }
  }
}

/** What must be the same everywhere: all but the contents of those in conflict. */
function settledFiles(instance: SimulatedInstance, files: readonly WorkspaceEntry[]): string[] {
  const inConflict = new Set(
    instance.index.conflicts
      .page({ limit: 1_000 })
      .filter(({ aspect }) => aspect === 'content')
      .map(({ fileId }) => instance.index.trees.remoteOf(fileId)?.state.path),
  )
  return files.map(({ path, text, executable }) => {
    if (text === null) return `${path}/`
    const content = inConflict.has(path) ? '(in conflict)' : text
    return `${path} ${executable ? 'x' : '-'} ${settledMetadata(instance, path)} ${content}`
  })
}

function settledMetadata({ index }: SimulatedInstance, path: string): string {
  const row = index.trees.localAt(path)
  if (row === null) return '?'
  const open = new Set(index.conflicts.ofFile(row.id).map(({ aspect }) => aspect))
  const fields = Object.entries(row.state.metadata).filter(([field]) => !open.has(`metadata.${field}`))
  return JSON.stringify(fields.sort())
}

/**
 * Nobody is asked to decide between a text and the one that it was made from: whoever wrote the later one had seen the
 * earlier. Of texts that were written once; after a fork, or with an index from a backup, too little is known.
 */
function checkNeeded({ history, instances, all, harm }: Outcome): void {
  if (harm.rolledBack || harm.forked || harm.adopted || all.some(({ lostState }) => lostState)) return
  const [first] = instances as [SimulatedInstance]
  // Restored over a deletion that gave way to the conflict, it stands there without anything that was agreed on.
  const restored = new Set(
    all.flatMap(({ events }) =>
      events.filter(({ type }) => type === 'file.rescued').map(({ data }) => String(data['fileId'])),
    ),
  )
  for (const conflict of first.index.conflicts.page({ limit: 1_000 })) {
    if (conflict.aspect !== 'content' || restored.has(conflict.fileId)) continue
    const committed = first.index.trees.remoteOf(conflict.fileId)?.state.hash ?? null
    for (const { hash } of conflict.candidates) {
      if (committed === null || committed === hash) continue
      const [older, newer] = history.descends(committed, hash) ? [hash, committed] : [committed, hash]
      if (history.descends(newer, older))
        broken(
          'L5',
          `the conflict on ${conflict.path} is between a text and what was made from it: ${describe(history.textOf(older) ?? '')} and ${describe(history.textOf(newer) ?? '')}`,
        )
    }
  }
}

function checkContents(
  outcome: Outcome,
  workspaces: Workspaces,
  chain: ReadonlyMap<ChangesetHash, Changeset>,
): void {
  const { history, instances, server, harm } = outcome
  const live = new Map<string, string[]>()
  for (const [instance, files] of workspaces) {
    for (const { path, text } of files) {
      if (text === null) continue
      if (!isWhole(text)) broken('S7', `${instance.name}: ${path} holds ${JSON.stringify(text)}`)
      live.set(text, [...(live.get(text) ?? []), `${instance.name}:${path}`])
    }
  }
  const stored = contentsInStore(server)
  // What no workspace had any more when the store's disk damaged it is lost for good.
  for (const hash of harm.rotten)
    if (![...live.keys()].some((text) => hashOfText(text) === hash)) stored.add(hash)
  checkReferences(instances, stored, chain, harm)

  const kept = new Set(outcome.all.filter(({ isGone }) => !isGone).flatMap(keptTexts))
  const candidates = instances.flatMap((instance) =>
    instance.index.conflicts
      .page({ limit: 1_000 })
      .filter(({ aspect }) => aspect === 'content')
      .flatMap((conflict) => {
        // The committed side may stand in no workspace: whoever made it may be gone.
        const committed = instance.index.trees.remoteOf(conflict.fileId)?.state.hash ?? null
        const sides = conflict.candidates.map(({ hash }) => hash)
        return committed === null ? sides : [committed, ...sides]
      }),
  )
  const gone = new Set(outcome.all.filter(({ isGone }) => isGone).map(({ name }) => name))

  for (const entry of history.texts.values()) {
    if (entry.writers.size === 0) continue
    if ([...entry.writers].every((writer) => entry.takenOff.has(writer) || gone.has(writer))) continue
    if (live.has(entry.text) || kept.has(entry.text) || stored.has(entry.hash)) continue
    broken('S4', `nowhere left: ${describe(entry.text)}, written by ${[...entry.writers].join(', ')}`)
  }
  checkVisible(outcome, live, candidates, gone, chain)
  checkDeleted(outcome, live, new Set(candidates))
  checkNeeded(outcome)
}

/** Everything that a live state, a candidate or the history names lies in the store, whole. */
function checkReferences(
  instances: readonly SimulatedInstance[],
  stored: ReadonlySet<string>,
  chain: ReadonlyMap<ChangesetHash, Changeset>,
  harm: Harm,
): void {
  const [first] = instances as [SimulatedInstance]
  for (let after: string | undefined; ; ) {
    const page = first.index.trees.remotePage({ limit: 500, ...(after === undefined ? {} : { after }) })
    for (const { state } of page)
      if (state.hash !== null && !stored.has(state.hash))
        broken('S9', `the content of ${state.path} (${state.hash.slice(0, 8)}) is not in the store`)
    after = page.at(-1)?.state.path
    if (page.length < 500) break
  }
  for (const { id, aspect, candidates } of first.index.conflicts.page({ limit: 1_000 }))
    for (const side of candidates)
      if (aspect === 'content' && !stored.has(side.hash))
        broken('S9', `a candidate of conflict ${id} is not in the store`)
  if (harm.rolledBack) return
  for (const changeset of chain.values())
    for (const operation of changeset.operations)
      if (operation.kind === 'object' && !stored.has(operation.hash))
        broken(
          'S9',
          `version ${changeset.point.version} names the content ${operation.hash.slice(0, 8)}, which is not there`,
        )
}

/** No silent winner: what nobody gave up knowingly stands in a file, or in an open conflict. */
function checkVisible(
  outcome: Outcome,
  live: ReadonlyMap<string, string[]>,
  candidates: readonly string[],
  gone: ReadonlySet<string>,
  chain: ReadonlyMap<ChangesetHash, Changeset>,
): void {
  const { history, instances } = outcome
  const policies = new Set(instances.map(({ settings }) => settings.policy))
  if (policies.has('local') || policies.has('remote') || policies.has('newest')) return
  const visible = new Set([...live.keys()].flatMap((text) => [...marksOf(text)]))
  for (const hash of candidates) for (const mark of marksOf(history.textOf(hash) ?? '')) visible.add(mark)
  // Between a pull and a power cut, what shows the time of the pull cannot be told from what the cut left of it. It is
  // told, and in the trash.
  for (const instance of outcome.all) {
    if (!instance.events.some(({ data }) => data['rule'] === 'torn')) continue
    for (const text of keptTexts(instance))
      if (history.wasSetBack(instance.name, text)) for (const mark of marksOf(text)) visible.add(mark)
  }
  const committed = new Set<string>()
  if (gone.size > 0) {
    for (const { operations } of chain.values())
      for (const operation of operations)
        if (operation.kind === 'object')
          for (const mark of marksOf(history.textOf(operation.hash) ?? '')) committed.add(mark)
  }
  for (const [mark, writers] of history.marks) {
    if (history.droppedMarks.has(mark) || visible.has(mark)) continue
    if ([...writers].some((writer) => gone.has(writer)) && !committed.has(mark)) continue
    broken('S11', `the edit ${mark} is in no file and no open conflict, and nobody gave it up`)
  }
}

/** What was deleted stays so, unless somebody had a reason that was told. */
function checkDeleted(
  outcome: Outcome,
  live: ReadonlyMap<string, string[]>,
  candidates: ReadonlySet<string>,
): void {
  const { history, harm, all, instances } = outcome
  if (harm.adopted || harm.rolledBack || all.some(({ hasOldState, isGone }) => hasOldState || isGone)) return
  const anew = new Set(all.filter(({ lostState }) => lostState).map(({ name }) => name))
  const rescued = new Set(
    all.flatMap(({ events }) =>
      events.filter(({ type }) => type === 'file.rescued').map(({ data }) => String(data['path'])),
    ),
  )
  const restored = new Set(
    all.flatMap(({ name, events }) =>
      events
        .filter(({ type, data }) => type === 'file.rescued' && data['rule'] === 'R6-edit-wins-restore')
        .map(({ data }) => `${name} ${data['fileId']}`),
    ),
  )
  for (const [text, places] of live) {
    const entry = history.texts.get(text)
    if (entry === undefined || entry.puts !== 1 || entry.chosen || entry.givenUp.length === 0) continue
    const paths = [
      ...entry.givenUp.map(({ path }) => path),
      ...places.map((place) => place.split(':')[1] as string),
    ]
    if (paths.some((path) => rescued.has(path))) continue
    // It came back under the name that was committed, and was renamed since: the file is known by its id.
    const ids = places.flatMap((place) => fileAt(instances, place))
    const isRestored = (by: string) => ids.some((id) => restored.has(`${by} ${id}`))
    if (entry.givenUp.every(({ by, how }) => how === 'deleted' && isRestored(by))) continue
    if (entry.givenUp.some(({ isUnseen }) => isUnseen)) continue
    // Of two commits that follow one, the first is seen, counts as lost, and wins after all: its own edits meet it.
    if (harm.forked && candidates.has(entry.hash)) continue
    // Whoever joins anew knows of a deletion what the store tells: a path, and the content that went. Where somebody
    // has made another file at that path since, the two are in conflict.
    if (anew.size > 0) {
      if (candidates.has(entry.hash)) continue
      const [act, ...more] = entry.givenUp
      if (entry.moved || act === undefined || more.length > 0 || act.how !== 'deleted' || anew.has(act.by))
        continue
      if (places.some((place) => place.split(':')[1] !== act.path)) continue
    }
    // Where a file was moved and replaced in one go, its old text goes on as another file: somebody put it there.
    if (entry.moved && entry.givenUp.every(({ how }) => how === 'edited')) continue
    // Moved into a folder that cannot be read, a file is missed where it was, and cannot be found: it counts as deleted
    // until it comes to light, as another file.
    if (entry.moved && entry.hidden) continue
    // The same text was saved on several instances: whose edit it is of cannot be told.
    if (entry.givenUp.some(({ text: next }) => next !== null && (history.texts.get(next)?.puts ?? 0) > 1))
      continue
    const how = entry.givenUp.map(({ by, how, path }) => `${how} by ${by} at ${path}`).join(', ')
    broken('S5', `${describe(text)} was ${how}, and stands again at ${places.join(', ')}`)
  }
}

/** The id of the file at a place, which names an instance and a path. */
function fileAt(instances: readonly SimulatedInstance[], place: string): FileId[] {
  const [name, path] = place.split(':') as [string, string]
  const row = instances.find((instance) => instance.name === name)?.index.trees.localAt(path)
  return row === undefined || row === null ? [] : [row.id]
}

function describe(text: string): string {
  return `the text ${[...marksOf(text)].join(' ')}`
}
