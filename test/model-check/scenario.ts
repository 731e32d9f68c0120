/** What is explored: who writes, what they begin with, and which faults may happen how often. Without the faults
 * every order of steps is explored; each fault may happen at every step until its number is used up. */
import type { StepRequest } from './store.ts'

/** How often each may happen in one history, over all writers. */
export interface Faults {
  /** A writer's process ends at any moment and starts again with its state folder. */
  readonly crashes: number
  /** The same, and the state folder is gone; the workspace is not. */
  readonly losses: number
  /** A request that changes something is lost, or its answer is. */
  readonly lost: number
  /** A request is executed later, at any time: the client gave up on it, or it is repeated on its way. */
  readonly late: number
  /** The loser of a MOVE is told that it won. */
  readonly falseSuccesses: number
  /** A MOVE that was executed is reported as failed. */
  readonly falseFailures: number
  /** On a server whose MOVE copies and deletes: it dies in between, and both names stay. */
  readonly serverCrashes: number
  /** A late MOVE makes its target although its source is gone: a server that breaks the one promise it must keep. */
  readonly ghosts: number
  /** The upload of a changeset is cut: half of it stays. */
  readonly cuts: number
  /** A question gets no answer, not even after the transport's own repetitions. */
  readonly unanswered: number
  /** A collector plans to remove what no chain holds, and does so. */
  readonly collections: number
}

export interface Scenario {
  readonly name: string
  /** One sentence. */
  readonly about: string
  readonly writers: number
  /** Nobody has joined, there is no head yet, and all may create the store; all have read version 0; or version 1. */
  readonly begins: 'empty' | 'created' | 'joined'
  /** A new folder on disk, or a field of a file that all know. */
  readonly edit: 'folder' | 'field'
  /** Whoever crashes edits the same field once more before it starts again. */
  readonly editsAgain?: boolean
  /** Asks for the known head instead of listing, but for the first run. */
  readonly polls?: boolean
  readonly followsObjects?: boolean
  /** MOVE copies and deletes, and others come in between. */
  readonly copies?: boolean
  /** A listing takes as long as it likes: of what changes meanwhile it shows any part. */
  readonly spans?: boolean
  /** Somebody who meant to create the store as well has sent the first head once more, and it has not arrived yet. */
  readonly lateFirstHead?: boolean
  /** Each run is done under the maintenance lock, as long as that is to be had; it is broken after any pause. */
  readonly takesTurns?: boolean
  /** The collector deletes without having committed what it is going to delete: to see that this is noticed. */
  readonly collectsAtOnce?: boolean
  /** Which requests may be late; all that change something unless said. */
  readonly mayBeLate?: (request: StepRequest) => boolean
  /**
   * The server, or the moment, is one for which no protocol can promise that every acknowledged commit stays: only that
   * nothing is lost, nothing made twice, and all agree in the end.
   */
  readonly forks?: boolean
  readonly faults: Partial<Faults>
}

export const noFaults: Faults = {
  crashes: 0,
  losses: 0,
  lost: 0,
  late: 0,
  falseSuccesses: 0,
  falseFailures: 0,
  serverCrashes: 0,
  ghosts: 0,
  cuts: 0,
  unanswered: 0,
  collections: 0,
}
