/** Measures what a WebDAV server does, in a scratch folder of its own, and tells it as plain values. */
import type { Clock, Random } from '../../model/clock.ts'
import { DavitError, isDavitError } from '../../model/errors.ts'
import { probeAttemptsMax, probeMs } from '../../model/limits.ts'
import { probeFolder, tokenBytes } from '../layout.ts'
import { nearestFolder } from '../list-collection.ts'
import type { Traffic } from '../remote.ts'
import { requestUrl, type Transport } from '../transport.ts'
import { withRetry } from '../with-retry.ts'
import { probeBasics } from './basics.ts'
import { ask, createNotes, list, type ProbeContext } from './client.ts'
import { type ProbeEffort, usualEffort } from './effort.ts'
import type { PlaceFacts, ServerFacts } from './facts.ts'
import { type LargestUpload, probeLimits } from './limits.ts'
import { probeListing } from './listing.ts'
import { probeMoves } from './moves.ts'
import { probeNames } from './names.ts'
import { probePace } from './pace.ts'
import { probeRename } from './rename-race.ts'
import { makeScratch, type ProbeOwner, removeAbandoned, removeFolder } from './scratch.ts'
import { probeUploads } from './uploads.ts'
import { probeVisibility } from './visibility.ts'

export interface ProbeOptions {
  /**
   * A new client over the folder so many levels above the store's root (0: the root itself), with connections of its
   * own and without retries: what the server says is what is measured. Closed when the probe is over.
   */
  readonly connect: (above: number) => Transport
  readonly clock: Clock
  readonly random: Random
  readonly owner: ProbeOwner
  readonly effort?: Partial<ProbeEffort>
  /** Ends the probe early; the scratch folder is removed all the same. */
  readonly signal?: AbortSignal
  readonly onProgress?: (name: ProbeName, done: number, total: number) => void
}

export interface ProbeReport {
  readonly facts: ServerFacts
  /** The scratch folder, where it could not be removed. */
  readonly left: string | null
  /** Scratch folders of earlier probes that were removed. */
  readonly cleaned: number
  readonly traffic: Traffic
}

export type ProbeName = Exclude<keyof ServerFacts, 'place' | 'traffic' | 'failures'>

const probeOrder: readonly ProbeName[] = [
  'basics',
  'moves',
  'listing',
  'rename',
  'visibility',
  'uploads',
  'names',
  'limits',
  'pace',
]

/**
 * Rejects when the server cannot be reached, refuses the user, or lets nobody make a folder; with the signal's reason
 * when that is aborted. What single probes stumble over is in `failures`.
 */
export async function probeServer(options: ProbeOptions): Promise<ProbeReport> {
  const effort = { ...usualEffort, ...options.effort }
  const clients: Transport[] = []
  const limit = new AbortController()
  const over = new AbortController()
  void options.clock.sleep(probeMs, over.signal).then(
    () => limit.abort(tooLong()),
    () => undefined,
  )
  const signal = options.signal === undefined ? limit.signal : AbortSignal.any([options.signal, limit.signal])
  try {
    const above = await findFolder(options, clients, signal)
    for (let index = 0; index < Math.max(2, effort.clients); index++) clients.push(options.connect(above))
    return await probeFrom(above, clients, effort, signal, options)
  } finally {
    over.abort()
    for (const client of clients) await client.close()
  }
}

/** How far above the store's root the first folder is that the server shows plainly. */
async function findFolder(options: ProbeOptions, clients: Transport[], signal: AbortSignal): Promise<number> {
  const { clock, random } = options
  const transport = options.connect(0)
  clients.push(transport)
  const patient = withRetry(transport, {
    attempts: probeAttemptsMax,
    baseMs: 200,
    maxMs: 2_000,
    clock,
    random,
  })
  const context = { transport: patient, clock, random, onNotice: () => {}, onFork: () => {} }
  const above = await nearestFolder(context, signal)
  if (above !== null) return above
  throw new DavitError('remote-missing', `no folder answers at ${transport.url}, nor above it`, {
    action: 'ask',
    hint: 'Check that the URL is that of a WebDAV folder and that no login page or proxy answers in its place.',
  })
}

async function probeFrom(
  above: number,
  all: readonly Transport[],
  effort: ProbeEffort,
  signal: AbortSignal,
  options: ProbeOptions,
): Promise<ProbeReport> {
  const { clock, random, owner } = options
  // The first one is that of the store's root: only the others look from where it is measured.
  const clients = all.slice(1)
  const notes = createNotes()
  const atRoot: ProbeContext = { clients, folder: '', clock, random, effort, notes, signal }
  const { place, now } = await probePlace(atRoot, above)
  const context = { ...atRoot, folder: probeFolder(owner.tag, now, random.hex(tokenBytes)) }
  let left: string | null = null
  let cleaned = 0
  let facts: ServerFacts
  try {
    await makeScratch(context)
    facts = await probeAll(context, place, options)
    cleaned = await removeAbandoned(context, owner, now)
  } finally {
    // Also after an abort, which may have cut the very request that made it: with a signal that nobody aborts. Every
    // request has its own time limit.
    const patient = { ...context, signal: new AbortController().signal }
    if (!(await removeFolder(patient, context.folder)))
      left = requestUrl(clients[0] as Transport, { name: context.folder })
  }
  signal.throwIfAborted()
  return { facts, left, cleaned, traffic: totalTraffic(all) }
}

async function probePlace(
  context: ProbeContext,
  above: number,
): Promise<{ readonly place: PlaceFacts; readonly now: number }> {
  const { clock } = context
  const before = clock.now()
  const { headers } = await list(context, '')
  const after = clock.now()
  const date = Date.parse(headers['date'] ?? '')
  // The header has whole seconds: on average half a one is lost.
  const clockSkewMs = Number.isNaN(date) ? null : Math.round(date + 500 - (before + after) / 2)
  const place = {
    storeIsThere: above === 0,
    measuredIn: (context.clients[0] as Transport).url,
    clockSkewMs,
    software: headers['server'] ?? null,
  }
  return { place, now: Number.isNaN(date) ? after : date }
}

async function probeAll(
  context: ProbeContext,
  place: PlaceFacts,
  options: ProbeOptions,
): Promise<ServerFacts> {
  const failures: Record<string, string> = {}
  let done = 0

  async function run<T>(name: ProbeName, probe: (own: ProbeContext) => Promise<T>): Promise<T | null> {
    options.onProgress?.(name, done++, probeOrder.length)
    try {
      const folder = `${context.folder}${name}/`
      await ask(context, { method: 'MKCOL', name: folder })
      return await probe({ ...context, folder })
    } catch (error) {
      context.signal.throwIfAborted()
      // An answer that cannot be worked with says something about this probe; a server that is away says nothing.
      if (!isDavitError(error) || error.code === 'remote-unreachable') throw error
      failures[name] = error.message
      return null
    }
  }

  const basics = await run('basics', probeBasics)
  const moves = await run('moves', probeMoves)
  const form = moves?.absoluteDestination === false && moves.pathDestination ? 'path' : 'absolute'
  const listing = await run('listing', probeListing)
  const rename = await run('rename', (own) => probeRename(own, form))
  const visibility = await run('visibility', (own) => probeVisibility(own, form))
  const uploads = await run('uploads', probeUploads)
  const names = await run('names', probeNames)
  let largest: LargestUpload | null = null
  const limits = await run('limits', async (own) => {
    const found = await probeLimits(own)
    largest = found.largest
    return found.limits
  })
  const pace = await run('pace', (own) => probePace(own, form, largest))
  const traffic = context.notes.facts()
  return {
    place,
    basics,
    moves,
    listing,
    rename,
    visibility,
    uploads,
    names,
    limits,
    pace,
    traffic,
    failures,
  }
}

function totalTraffic(clients: readonly Transport[]): Traffic {
  const byMethod: Record<string, number> = {}
  const total = { requests: 0, bytesSent: 0, bytesReceived: 0 }
  for (const client of clients) {
    const traffic = client.traffic()
    total.requests += traffic.requests
    total.bytesSent += traffic.bytesSent
    total.bytesReceived += traffic.bytesReceived
    for (const [method, count] of Object.entries(traffic.byMethod))
      byMethod[method] = (byMethod[method] ?? 0) + count
  }
  return { ...total, byMethod }
}

function tooLong(): DavitError {
  return new DavitError('remote-unreachable', `probing took longer than ${probeMs / 60_000} minutes`, {
    action: 'retry',
    hint: 'The server is very slow, or asks for long pauses. Try again later.',
  })
}
