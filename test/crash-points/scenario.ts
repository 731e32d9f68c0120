/** What a crash scenario is made of. To add one: a file in `scenarios/`, and a line in `scenarios/index.ts`. */
import type { Running } from '../support/process.ts'
import type { Scene } from './scene.ts'

export interface Scenario {
  readonly name: string
  /** What goes on when the process is killed. */
  readonly about: string
  /** Makes the instances (one letter each) and the store, up to the command that is killed. Played once. */
  prepare(scene: Scene): Promise<void>
  /** Whose command is killed. */
  readonly instance: string
  readonly command: (scene: Scene) => readonly string[]
  /** For a command that goes on until it is told to end: what is asked of it. */
  readonly drive?: (running: Running, scene: Scene) => Promise<void>
  /** The next start after the kill, by a supervisor or a person. The command itself by default. */
  readonly restart?: (scene: Scene) => readonly string[]
  /** What is still to be done after the next start, whether the killed command got that far or not. */
  finish?(scene: Scene): Promise<void>
  /** Steps that the undisturbed command has to take: without them it is not what the scenario is about. */
  readonly passes?: RegExp
  /** The points of the start count, too. */
  readonly isAboutStart?: boolean
  /** The state folders are seen as copies: other inodes, another path. */
  readonly isClone?: boolean
  /** How many times faster the monotonic clock of the killed command runs. */
  readonly clock?: number
}
