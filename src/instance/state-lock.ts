/**
 * One process for each state folder. The lock is proper-lockfile's; who holds it stands beside it, so that a second
 * process can name the holder, and so that a killed one is succeeded at once instead of after a lease.
 */
import { mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import lockfile from 'proper-lockfile'
import { DavitError } from '../model/errors.ts'
import { bootId, processStart } from './system.ts'

/** `instance.json`: who runs on this state folder, and where it answers. */
export interface Holder {
  readonly pid: number
  /** The process's start as the kernel counts it; with the pid it names one process for good. */
  readonly start: string | null
  /** The machine and its present start: a pid says nothing on another one. `null` where the system does not tell. */
  readonly host: string | null
  readonly boot: string | null
  /** ISO 8601, UTC. */
  readonly startedAt: string
  /** The API, without a trailing slash; `null` while there is none. */
  readonly url: string | null
}

export interface StateLock {
  /** Makes the API's address known to other processes. */
  setUrl(url: string | null): void
  release(): Promise<void>
}

const staleMs = 30_000
/** How often a state folder that went away is looked for. */
const comingBackMs = 1_000

/**
 * Rejects with `state-locked`, naming the holder, when another process has it. `onLost` is called when the lock was
 * taken away (the machine slept for long, the folder was tampered with): stop writing at once.
 */
export async function lockState(
  stateFolder: string,
  options: { readonly startedAt: string; readonly onLost: (error: Error) => void },
): Promise<StateLock> {
  mkdirSync(stateFolder, { recursive: true, mode: 0o700 })
  const target = join(stateFolder, 'lock')
  const holderFile = join(stateFolder, 'instance.json')
  // ORDER: whoever starts goes through the door first. Looking at a dead holder, removing its lock and taking it are
  // one step to every other process that starts.
  const leaveDoor = await enterDoor(stateFolder)
  let unlock: () => Promise<void>
  const self: Holder = {
    pid: process.pid,
    start: processStart(process.pid),
    host: hostname(),
    boot: bootId(),
    startedAt: options.startedAt,
    url: null,
  }
  let url: string | null = null
  let isReleased = false
  let isGone = false
  let comingBack: NodeJS.Timeout | null = null
  const identity = identityOf(stateFolder)

  /**
   * The folder may have gone with its disk: nothing can be held there, and the workspace halts by itself. When the
   * very folder is back, the lock is taken again; if somebody else has it by then, this process has lost it.
   */
  const onCompromised = (error: Error) => {
    if (isReleased) return
    if (identityOf(stateFolder) === identity) return options.onLost(error)
    isGone = true
    comingBack = setInterval(() => {
      if (identityOf(stateFolder) !== identity) return
      if (comingBack !== null) clearInterval(comingBack)
      comingBack = null
      takeAgain().catch((cause: unknown) => options.onLost(cause instanceof Error ? cause : error))
    }, comingBackMs)
    comingBack.unref()
  }
  const takeAgain = async () => {
    const leave = await enterDoor(stateFolder)
    try {
      unlock = await take(target, holderFile, onCompromised, self)
      isGone = false
      write(holderFile, { ...self, url })
    } finally {
      await leave()
    }
  }

  try {
    unlock = await take(target, holderFile, onCompromised, null)
    write(holderFile, self)
  } finally {
    await leaveDoor()
  }
  return {
    setUrl: (now) => {
      url = now
      if (!isGone) write(holderFile, { ...self, url })
    },
    release: async () => {
      isReleased = true
      if (comingBack !== null) clearInterval(comingBack)
      // Gone with its folder: there is nothing to give back.
      if (isGone || identityOf(stateFolder) !== identity) return
      // Through the door as well: nobody who starts sees the one without the other.
      const leave = await enterDoor(stateFolder)
      try {
        await unlock()
        rmSync(holderFile, { force: true })
      } catch (error) {
        // Taken away meanwhile, and said so when it was: there is nothing to give back either.
        if (!['ERELEASED', 'ENOTACQUIRED', 'ENOENT'].includes((error as NodeJS.ErrnoException).code ?? ''))
          throw error
      } finally {
        await leave()
      }
    },
  }
}

/** The folder itself, not what its path leads to now; `null` when nothing is there. */
function identityOf(folder: string): string | null {
  const found = statSync(folder, { throwIfNoEntry: false })
  return found === undefined ? null : `${found.dev} ${found.ino}`
}

function enterDoor(stateFolder: string): Promise<() => Promise<void>> {
  return lockfile.lock(stateFolder, {
    lockfilePath: join(stateFolder, 'door.lock'),
    stale: 5_000,
    retries: { retries: 60, minTimeout: 20, maxTimeout: 200 },
    realpath: false,
  })
}

async function take(
  target: string,
  holderFile: string,
  onCompromised: (error: Error) => void,
  self: Holder | null,
): Promise<() => Promise<void>> {
  const lock = () =>
    lockfile.lock(target, {
      lockfilePath: `${target}.lock`,
      stale: staleMs,
      update: 5_000,
      realpath: false,
      onCompromised,
    })
  try {
    return await lock()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ELOCKED') throw error
  }
  const holder = readHolder(holderFile)
  const isOwn = self !== null && holder?.pid === self.pid && holder.start === self.start
  if (holder !== null && !isOwn && isAlive(holder)) {
    throw new DavitError(
      'state-locked',
      `another process (pid ${holder.pid}, since ${holder.startedAt}) runs on this state folder${holder.url === null ? '' : `, at ${holder.url}`}`,
      { action: 'ask', hint: 'Stop it, or let it do the work: commands find it by themselves.' },
    )
  }
  rmSync(`${target}.lock`, { recursive: true, force: true })
  return lock()
}

/** Who runs on a state folder, if the process is still there. */
export function liveHolder(stateFolder: string): Holder | null {
  const holder = readHolder(join(stateFolder, 'instance.json'))
  return holder !== null && isAlive(holder) ? holder : null
}

function isAlive(holder: Holder): boolean {
  // On shared storage the holder may run elsewhere, where nobody can look: its lock speaks for it, until it is stale.
  if (holder.host !== null && holder.host !== hostname()) return true
  const boot = bootId()
  if (holder.boot !== null && boot !== null && holder.boot !== boot) return false
  try {
    process.kill(holder.pid, 0)
  } catch (error) {
    // EPERM: it is there and belongs to somebody else.
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false
  }
  // Compared for our own number too: in a container the process that was killed often had the same one.
  const start = processStart(holder.pid)
  return holder.start === null || start === null || start === holder.start
}

function readHolder(file: string): Holder | null {
  try {
    const value = JSON.parse(readFileSync(file, 'utf8')) as Partial<Holder>
    if (typeof value.pid !== 'number' || !Number.isSafeInteger(value.pid) || value.pid <= 0) return null
    return {
      pid: value.pid,
      start: typeof value.start === 'string' ? value.start : null,
      host: typeof value.host === 'string' ? value.host : null,
      boot: typeof value.boot === 'string' ? value.boot : null,
      startedAt: typeof value.startedAt === 'string' ? value.startedAt : 'an unknown time',
      url: typeof value.url === 'string' ? value.url : null,
    }
  } catch {
    // Absent or torn: nobody can be named, and a lock without a holder was left by a killed process.
    return null
  }
}

function write(file: string, holder: Holder): void {
  writeFileSync(`${file}.new`, `${JSON.stringify(holder)}\n`, { mode: 0o600 })
  renameSync(`${file}.new`, file)
}
