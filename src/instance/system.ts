/** The machine's own clocks and randomness: the only place where they are read. */
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { setTimeout as wait } from 'node:timers/promises'
import { v7 } from 'uuid'
import type { Clock, Random } from '../model/clock.ts'

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep: async (ms, signal) => {
    try {
      await wait(ms, undefined, signal === undefined ? {} : { signal })
    } catch (error) {
      throw signal?.aborted ? signal.reason : error
    }
  },
}

export const systemRandom: Random = {
  hex: (bytes) => randomBytes(bytes).toString('hex'),
  uuid: () => v7(),
  fraction: () => randomBytes(4).readUInt32BE() / 2 ** 32,
}

/** Names this machine over restarts, as far as the system tells; part of what a copied state folder is known by. */
export function machineId(): string {
  for (const file of ['/etc/machine-id', '/var/lib/dbus/machine-id']) {
    const text = readText(file)
    if (text !== null && text !== '') return text
  }
  return hostname()
}

/** Changes with every start of the machine; `null` where the system does not tell. */
export function bootId(): string | null {
  return readText('/proc/sys/kernel/random/boot_id')
}

/**
 * When a process started, by the kernel's count: with the pid it names one process for good. `null` when there is no
 * such process or the system does not tell.
 */
export function processStart(pid: number): string | null {
  const text = readText(`/proc/${pid}/stat`)
  if (text === null) return null
  // The name in parentheses may hold anything; the fields behind it are numbers. The 22nd of all is the start time.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  // Z, X: it was killed and its parent has not taken note yet. It does nothing any more.
  return fields[0] === 'Z' || fields[0] === 'X' ? `ended ${fields[19]}` : (fields[19] ?? null)
}

function readText(file: string): string | null {
  try {
    return readFileSync(file, 'utf8').trim()
  } catch {
    return null
  }
}
