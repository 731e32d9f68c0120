/**
 * One writer's process: a whole run of the real engine (scan, pull, plan, push, commit, maintenance) over the real
 * database, which stops at each request that another writer could notice or that could notice another writer, and
 * goes on with the answer that it is given. Time and chance are functions of where it began, so that what it does is
 * a function of the answers alone.
 *
 * Requests that nobody can notice are answered at once, as part of the step before: uploads under names that nobody
 * else knows yet, reads of objects that never change, folders that are there already.
 */
import { createHash } from 'node:crypto'
import type { ChainPoint } from '../../src/model/changeset.ts'
import type { Random } from '../../src/model/clock.ts'
import { DavitError, isDavitError } from '../../src/model/errors.ts'
import type { EventDraft } from '../../src/model/event.ts'
import { lockLeaseMs } from '../../src/model/limits.ts'
import { textMerger } from '../../src/reconcile/merge-text.ts'
import type { HeldLock, Remote } from '../../src/remote/remote.ts'
import type { Transport, TransportRequest, TransportResponse } from '../../src/remote/transport.ts'
import { openWebdavRemote } from '../../src/remote/webdav-remote.ts'
import type { SyncContext } from '../../src/sync/context.ts'
import { executeRun } from '../../src/sync/execute-run.ts'
import { RunState } from '../../src/sync/run-state.ts'
import { answerOf, bodyOf, multistatus } from '../support/memory-dav.ts'
import type { ChangesetBook } from './changeset-book.ts'
import type { DurableState, DurableStates } from './durable-states.ts'
import { createFolderDisk } from './folder-disk.ts'
import { type Answer, headBytes, type StepRequest } from './store.ts'

/** Where a process begins. What it does follows from this and from the answers that it gets. */
export interface Beginning {
  /** 0, 1, … */
  readonly writer: number
  readonly durable: DurableState
  /** Crashes and losses of state so far: what is drawn at random is never drawn again. */
  readonly life: number
  /** Losses of the state folder so far: each makes it another instance. */
  readonly identity: number
  /** Asks for the known head instead of listing `version/`: a poll rather than a start. */
  readonly polls: boolean
}

export type Told =
  | { readonly kind: 'acknowledged'; readonly point: ChainPoint }
  | { readonly kind: 'conflict' }
  | { readonly kind: 'fork' }

/** What a process did between an answer and its next request. */
export interface Segment {
  readonly stop:
    | { readonly kind: 'request'; readonly request: StepRequest }
    | { readonly kind: 'ended'; readonly error: DavitError | null }
  /** What a crash since the answer may have left behind, in order; the last is what stands now. */
  readonly durables: readonly DurableState[]
  readonly told: readonly Told[]
}

export interface Ground {
  readonly book: ChangesetBook
  readonly durables: DurableStates
  /** Changesets are uploaded and read step by step. */
  readonly followsObjects: boolean
  /** May create the store. */
  readonly creates: boolean
  /** Works under the maintenance lock, in which every step is followed. */
  readonly takesTurns: boolean
}

export interface WriterProcess {
  readonly first: Promise<Segment>
  answer(answer: Answer): Promise<Segment>
  /** As a power cut does it: nothing of it runs on. */
  kill(): void
}

export const letterOf = (writer: number): string => String.fromCharCode(65 + writer)

/** Requests and pauses without a step in between, beyond which a process is taken to go in circles. */
const quietRequestsMax = 2_000

export function startWriter(ground: Ground, beginning: Beginning): WriterProcess {
  const { writer, identity } = beginning
  const id = `01900000-0000-7000-8000-${String(identity).padStart(4, '0')}0000000${writer + 1}`
  const watched = ground.durables.open(beginning.durable, () => id)
  const random = randomOf(beginning)
  let segment: { durables: DurableState[]; told: Told[] } = { durables: [], told: [] }
  let current = beginning.durable
  let parked: { readonly request: TransportRequest; readonly settle: (answer: Answer) => void } | null = null
  let quiet = 0
  let isKilled = false
  let report: (segment: Segment) => void = () => {}

  function note(): void {
    const state = watched.keep(disk.folders())
    if (state === current) return
    current = state
    segment.durables.push(state)
  }

  const disk = createFolderDisk(beginning.durable.folders, note)
  const database = watching(watched.database, () => {
    if (watched.hasChanged()) note()
  })

  function stopAt(stop: Segment['stop']): void {
    const { told } = segment
    const durables = segment.durables.length === 0 ? [current] : segment.durables
    segment = { durables: [], told: [] }
    quiet = 0
    report({ stop, durables, told })
  }

  function tick(): void {
    quiet += 1
    if (quiet > quietRequestsMax) throw new Error('a writer goes in circles without asking for anything')
  }

  const transport: Transport = {
    url: 'http://dav.test/store/',
    foldersAbove: 1,
    traffic: () => ({ requests: 0, bytesSent: 0, bytesReceived: 0, byMethod: {} }),
    close: async () => {},
    async request(request) {
      request.signal?.throwIfAborted()
      tick()
      if (!isStep(ground, request)) return answerAtOnce(ground.book, request)
      if (parked !== null) throw new Error('a writer has two steps under way')
      if (isKilled) return new Promise(() => {})
      const answer = await new Promise<Answer>((settle) => {
        parked = { request, settle }
        stopAt({ kind: 'request', request: stepOf(request) })
      })
      return responseOf(ground.book, request, answer)
    },
  }
  let slept = 0
  const clock = {
    now: () => Date.UTC(2026, 0, 2),
    monotonic: () => slept,
    async sleep(ms: number) {
      tick()
      // A pause may last as long as any lease.
      slept += ground.takesTurns ? Math.max(ms, lockLeaseMs) : ms
    },
  }
  const remote = withNotes(
    openWebdavRemote({
      transport,
      clock,
      random,
      instance: () => ({ id, name: letterOf(writer) }),
      readAhead: 1,
      onFork: () => void segment.told.push({ kind: 'fork' }),
    }),
    { ground, beginning, tell: (told) => void segment.told.push(told) },
  )
  const emit = (event: EventDraft): void => {
    if (event.type === 'conflict.detected') segment.told.push({ kind: 'conflict' })
    if (event.type === 'remote.fork') segment.told.push({ kind: 'fork' })
  }
  const context: SyncContext = {
    workspace: disk.workspace,
    remote,
    database,
    clock,
    random,
    merger: textMerger,
    instance: () => ({ id, name: letterOf(writer), incarnation: `life ${identity}` }),
    settings: {
      batch: 100,
      concurrency: 1,
      maxDelete: { fraction: 0.5, atLeast: 10 },
      policyFor: () => 'manual',
      checkpointBytesMin: Number.POSITIVE_INFINITY,
      durableFilesMax: 64,
      retry: { attempts: 1, baseMs: 1, maxMs: 1 },
    },
    emit,
    emitAll: (events) => events.forEach(emit),
  }

  function next(act: () => void): Promise<Segment> {
    return new Promise((resolve) => {
      report = resolve
      act()
    })
  }

  async function work(): Promise<void> {
    let error: unknown = null
    let turn: HeldLock | null = null
    try {
      if (ground.takesTurns) turn = await remote.acquireLock({ wait: true })
      await executeRun(context, runState(context), {
        scan: { kind: 'everything' },
        list: !beginning.polls,
        create: ground.creates,
        dryRun: false,
        isBusy: false,
        pause: async () => {},
        onGaveWay: () => {},
        onOthers: () => {},
        onScanned: () => {},
        onListed: () => {},
        onCommitted: () => {},
      })
      await turn?.release()
    } catch (thrown) {
      error = thrown
    }
    if (isKilled) return
    if (error !== null && !isDavitError(error)) {
      error = new DavitError('internal', String((error as Error).stack ?? error), { action: 'give-up' })
    }
    stopAt({ kind: 'ended', error: error as DavitError | null })
  }

  return {
    first: next(() => void work()),
    answer(answer) {
      if (parked === null) throw new Error('the process waits for no answer')
      const { settle } = parked
      parked = null
      return next(() => settle(answer))
    },
    kill() {
      isKilled = true
      watched.close()
    },
  }
}

function runState(context: SyncContext): RunState {
  return new RunState(context, {
    runId: context.random.uuid(),
    kind: 'incremental',
    trigger: 'start',
    force: false,
    paths: null,
    signal: new AbortController().signal,
    quiet: true,
  })
}

/** Only what happens in `version/` is decided by its order; the folder itself is there. */
function isStep(ground: Ground, { method, name }: TransportRequest): boolean {
  if (method === 'MKCOL') return false
  if (name.startsWith('lock/')) return ground.takesTurns
  return name.startsWith('version/') || (ground.followsObjects && name.startsWith('changes/'))
}

function stepOf({ method, name, destination }: TransportRequest): StepRequest {
  if (method === 'MKCOL' || method === 'COPY') throw new Error(`${method} is no step`)
  return { method, name, ...(destination === undefined ? {} : { target: destination }) }
}

async function responseOf(
  book: ChangesetBook,
  request: TransportRequest,
  answer: Answer,
): Promise<TransportResponse> {
  switch (answer.kind) {
    case 'none':
      throw new DavitError('remote-unreachable', 'no answer came', { action: 'retry' })
    case 'names':
      return listing(request.name, answer.names)
    case 'status': {
      const isHead = answer.status === 200 && request.name.startsWith('version/')
      const headers: Record<string, string> = isHead ? { 'content-length': String(headBytes.length) } : {}
      return answerOf(answer.status, headers, isHead && request.method === 'GET' ? headBytes : '')
    }
    case 'body': {
      const bytes = book.named(request.name)?.changeset.bytes
      if (bytes === undefined) throw new Error(`nobody ever wrote ${request.name}`)
      return answerOf(200, {}, answer.torn ? bytes.subarray(0, bytes.length / 2) : bytes)
    }
  }
}

function listing(folder: string, names: readonly string[]): TransportResponse {
  const hrefs = [
    [`/store/${folder}`, true] as const,
    ...names.map((name) => [`/store/${name}`, false] as const),
  ]
  return answerOf(207, { 'content-type': 'application/xml' }, multistatus(hrefs))
}

async function answerAtOnce(book: ChangesetBook, request: TransportRequest): Promise<TransportResponse> {
  const { method, name } = request
  switch (method) {
    case 'PROPFIND':
      return listing(name, name === 'lock/' ? ['lock/free'] : [])
    case 'MKCOL':
      return answerOf(405)
    case 'PUT':
      await bodyOf(request)
      return answerOf(201)
    case 'GET':
    case 'HEAD': {
      const bytes = book.named(name)?.changeset.bytes
      return bytes === undefined ? answerOf(404) : answerOf(200, {}, bytes)
    }
    case 'DELETE':
      return answerOf(204)
    case 'MOVE':
    case 'COPY':
      throw new Error(`${method} ${name} has no part in the model`)
  }
}

/** Tells what was acknowledged; writes every changeset into the book; makes nonces that depend on that alone. */
function withNotes(
  remote: Remote,
  { ground, beginning, tell }: { ground: Ground; beginning: Beginning; tell: (told: Told) => void },
): Remote {
  const { book } = ground
  const own = new Set<string>()
  const made = new Map<string, number>()
  const noting: Pick<Remote, 'encodeChangeset' | 'commit'> = {
    encodeChangeset(header, operations) {
      const { nonce: _, ...rest } = header
      const same = `${beginning.writer} ${beginning.life} ${JSON.stringify([rest, operations])}`
      // What is made again after a doubtful upload has another nonce, and so another name.
      const number = (made.get(same) ?? 0) + 1
      made.set(same, number)
      const seed = number === 1 ? same : `${same} ${number}`
      const nonce = createHash('sha256').update(seed).digest('hex').slice(0, 32)
      const encoded = remote.encodeChangeset({ ...header, nonce }, operations)
      if (own.has(encoded.point.hash)) book.repeated += 1
      own.add(encoded.point.hash)
      book.add(letterOf(beginning.writer), remote.decodeChangeset(encoded.point, encoded.bytes))
      return encoded
    },
    async commit(parent, point, signal) {
      const outcome = await remote.commit(parent, point, signal)
      if (outcome.kind === 'won') tell({ kind: 'acknowledged', point })
      return outcome
    },
  }
  return Object.assign(Object.create(remote) as Remote, noting)
}

function randomOf({ writer, life, identity, durable }: Beginning): Random {
  let count = 0
  const hex = (bytes: number) => {
    count += 1
    return createHash('sha512')
      .update(`${writer} ${life} ${identity} ${durable.key} ${count}`)
      .digest('hex')
      .slice(0, 2 * bytes)
  }
  return {
    hex,
    fraction: () => 0.5,
    uuid() {
      const digits = hex(16)
      return `${digits.slice(0, 8)}-${digits.slice(8, 12)}-7${digits.slice(13, 16)}-8${digits.slice(17, 20)}-${digits.slice(20, 32)}`
    },
  }
}

/** Calls back after every outermost call, at any depth of the port: there a crash finds what was committed. */
function watching<T extends object>(port: T, afterCall: () => void): T {
  let depth = 0
  const wrap = <U extends object>(target: U): U => {
    const wrapped = new Map<PropertyKey, unknown>()
    return new Proxy(target, {
      get(_, key) {
        const known = wrapped.get(key)
        if (known !== undefined) return known
        const value = Reflect.get(target, key) as unknown
        let made = value
        if (typeof value === 'function') {
          made = (...args: unknown[]) => {
            depth += 1
            try {
              return (value as (...given: unknown[]) => unknown).apply(target, args)
            } finally {
              depth -= 1
              if (depth === 0) afterCall()
            }
          }
        } else if (typeof value === 'object' && value !== null) made = wrap(value)
        wrapped.set(key, made)
        return made
      },
    })
  }
  return wrap(port)
}
