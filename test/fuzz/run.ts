/** Tries one object after the other; an object that breaks a promise is made smaller before it is told. */
import { Chance } from './chance.ts'
import { Broken, expectUnpolluted, type Kind } from './kind.ts'

export interface RunOptions {
  readonly seed: number
  /** The first number and how many follow. */
  readonly from: number
  readonly count: number
  /** Told before each object: for whoever watches from outside that nothing hangs. */
  /** Told at once: a later object may end everything. */
  readonly onFinding?: (finding: Finding) => void
  readonly onObject?: ((kind: string, number: number) => void) | undefined
}

export interface Finding {
  readonly kind: string
  readonly seed: number
  readonly number: number
  readonly complaint: string
  readonly object: Uint8Array
  readonly smallest: Uint8Array
}

/** Which kind an object is of follows from seed and number, as the object itself does. */
export function kindOf(kinds: readonly Kind[], seed: number, number: number): Kind {
  const total = kinds.reduce((sum, kind) => sum + kind.weight, 0)
  let at = new Chance(seed, number).int(total)
  for (const kind of kinds) {
    at -= kind.weight
    if (at < 0) return kind
  }
  return kinds[0] as Kind
}

const blockSize = 64

/** Objects that broke a promise, with how many objects of each kind were tried. */
export async function run(
  kinds: readonly Kind[],
  options: RunOptions,
): Promise<{ readonly findings: Finding[]; readonly tried: Readonly<Record<string, number>> }> {
  const { seed, from, count } = options
  const findings: Finding[] = []
  const tried: Record<string, number> = {}
  const complaints = new Set<string>()

  async function tryOne(number: number, complain: typeof examine): Promise<void> {
    const kind = kindOf(kinds, seed, number)
    options.onObject?.(kind.name, number)
    const object = kind.generate(new Chance(seed, number).after())
    const complaint = await complain(kind, object)
    if (complaint === null) return
    const first = firstLine(kind, complaint)
    if (complaints.has(first)) return
    complaints.add(first)
    const smallest = await makeSmaller(kind, object, first, () =>
      options.onObject?.(`${kind.name}-again`, number),
    )
    const finding = { kind: kind.name, seed, number, complaint, object, smallest }
    findings.push(finding)
    options.onFinding?.(finding)
  }

  for (let start = from; start < from + count && findings.length < findingsMax; start += blockSize) {
    const end = Math.min(start + blockSize, from + count)
    const unhandled = await unhandledOf(async () => {
      for (let number = start; number < end; number++) {
        const { name } = kindOf(kinds, seed, number)
        tried[name] = (tried[name] ?? 0) + 1
        await tryOne(number, examine)
      }
    })
    // Whose it was shows when each is tried by itself.
    if (unhandled !== null) for (let number = start; number < end; number++) await tryOne(number, complaintOf)
  }
  return { findings, tried }
}

/** What is wrong about what became of the object; `null` when all promises held. */
export async function complaintOf(kind: Kind, object: Uint8Array): Promise<string | null> {
  let complaint: string | null = null
  const unhandled = await unhandledOf(async () => {
    complaint = await examine(kind, object)
  })
  return complaint ?? unhandled
}

async function examine(kind: Kind, object: Uint8Array): Promise<string | null> {
  try {
    await kind.examine(object)
    expectUnpolluted()
    return null
  } catch (error) {
    if (error instanceof Broken) return `broken: ${error.message}`
    return `crash: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`
  }
}

/** A rejection that nobody handled while `work` went on. It is told when all microtasks are through. */
async function unhandledOf(work: () => Promise<void>): Promise<string | null> {
  const unhandled: unknown[] = []
  const note = (reason: unknown) => void unhandled.push(reason)
  process.on('unhandledRejection', note)
  try {
    await work()
    await new Promise((resolve) => setImmediate(resolve))
  } finally {
    process.off('unhandledRejection', note)
  }
  return unhandled.length === 0 ? null : `unhandled: ${String(unhandled[0])}`
}

/** Without what differs from object to object, so that one fault is told once. */
function firstLine(kind: Kind, complaint: string): string {
  const line = (complaint.split('\n')[0] ?? '').slice(0, 160)
  return `${kind.name} ${line.replace(/[0-9a-f]{8,}|\d+|'[^']*'|"[^"]*"|\S*\/\S*/g, '#')}`
}

/** So many different faults in one run are enough to begin with. */
const findingsMax = 20
/** Each try of a whole instance takes a while. */
const triesMax = 1_500
const smallerMs = 20_000

/** Leaves out lines, then pieces, for as long as the same complaint comes. */
async function makeSmaller(
  kind: Kind,
  object: Uint8Array,
  first: string,
  onTry: () => void,
): Promise<Uint8Array> {
  let smallest = Buffer.from(object)
  let tries = 0
  const until = performance.now() + smallerMs
  const holds = async (candidate: Buffer): Promise<boolean> => {
    if (++tries > triesMax || performance.now() > until) return false
    onTry()
    const complaint = await complaintOf(kind, candidate)
    return complaint !== null && firstLine(kind, complaint) === first
  }
  if (!(await holds(smallest))) return smallest
  for (
    let size = Math.ceil(smallest.length / 2);
    size >= 1 && tries < triesMax;
    size = size === 1 ? 0 : Math.ceil(size / 2)
  ) {
    for (let at = 0; at < smallest.length && tries < triesMax; ) {
      const candidate = Buffer.concat([smallest.subarray(0, at), smallest.subarray(at + size)])
      if (await holds(candidate)) smallest = candidate
      else at += size
    }
  }
  return smallest
}
