/**
 * What the simulated server does with a request that has arrived, by its profile. Each verb is a generator: it yields
 * where time passes between two instants that others can see, so a driver may let it run, crash it, or leave it there.
 */
import type { Clock, Random } from '../../src/model/clock.ts'
import type { DavMethod } from '../../src/remote/transport.ts'
import { type Answer, answer, type ListedName, type MaybeAnswer, multistatus } from './answers.ts'
import { type Faults, pick } from './faults.ts'
import type { ServerProfile } from './profiles.ts'
import { below, type FileNode, nameOf, parentOf, type Tree, type TreeNode } from './tree.ts'

/** One change in the store, told at its instant. Names are below the root. */
export interface Effect {
  readonly kind: 'written' | 'removed' | 'renamed' | 'made'
  readonly method: DavMethod
  readonly client: string
  readonly name: string
  /** Of `renamed`. */
  readonly target: string | null
  /** Of `written` and `renamed`. */
  readonly bytes: Uint8Array | null
  /** `false`: a torso. */
  readonly isWhole: boolean
  readonly atMs: number
}

/** What chance adds to one execution. */
export interface Chance {
  /** How long the body takes. */
  readonly uploadMs: number
  /** Between the test and the effect. */
  readonly effectMs: number
  /** Between the two halves of a listing. */
  readonly slidingMs: number
  readonly isReordered: boolean
  readonly failsEntry: boolean
  /** An upload is answered and not kept. */
  readonly losesWrite: boolean
}

export const noChance: Chance = {
  uploadMs: 0,
  effectMs: 0,
  slidingMs: 0,
  isReordered: false,
  failsEntry: false,
  losesWrite: false,
}

export interface ServerRequest {
  readonly client: string
  readonly method: DavMethod
  /** Absolute, without slashes at its ends. */
  readonly path: string
  readonly hasSlash: boolean
  readonly target: string | null
  readonly destinationForm: 'absolute' | 'path'
  readonly overwrite: boolean
  readonly depth: '0' | '1'
  readonly headers: Readonly<Record<string, string>>
  /** As far as it was received. */
  readonly body: Uint8Array
  /** Whether the body arrived to its end. */
  readonly isWhole: boolean
  readonly chance: Chance
}

export interface ServerState {
  readonly profile: ServerProfile
  readonly tree: Tree
  readonly clock: Clock
  readonly random: Random
  readonly faults: Faults
  /** Paths of writes under way, where the server locks them. */
  readonly busy: Set<string>
  readonly count: (what: string) => void
  readonly tell: (request: ServerRequest, change: Change) => void
}

export type Change = Pick<Effect, 'kind'> & {
  readonly path: string
  readonly target?: string
  readonly bytes?: Uint8Array
  readonly isWhole?: boolean
}

export interface Pause {
  readonly ms: number
  /** Bytes flow meanwhile, so no client gives up. */
  readonly isMoving: boolean
}

export type Execution = Generator<Pause, MaybeAnswer, void>

/** A reader of a blocked name waits longer than anybody's timeout. */
const blockedMs = 120_000

export function* execute(state: ServerState, request: ServerRequest): Execution {
  switch (request.method) {
    case 'GET':
    case 'HEAD':
      return yield* get(state, request)
    case 'PROPFIND':
      return yield* propfind(state, request)
    case 'PUT':
      return yield* locked(state, request, put)
    case 'MKCOL':
      return yield* locked(state, request, mkcol)
    case 'DELETE':
      return yield* locked(state, request, remove)
    case 'MOVE':
      return yield* locked(state, request, move)
    case 'COPY':
      return yield* locked(state, request, copy)
  }
}

type Verb = (state: ServerState, request: ServerRequest) => Execution

function* locked(state: ServerState, request: ServerRequest, verb: Verb): Execution {
  if (!state.profile.locksWhileWriting) return yield* verb(state, request)
  const paths = request.target === null ? [request.path] : [request.path, request.target]
  if (paths.some((path) => state.busy.has(path))) {
    state.count('busy name')
    return answer(423)
  }
  for (const path of paths) state.busy.add(path)
  try {
    return yield* verb(state, request)
  } finally {
    for (const path of paths) state.busy.delete(path)
  }
}

/** The time between a test and its effect, where this server has one or chance adds it. */
function* work({ profile, random }: ServerState, { chance }: ServerRequest): Generator<Pause, void, void> {
  const own = profile.workMs === 0 ? 0 : Math.ceil(profile.workMs * random.fraction())
  const ms = own + chance.effectMs
  if (ms > 0) yield { ms, isMoving: false }
}

function now({ clock, faults }: ServerState): number {
  return clock.now() + faults.dateSkewMs
}

// Reading

function* get(state: ServerState, request: ServerRequest): Execution {
  const { profile, tree, busy } = state
  const { path } = request
  if (profile.put.newName === 'blocked' && busy.has(path)) yield { ms: blockedMs, isMoving: false }
  const node = tree.find(path)
  if (node === null) return answer(404)
  if (node.kind === 'folder') return answer(profile.get.onCollection)
  const headers: Record<string, string> = {}
  const { headLength, lastModified, ranges, beyondEnd } = profile.get
  if (lastModified) headers['last-modified'] = new Date(node.modifiedMs).toUTCString()
  const tag = etagOf(state, node)
  if (tag !== null) headers['etag'] = tag
  const size = node.bytes.length
  const isHead = request.method === 'HEAD'
  const range = ranges && !isHead ? rangeOf(request.headers['range'], size) : null
  if (range === 'beyond' && beyondEnd === 416)
    return answer(416, { ...headers, 'content-range': `bytes */${size}` })
  if (range !== null) {
    const part = range === 'beyond' ? node.bytes.subarray(size) : node.bytes.subarray(range[0], range[1])
    const [from, to] = range === 'beyond' ? [size, size] : range
    headers['content-range'] = `bytes ${from}-${to - 1}/${size}`
    headers['content-length'] = String(part.length)
    return answer(206, headers, part)
  }
  if (!isHead || headLength) headers['content-length'] = String(size)
  return answer(200, headers, isHead ? undefined : node.bytes)
}

/** From (inclusive) and to (exclusive). */
function rangeOf(header: string | undefined, size: number): readonly [number, number] | 'beyond' | null {
  const parts = /^bytes=(\d*)-(\d*)$/.exec(header ?? '')
  if (parts === null) return null
  const [, first = '', last = ''] = parts
  if (first === '' && last === '') return null
  if (first === '') return [Math.max(0, size - Number(last)), size]
  if (Number(first) >= size) return 'beyond'
  return [Number(first), last === '' ? size : Math.min(size, Number(last) + 1)]
}

function etagOf(state: ServerState, node: FileNode): string | null {
  const size = node.bytes.length.toString(16)
  switch (state.profile.get.etag) {
    case 'none':
      return null
    case 'strong':
      return `"${size}-${node.serial.toString(16)}-${Math.round(node.modifiedMs).toString(16)}"`
    case 'seconds':
      return `"${size}-${Math.floor(node.modifiedMs / 1000).toString(16)}"`
    case 'weak-first': {
      const tag = `"${size}-${Math.round(node.modifiedMs).toString(16)}"`
      return now(state) - node.modifiedMs < 2_000 ? `W/${tag}` : tag
    }
  }
}

function* propfind(state: ServerState, request: ServerRequest): Execution {
  const { profile, tree, random } = state
  const { path, depth, chance } = request
  const node = tree.find(path)
  if (node === null) return answer(404)
  let names: string[] = []
  if (node.kind === 'folder' && depth === '1') {
    names = [...node.children.keys()]
    if (chance.slidingMs > 0) {
      // Names up to one of them are read at one instant, those after it at another.
      const pivot = names.length === 0 ? '' : pick(random, names)
      const isAscending = random.fraction() < 0.5
      const early = (name: string) => name <= pivot === isAscending
      names = names.filter(early)
      yield { ms: chance.slidingMs, isMoving: true }
      const later = tree.folder(path)
      if (later === null) return answer(404)
      for (const name of later.children.keys()) if (!early(name)) names.push(name)
    }
    if (profile.listing.hidesDotNames) names = names.filter((name) => !name.startsWith('.'))
  }
  const listsOwn =
    depth === '0' ||
    node.kind === 'file' ||
    profile.listing.own === 'always' ||
    (profile.listing.own === 'when-empty' && names.length === 0)
  const entries: ListedName[] = names.map((name) => {
    const full = below(path, name)
    return { path: full, isFolder: tree.find(full)?.kind === 'folder', failure: null }
  })
  if (chance.isReordered) shuffle(entries, state.random)
  if (chance.failsEntry && entries.length > 0) {
    const index = Math.floor(random.fraction() * entries.length)
    entries[index] = { ...(entries[index] as ListedName), failure: pick(random, [403, 404, 423, 500]) }
  }
  if (listsOwn)
    entries.splice(chance.isReordered ? entries.length : 0, 0, {
      path,
      isFolder: node.kind === 'folder',
      failure: null,
    })
  return multistatus(entries, profile.listing)
}

function shuffle(entries: ListedName[], random: Random): void {
  for (let index = entries.length - 1; index > 0; index--) {
    const other = Math.floor(random.fraction() * (index + 1))
    const entry = entries[index] as ListedName
    entries[index] = entries[other] as ListedName
    entries[other] = entry
  }
}

// Writing

/** 412 when a condition of the request does not hold. */
function refusedByCondition(state: ServerState, request: ServerRequest): Answer | null {
  const match = request.headers['if-match']
  const noneMatch = request.headers['if-none-match']
  if (match === undefined && noneMatch === undefined) return null
  const node = state.tree.file(request.path)
  const tag = node === null ? null : etagOf(state, node)
  const holds = (header: string) => node !== null && (header === '*' || (header === tag && tag !== null))
  if (match !== undefined && !holds(match)) return answer(412)
  if (noneMatch !== undefined && holds(noneMatch)) return answer(412)
  return null
}

function* put(state: ServerState, request: ServerRequest): Execution {
  const { profile, tree } = state
  const { path, body, chance } = request
  const test = (): Answer | null => refusePut(state, request)
  const refused = test()
  if (refused !== null) return refused
  if (profile.put.conditions !== 'ignored') {
    const condition = refusedByCondition(state, request)
    if (condition !== null) return condition
  }
  const there = tree.file(path)
  const isInPlace = there === null ? profile.put.newName !== 'hidden' : profile.put.existing === 'partial'
  if (chance.losesWrite) {
    yield* upload(state, request, there)
    return written(state, there, null)
  }
  if (isInPlace) return yield* putInPlace(state, request, there)
  yield* upload(state, request, there)
  if (profile.put.conditions === 'racy') yield* work(state, request)
  else if (chance.effectMs > 0) yield { ms: chance.effectMs, isMoving: false }
  if (!request.isWhole && profile.put.cut === 'dropped') return null
  // The folder may have gone and the name may have come meanwhile.
  const refusedLater =
    test() ?? (profile.put.conditions === 'atomic' ? refusedByCondition(state, request) : null)
  if (refusedLater !== null) return refusedLater
  const replaced = tree.file(path)
  if (isFull(state, body.length, replaced)) return answer(507)
  const node = tree.newFile(body, now(state))
  tree.place(path, node)
  state.tell(request, { kind: 'written', path, bytes: body, isWhole: request.isWhole })
  return request.isWhole ? written(state, replaced, node) : null
}

/** Receives the body into a place of its own, which some servers list. */
function* upload(
  state: ServerState,
  { path, chance }: ServerRequest,
  there: FileNode | null,
): Generator<Pause, void, void> {
  if (chance.uploadMs === 0) return
  const { tree } = state
  const temporary = below(parentOf(path), `.goutputstream-${state.random.hex(3)}`)
  const isListed = state.profile.put.listsTemporary && there !== null
  if (isListed) tree.place(temporary, tree.newFile(new Uint8Array(), now(state)))
  try {
    yield { ms: chance.uploadMs, isMoving: true }
  } finally {
    if (isListed) tree.remove(temporary)
  }
}

/** Truncates the file and writes piece by piece where everybody can see it; another writer's pieces mix with these. */
function* putInPlace(state: ServerState, request: ServerRequest, there: FileNode | null): Execution {
  const { tree, profile } = state
  const { path, body, chance } = request
  const node = there ?? tree.newFile(new Uint8Array(), now(state))
  if (there === null) tree.place(path, node)
  const isFullNow = isFull(state, body.length, there)
  if (chance.uploadMs + chance.effectMs === 0 && !isFullNow) node.bytes = body
  else {
    const half = body.length >> 1
    node.bytes = body.subarray(0, half)
    state.tell(request, { kind: 'written', path, bytes: node.bytes, isWhole: false })
    yield { ms: chance.uploadMs + chance.effectMs, isMoving: chance.effectMs === 0 }
    if (isFullNow) return answer(507)
    node.bytes = overlaid(node.bytes, half, body.subarray(half))
  }
  node.modifiedMs = now(state)
  if (!request.isWhole && profile.put.cut === 'dropped') tree.remove(path)
  state.tell(request, { kind: 'written', path, bytes: node.bytes, isWhole: request.isWhole })
  return request.isWhole ? written(state, there, node) : null
}

function overlaid(bytes: Uint8Array, offset: number, piece: Uint8Array): Uint8Array {
  const result = new Uint8Array(Math.max(bytes.length, offset + piece.length))
  result.set(bytes)
  result.set(piece, offset)
  return result
}

function written(state: ServerState, replaced: FileNode | null, node: FileNode | null): Answer {
  const { put } = state.profile
  const tag = put.tellsEtag && node !== null ? etagOf(state, node) : null
  return answer(replaced === null ? put.created : put.replaced, tag === null ? undefined : { etag: tag })
}

function refusePut(state: ServerState, request: ServerRequest): MaybeAnswer {
  const { profile, tree, faults } = state
  const { path, body } = request
  if (request.hasSlash || tree.folder(path) !== null) return answer(profile.put.onCollection)
  if (Buffer.byteLength(nameOf(path)) > profile.nameBytesMax) return answer(500)
  const refused = refuseParent(tree, path, profile.put.missingParent)
  if (refused !== null) return refused
  const bytesMax = Math.min(profile.bodyBytesMax ?? Infinity, faults.bodyBytesMax ?? Infinity)
  if (body.length > bytesMax) {
    state.count('bodyLimit')
    return answer(413)
  }
  return null
}

function refuseParent(tree: Tree, path: string, missing: number | 'made'): Answer | null {
  if (tree.folder(parentOf(path)) !== null) return null
  if (missing !== 'made') return answer(missing)
  return tree.makeFolders(parentOf(path)) === null ? answer(409) : null
}

/** Whether there is no room for so many bytes in the place of what is there. The same again always finds its room. */
function isFull(state: ServerState, bytes: number, replaced: FileNode | null): boolean {
  const { quotaBytes } = state.faults
  const more = bytes - (replaced?.bytes.length ?? 0)
  if (quotaBytes === null || more <= 0 || state.tree.sizeBytes() + more <= quotaBytes) return false
  state.count('quota')
  return true
}

function* mkcol(state: ServerState, request: ServerRequest): Execution {
  const { tree, random } = state
  const { mkcol: rules } = state.profile
  const { path, hasSlash } = request
  const there = tree.find(path)
  if (there?.kind === 'file') return answer(hasSlash ? rules.onFile.withSlash : rules.onFile.withoutSlash)
  if (!hasSlash && rules.withoutSlash !== 201) return answer(rules.withoutSlash)
  if (there !== null) return answer(rules.existing)
  const refused = refuseParent(tree, path, rules.missingParent)
  if (refused !== null) return refused
  yield* work(state, request)
  if (tree.find(path) !== null) return answer(rules.isExclusive ? pick(random, rules.losers) : 201)
  const refusedLater = refuseParent(tree, path, rules.missingParent)
  if (refusedLater !== null) return refusedLater
  tree.makeFolders(path)
  state.tell(request, { kind: 'made', path })
  return answer(201)
}

function* remove(state: ServerState, request: ServerRequest): Execution {
  const { tree, random, profile } = state
  const { delete: rules } = profile
  const { path, hasSlash } = request
  const test = (): MaybeAnswer | 'fine' => {
    const there = tree.find(path)
    if (path === '') return answer(403)
    if (there === null) return rules.missing === 'cut' ? null : answer(rules.missing)
    if (there.kind === 'folder' && !hasSlash && rules.collectionWithoutSlash >= 400)
      return answer(rules.collectionWithoutSlash)
    return (profile.put.conditions === 'ignored' ? null : refusedByCondition(state, request)) ?? 'fine'
  }
  const tested = test()
  if (tested !== 'fine') return tested
  yield* work(state, request)
  if (tree.remove(path) === null) return answer(pick(random, rules.losers))
  state.tell(request, { kind: 'removed', path })
  return answer(rules.done)
}

/** What speaks against a MOVE or COPY at this instant. */
function refuseTransfer(
  { tree, profile }: ServerState,
  request: ServerRequest,
  rules: {
    readonly missingSource: number
    readonly missingParent: number | 'made'
    readonly existing: number | 'ignored'
  },
): Answer | null {
  const target = request.target as string
  const form = profile.destination[request.destinationForm]
  if (form !== 'taken') return answer(form)
  if (tree.find(request.path) === null) return answer(rules.missingSource)
  const refused = refuseParent(tree, target, rules.missingParent)
  if (refused !== null) return refused
  if (tree.find(target) !== null && !request.overwrite && rules.existing !== 'ignored')
    return answer(rules.existing)
  return null
}

function* move(state: ServerState, request: ServerRequest): Execution {
  const { tree, random } = state
  const { move: rules } = state.profile
  const { path } = request
  const target = request.target as string
  const refused = refuseTransfer(state, request, rules)
  if (refused !== null) return refused
  const how = parentOf(path) === parentOf(target) ? rules.how : rules.acrossFolders
  const source = tree.find(path) as TreeNode
  if (how === 'copy' && source.kind === 'file') return yield* moveByCopy(state, request, source)
  yield* work(state, request)
  if (tree.find(path) === null) return answer(pick(random, rules.losers))
  if (rules.overwriteF === 'atomic') {
    const refusedLater = refuseTransfer(state, request, rules)
    if (refusedLater !== null) return refusedLater
  }
  const replaces = tree.find(target) !== null
  if (replaces && rules.replacing === 'gap') {
    tree.remove(target)
    state.tell(request, { kind: 'removed', path: target })
    yield { ms: 1 + request.chance.effectMs, isMoving: false }
  }
  // ORDER: no pause from here on. The rename is one instant, and the source goes once.
  const node = tree.find(path)
  if (node === null) return answer(pick(random, rules.losers))
  if (tree.folder(parentOf(target)) === null) return answer(500)
  tree.remove(path)
  tree.place(target, node)
  state.tell(request, {
    kind: 'renamed',
    path,
    target,
    ...(node.kind === 'file' ? { bytes: node.bytes } : {}),
  })
  return transferred(state, replaces, rules)
}

function* moveByCopy(state: ServerState, request: ServerRequest, source: FileNode): Execution {
  const { tree } = state
  const { move: rules } = state.profile
  const { path } = request
  const target = request.target as string
  yield* work(state, request)
  const replaces = tree.find(target) !== null
  if (tree.folder(parentOf(target)) === null) return answer(500)
  const copied = tree.newFile(source.bytes, now(state))
  tree.place(target, copied)
  if (rules.how === 'rename') {
    // Between folders of one disk: the target grows where readers can see it.
    copied.bytes = source.bytes.subarray(0, source.bytes.length >> 1)
    yield* work(state, request)
    copied.bytes = source.bytes
  }
  state.tell(request, { kind: 'written', path: target, bytes: copied.bytes, isWhole: true })
  for (let step = 0; step < rules.copySteps; step++) yield* work(state, request)
  if (tree.remove(path) !== null) state.tell(request, { kind: 'removed', path })
  return transferred(state, replaces, rules)
}

function* copy(state: ServerState, request: ServerRequest): Execution {
  const { tree } = state
  const { copy: rules } = state.profile
  if (rules === null) return answer(501)
  const refused = refuseTransfer(state, request, rules)
  if (refused !== null) return refused
  yield* work(state, request)
  const source = tree.find(request.path)
  const target = request.target as string
  if (source === null) return answer(rules.missingSource)
  // Folders are not copied by anybody here.
  if (source.kind === 'folder' || tree.folder(parentOf(target)) === null) return answer(409)
  if (isFull(state, source.bytes.length, tree.file(target))) return answer(507)
  const replaces = tree.find(target) !== null
  tree.place(target, tree.newFile(source.bytes, now(state)))
  state.tell(request, { kind: 'written', path: target, bytes: source.bytes, isWhole: true })
  return transferred(state, replaces, rules)
}

function transferred(
  state: ServerState,
  replaces: boolean,
  rules: { readonly created: number; readonly replaced: number },
): MaybeAnswer {
  if (replaces && state.profile.move.cutsWhenReplacing && state.random.fraction() < 0.5) {
    state.count('cut when replacing')
    return null
  }
  return answer(replaces ? rules.replaced : rules.created)
}
