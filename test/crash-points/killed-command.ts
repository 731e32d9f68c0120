/** The built command as a process that is killed at one of its steps, or lives and has them counted. */
import { existsSync } from 'node:fs'
import { readFile, rm } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { executable, type Running, startNode } from '../support/process.ts'
import type { Ended } from './scene.ts'

export type Mode = 'before' | 'empty' | 'middle' | 'after'

export interface Step {
  readonly k: number
  readonly what: string
  /** The crash points of this step. */
  readonly modes: readonly Mode[]
}

export interface CrashAt {
  readonly k: number
  readonly mode: Mode
}

export interface Killed extends Ended {
  readonly steps: readonly Step[]
  readonly isKilled: boolean
}

const preloads = ['./hurry.mjs', './preload.mjs'].map((name) => `--import=${new URL(name, import.meta.url)}`)

/** Runs the command to its end, or to the crash point. `drive` asks something of a command that waits. */
export async function runCounted(
  argv: readonly string[],
  options: {
    readonly logFile: string
    readonly at?: CrashAt | undefined
    readonly clock?: number | undefined
    readonly drive?: ((running: Running) => Promise<void>) | undefined
  },
): Promise<Killed> {
  const { logFile, at } = options
  await rm(logFile, { force: true })
  const running = startNode([...preloads, executable, ...argv], {
    cwd: fileURLToPath(new URL('.', import.meta.url)),
    environment: {
      CRASH_POINT_LOG: logFile,
      ...(at === undefined ? {} : { CRASH_POINT_AT: `${at.k}:${at.mode}` }),
      ...(options.clock === undefined ? {} : { CRASH_POINT_CLOCK: String(options.clock) }),
    },
  })
  if (options.drive !== undefined) {
    // Whatever is asked of a process that is killed meanwhile fails.
    const asking = options.drive(running).then(
      () => null,
      (error: unknown) => error,
    )
    const failure = await Promise.race([asking, running.ended.then(() => null)])
    if (failure !== null && at === undefined) throw failure
    await running.stop()
  }
  const { code, stdout, stderr } = await running.ended
  const lines = existsSync(logFile) ? (await readFile(logFile, 'utf8')).trim().split('\n') : []
  const steps = lines.filter((line) => line !== '').map((line) => JSON.parse(line) as Step)
  return { code, stdout, stderr, steps, isKilled: code === null }
}
