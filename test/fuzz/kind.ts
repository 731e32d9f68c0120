/** What the fuzzer knows of each kind of object, and how it judges what became of one. */
import { type DavitError, isDavitError } from '../../src/model/errors.ts'
import type { Chance } from './chance.ts'

/** One kind of object that comes from outside. An object is bytes, so that it can be kept, made smaller and tried again. */
export interface Kind {
  readonly name: string
  /** How often it is chosen when all kinds are. */
  readonly weight: number
  generate(chance: Chance): Uint8Array
  /** Hands the object to the product. Throws `Broken` when a promise does not hold; any other error is a crash. */
  examine(object: Uint8Array): void | Promise<void>
  close?(): void | Promise<void>
}

/** A promise of the product that an object broke. */
export class Broken extends Error {}

/** The closed list. `Record` makes the compiler say when one is missing. */
const codes: Readonly<Record<DavitError['code'], true>> = {
  'configuration-invalid': true,
  'workspace-missing': true,
  'state-missing': true,
  'state-locked': true,
  'state-newer': true,
  'bad-request': true,
  'not-found': true,
  unauthorized: true,
  forbidden: true,
  'conflict-stale': true,
  'precondition-failed': true,
  'remote-unreachable': true,
  'remote-busy': true,
  'remote-unexpected': true,
  'remote-full': true,
  'remote-unauthorized': true,
  'remote-missing': true,
  'remote-rolled-back': true,
  'remote-foreign': true,
  'remote-newer': true,
  'remote-damaged': true,
  'remote-too-large': true,
  'workspace-vanished': true,
  'workspace-replaced': true,
  'workspace-restored': true,
  'path-unsafe': true,
  'path-unrepresentable': true,
  'file-busy': true,
  'file-changed': true,
  'file-unreadable': true,
  'disk-full': true,
  'deletion-guard': true,
  stopped: true,
  internal: true,
}

/** A message is a sentence. What an attacker wrote may be quoted in it, not poured into it. */
const messageLengthMax = 2_000

export interface Refusal {
  readonly codes: readonly DavitError['code'][]
  /** What the message has to name. */
  readonly names: RegExp
}

/** Whether an error is one that the product owes: of the closed list, of these codes, naming the object, readable. */
export function judgeError(error: unknown, refusal: Refusal): void {
  if (!isDavitError(error)) throw error
  judgeMessage(error.code, error.message, refusal)
}

export function judgeMessage(code: string, message: string, refusal: Refusal): void {
  if (!Object.hasOwn(codes, code)) throw new Broken(`the code '${code}' is not in the closed list`)
  if (!(refusal.codes as readonly string[]).includes(code))
    throw new Broken(`it is told as '${code}': ${short(message)}`)
  if (!refusal.names.test(message)) throw new Broken(`the error does not name the object: ${short(message)}`)
  if (message.length > messageLengthMax)
    throw new Broken(`the message has ${message.length} characters: ${short(message)}`)
}

function short(message: string): string {
  return message.length > 300 ? `${message.slice(0, 300)}…` : message
}

/** `null` when the object was refused as it must be; what was made of it otherwise. */
export async function tryOut<T>(work: () => T | Promise<T>, refusal: Refusal): Promise<Awaited<T> | null> {
  try {
    return await work()
  } catch (error) {
    judgeError(error, refusal)
    return null
  }
}

export function expectThat(condition: boolean, promise: string): asserts condition {
  if (!condition) throw new Broken(promise)
}

const prototypeKeys = Reflect.ownKeys(Object.prototype).length

/** Nothing reached the prototype that all objects share. */
export function expectUnpolluted(): void {
  expectThat(
    ({} as { polluted?: unknown }).polluted === undefined &&
      Reflect.ownKeys(Object.prototype).length === prototypeKeys,
    'an object reached the prototype of all objects',
  )
}
