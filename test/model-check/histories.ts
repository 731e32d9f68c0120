/**
 * A writer as an automaton whose transitions are worked out by running the real code. Promises cannot be forked: to
 * go another way from a place, the run is repeated from its beginning with the answers that led there. Each place is
 * reached so once for each answer, however many states of the whole system it is part of.
 */
import type { DavitError } from '../../src/model/errors.ts'
import type { DurableState } from './durable-states.ts'
import { type Answer, answerKey, type StepRequest } from './store.ts'
import {
  type Beginning,
  type Ground,
  type Segment,
  startWriter,
  type Told,
  type WriterProcess,
} from './writer.ts'

/** A writer at rest between two runs. */
export interface Rest {
  readonly kind: 'rest'
  readonly id: number
  readonly beginning: Beginning
  /** The last run ended well. */
  readonly well: boolean
}

/** A writer that waits for the answer to a request. */
export interface Place {
  readonly kind: 'place'
  readonly id: number
  readonly beginning: Beginning
  readonly request: StepRequest
  /** What a crash leaves behind, by when it comes; the request was sent only at the last. */
  readonly durables: readonly DurableState[]
}

export interface Arrival {
  readonly at: Place | Rest
  readonly told: readonly Told[]
  /** How a run failed. */
  readonly error: DavitError | null
}

interface Node {
  readonly place: Place
  readonly from: Node | null
  readonly answer: Answer | null
  readonly next: Map<string, Arrival>
  live: WriterProcess | null
}

/** Processes that wait at the newest places, so that the first way on from there needs no repetition. */
const liveMax = 150

export class Histories {
  private readonly ground: Ground
  private readonly starts = new Map<string, Arrival>()
  private readonly rests = new Map<string, Rest>()
  private readonly nodes: Node[] = []
  private readonly live: Node[] = []
  private ids = 0
  /** Runs of the real code, and answers given in them. */
  runs = 0
  answers = 0

  constructor(ground: Ground) {
    this.ground = ground
  }

  get places(): number {
    return this.nodes.length
  }

  rest(beginning: Beginning, well: boolean): Rest {
    const { writer, durable, life, identity, polls } = beginning
    const key = `${writer} ${durable.id} ${life} ${identity} ${polls} ${well}`
    const known = this.rests.get(key)
    if (known !== undefined) return known
    const rest: Rest = { kind: 'rest', id: this.ids++, beginning, well }
    this.rests.set(key, rest)
    return rest
  }

  async start(beginning: Beginning): Promise<Arrival> {
    const { writer, durable, life, identity, polls } = beginning
    const key = `${writer} ${durable.id} ${life} ${identity} ${polls}`
    const known = this.starts.get(key)
    if (known !== undefined) return known
    this.runs += 1
    const process = startWriter(this.ground, beginning)
    const arrival = this.arrive(await process.first, { beginning, from: null, answer: null }, process)
    this.starts.set(key, arrival)
    return arrival
  }

  known(place: Place, key: string): Arrival | undefined {
    return this.node(place).next.get(key)
  }

  async answer(place: Place, answer: Answer): Promise<Arrival> {
    const node = this.node(place)
    const key = answerKey(answer)
    const known = node.next.get(key)
    if (known !== undefined) return known
    const process = node.live ?? (await this.repeat(node))
    this.letGo(node)
    this.answers += 1
    const segment = await process.answer(answer)
    const arrival = this.arrive(segment, { beginning: place.beginning, from: node, answer }, process)
    node.next.set(key, arrival)
    return arrival
  }

  dispose(): void {
    for (const node of this.live) node.live?.kill()
    this.live.length = 0
  }

  private node(place: Place): Node {
    return this.byPlace.get(place) as Node
  }
  private readonly byPlace = new Map<Place, Node>()

  private async repeat(node: Node): Promise<WriterProcess> {
    const answers: Answer[] = []
    for (let at: Node | null = node; at?.answer != null; at = at.from) answers.unshift(at.answer)
    this.runs += 1
    const process = startWriter(this.ground, node.place.beginning)
    let segment = await process.first
    for (const answer of answers) {
      this.answers += 1
      segment = await process.answer(answer)
    }
    if (
      segment.stop.kind !== 'request' ||
      JSON.stringify(segment.stop.request) !== JSON.stringify(node.place.request)
    )
      throw new Error('a writer did something else when it was given the same answers')
    return process
  }

  private arrive(
    segment: Segment,
    at: { readonly beginning: Beginning; readonly from: Node | null; readonly answer: Answer | null },
    process: WriterProcess,
  ): Arrival {
    const { stop, durables, told } = segment
    const durable = durables.at(-1) as DurableState
    if (stop.kind === 'ended') {
      process.kill()
      const rest = this.rest({ ...at.beginning, durable }, stop.error === null)
      return { at: rest, told, error: stop.error }
    }
    const place: Place = {
      kind: 'place',
      id: this.ids++,
      beginning: at.beginning,
      request: stop.request,
      durables,
    }
    const node: Node = { place, from: at.from, answer: at.answer, next: new Map(), live: process }
    this.byPlace.set(place, node)
    this.nodes.push(node)
    this.live.push(node)
    if (this.live.length > liveMax) {
      const oldest = this.live[0] as Node
      oldest.live?.kill()
      this.letGo(oldest)
    }
    return { at: place, told, error: null }
  }

  private letGo(node: Node): void {
    node.live = null
    const index = this.live.indexOf(node)
    if (index >= 0) this.live.splice(index, 1)
  }
}
