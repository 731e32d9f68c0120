/** What can go wrong between a client and the simulated server, and in the server: each with its own probability. */
import type { Random } from '../../src/model/clock.ts'

interface FaultRule {
  readonly what: string
  /**
   * `inside` the model: with it everything must be safe, and all get through once it ends. `outside`: no protocol over
   * such a server can keep what it promises; damage must be noticed.
   */
  readonly model: 'inside' | 'outside'
  /** The highest probability that a swarm gives it. */
  readonly most: number
}

/** Probabilities are for each request to which the fault can happen. */
export const faultRules = {
  lostRequest: { what: 'the request never arrives', model: 'inside', most: 0.25 },
  lostReply: { what: 'the request has its effect, the answer is lost', model: 'inside', most: 0.25 },
  delay: { what: 'seconds more on the way there and back', model: 'inside', most: 0.5 },
  late: { what: 'the request arrives after the client has given up', model: 'inside', most: 0.2 },
  duplicate: { what: 'a write is executed a second time, any time later', model: 'inside', most: 0.25 },
  slowUpload: { what: 'the body of a PUT takes up to a minute', model: 'inside', most: 0.25 },
  slowEffect: { what: 'up to a minute between the test and the effect', model: 'inside', most: 0.1 },
  cutUpload: { what: 'the connection breaks within the body of a PUT', model: 'inside', most: 0.25 },
  cutRead: { what: 'the connection breaks within the body of an answer', model: 'inside', most: 0.25 },
  shortRead: { what: 'a GET ends early and says nothing', model: 'inside', most: 0.25 },
  staleListing: { what: 'a cache answers with an older listing', model: 'inside', most: 0.1 },
  staleHead: { what: 'a cache answers HEAD with an older 200', model: 'inside', most: 0.25 },
  slidingListing: { what: 'a listing is read while names change', model: 'inside', most: 0.5 },
  reorderedListing: { what: 'a listing in another order', model: 'inside', most: 0.5 },
  cutListing: { what: 'a listing ends in its middle', model: 'inside', most: 0.25 },
  failedEntry: { what: 'one entry of a listing has a status of its own', model: 'inside', most: 0.1 },
  oddStatus: { what: 'a status of any kind instead of the effect', model: 'inside', most: 0.25 },
  falseFailure: { what: 'a 5xx although the effect has happened', model: 'inside', most: 0.25 },
  falseMissing: { what: 'a read of something that is there is 404', model: 'inside', most: 0.05 },
  falseSuccess: { what: 'a MOVE that was not executed is 201', model: 'inside', most: 0.25 },
  unauthorized: { what: '401 for the right password', model: 'inside', most: 0.05 },
  page: { what: '200 with an HTML page, and no effect', model: 'inside', most: 0.1 },
  emptyAnswer: { what: '204 to what is no upload, and no effect', model: 'inside', most: 0.1 },
  redirect: { what: '302 to a login page elsewhere', model: 'inside', most: 0.05 },
  hang: { what: 'no answer at all, until the timeout', model: 'inside', most: 0.1 },
  restart: { what: 'the server dies in the middle of everything', model: 'inside', most: 0.02 },
  outage: { what: 'for a while nobody gets through, in one of several ways', model: 'inside', most: 0.02 },
  lostWrite: { what: 'a PUT is answered with 201 and nothing is kept', model: 'outside', most: 0.05 },
} as const satisfies Readonly<Record<string, FaultRule>>

export type FaultKind = keyof typeof faultRules
export const faultKinds = Object.keys(faultRules) as FaultKind[]

/** States that last until they are changed; `null` and 0: not so. */
export interface ServerStates {
  /** Bytes of all files; what would be beyond is 507. */
  readonly quotaBytes: number | null
  /** Of a request's body; a longer one is 413, or its connection is cut. */
  readonly bodyBytesMax: number | null
  /** By how much the server's Date and times are off. */
  readonly dateSkewMs: number
}

export type Faults = Readonly<Record<FaultKind, number>> & ServerStates

export const noFaults: Faults = {
  ...(Object.fromEntries(faultKinds.map((kind) => [kind, 0])) as Record<FaultKind, number>),
  quotaBytes: null,
  bodyBytesMax: null,
  dateSkewMs: 0,
}

/** 404 is no odd status of a read: see `falseMissing`. */
export const oddStatuses = [400, 403, 404, 405, 409, 413, 423, 429, 500, 502, 503, 504, 507] as const
/** With 429 and 503, as a server may write it; `{date}` becomes a time a few seconds ahead. */
export const retryAfters = [null, '0', '1', '7', '{date}', '99999', 'soon'] as const

export const outageKinds = ['refused', 'busy', 'bad-gateway', 'missing', 'page', 'silent'] as const
export type OutageKind = (typeof outageKinds)[number]

/** How much later a late or repeated request may come. Most come soon. */
export const laterMaxMs = 600_000
export const slowMaxMs = 60_000
export const delayMaxMs = 8_000
export const outageMaxMs = 30_000
/** For so long a cache may answer. */
export const staleMaxMs = 60_000

export interface SwarmOptions {
  /** The kinds to choose from; by default all that are inside the model. */
  readonly kinds?: readonly FaultKind[]
  /** How likely each of them is enabled. */
  readonly enabled?: number
}

/** A random subset of faults, each with a probability of its own: some swarms have one kind only, some nearly all. */
export function drawFaults(random: Random, options: SwarmOptions = {}): Partial<Faults> {
  const kinds = options.kinds ?? faultKinds.filter((kind) => faultRules[kind].model === 'inside')
  const enabled = options.enabled ?? random.fraction() ** 2
  const drawn: Partial<Record<FaultKind, number>> = {}
  for (const kind of kinds) {
    if (random.fraction() < enabled) drawn[kind] = faultRules[kind].most * random.fraction() ** 2
  }
  return drawn
}

/** Now and then a small quota, a small limit of bodies, a server whose clock is off by up to a day. */
export function drawStates(random: Random): ServerStates {
  const often = (most: number, draw: () => number): number | null =>
    random.fraction() < most ? draw() : null
  return {
    quotaBytes: often(0.1, () => Math.ceil(1_000 + 40_000 * random.fraction())),
    bodyBytesMax: often(0.1, () => Math.ceil(100 + 1_500 * random.fraction())),
    dateSkewMs: often(0.2, () => Math.round((random.fraction() - 0.5) * 2 * 86_400_000)) ?? 0,
  }
}

/** One of several, by chance. */
export function pick<T>(random: Random, values: readonly T[]): T {
  return values[Math.floor(random.fraction() * values.length)] as T
}
