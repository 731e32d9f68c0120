/**
 * `instance.json` in the state folder: which process serves this instance, and where. Written by `serve`, read by the
 * other commands. The token that opens the API lies next to it, readable by the owner only.
 */
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { DavitError } from '../model/errors.ts'

const announcement = z.object({ pid: z.int().min(1), start: z.string(), url: z.url({ protocol: /^http$/ }) })

export interface RunningInstance {
  readonly url: string
  readonly token: string
}

function readOrNull(path: string): string | null {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') return null
    throw new DavitError('state-locked', `cannot read ${path}: ${code ?? 'unknown error'}`, {
      action: 'ask',
      hint: 'Run the command as the user that runs the instance.',
      cause: error,
    })
  }
}

/** When a process began, as the system counts it; `unknown` where it does not tell (only Linux does). */
function startOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The name in brackets may hold anything; the 22nd field is the 20th after it.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    // Z, X: it was killed and its parent has not taken note yet. It answers no more.
    return fields[0] === 'Z' || fields[0] === 'X' ? 'ended' : (fields[19] ?? 'unknown')
  } catch {
    // No such file: the process is gone, or this system has no /proc. `isAlive` tells the two apart.
    return 'unknown'
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** Says where this process serves the instance. The file appears whole or not at all. */
export function announce(state: string, url: string): void {
  const target = join(state, 'instance.json')
  // One name for all, as one process runs on a state folder: what a killed one leaves is written over.
  const draft = `${target}.new`
  const { pid } = process
  const known = readOrNull(target)
  const holder: object = known === null ? {} : holderOf(known)
  writeFileSync(draft, `${JSON.stringify({ ...holder, pid, start: startOf(pid), url })}\n`, { mode: 0o600 })
  renameSync(draft, target)
}

/** What the lock of the state folder wrote about this process; nothing when it cannot be read. */
function holderOf(text: string): object {
  try {
    const value: unknown = JSON.parse(text)
    return value !== null && typeof value === 'object' ? value : {}
  } catch {
    return {}
  }
}

/** Takes the announcement back, if it is still ours. */
export function withdraw(state: string, url: string): void {
  const target = join(state, 'instance.json')
  const text = readOrNull(target)
  if (text?.includes(JSON.stringify(url)) === true) rmSync(target, { force: true })
}

/**
 * The instance that serves this state folder now; `null` when there is none. A process that merely has the number of
 * one that was killed does not count: it must not be sent our token.
 */
export function findRunning(state: string): RunningInstance | null {
  const text = readOrNull(join(state, 'instance.json'))
  if (text === null) return null
  let found: z.infer<typeof announcement>
  try {
    found = announcement.parse(JSON.parse(text))
  } catch {
    // A torn or foreign file says nothing about a running process; the lock of the state folder does.
    return null
  }
  if (!isAlive(found.pid) || startOf(found.pid) !== found.start) return null
  const token = readOrNull(join(state, 'token'))?.trim()
  return token === undefined || token === '' ? null : { url: found.url, token }
}
