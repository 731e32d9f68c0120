/** One `davit serve` over its life: started, stopped, killed, paused and started again on the same workspace. */
import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { InstanceStatus } from '../../src/instance/instance.ts'
import { executable } from '../support/process.ts'
import { sizeOf } from './contents.ts'

/** From the start of the process to its ready line. */
const readyMs = 90_000
const stopMs = 60_000
const lookMs = 50

export interface ServingOptions {
  readonly name: string
  /** Holds the workspace, its configuration and its log. */
  readonly folder: string
  readonly remote: string
}

export interface Usage {
  readonly rssBytes: number
  readonly handles: number
  readonly threads: number
  readonly databaseBytes: number
  readonly walBytes: number
  readonly trashBytes: number
  readonly leftovers: number
  readonly upMs: number
}

export interface ApiAnswer<T> {
  readonly status: number
  readonly body: T
}

export class Serving {
  readonly name: string
  readonly workspace: string
  readonly logFile: string
  readonly configuration: string
  starts = 0
  private readonly options: ServingOptions
  private child: ChildProcess | null = null
  private exited: Promise<number | null> = Promise.resolve(null)
  private url = ''
  private startedAt = 0
  /** Signals and ends that were meant. */
  private isMeantToRun = false
  isPaused = false

  constructor(options: ServingOptions) {
    this.options = options
    this.name = options.name
    this.workspace = join(options.folder, options.name)
    this.configuration = join(options.folder, `${options.name}.yml`)
    this.logFile = join(options.folder, `${options.name}.log`)
  }

  get pid(): number | null {
    return this.child?.pid ?? null
  }

  get isRunning(): boolean {
    return this.child !== null && this.child.exitCode === null && this.child.signalCode === null
  }

  /** Whether the process ended by itself. */
  get hasFallen(): boolean {
    return this.isMeantToRun && !this.isRunning
  }

  async prepare(): Promise<void> {
    await mkdir(this.workspace, { recursive: true })
    // The soak deletes as much as it creates, for hours: the guard's share would be reached by design.
    await writeFile(
      this.configuration,
      `instance: ${this.name}
workspace: ${this.workspace}
remote: {url: "${this.options.remote}", timeout: 10s}
sync: {poll: 2s, maxDelete: 100%, retry: {attempts: 3, base: 200ms, max: 5s}}
http: {port: 0}
`,
    )
  }

  /** Resolves when it is ready. Rejects when it ends before, or never gets ready. */
  async start(): Promise<void> {
    const argv = [
      executable,
      'serve',
      '--config',
      this.configuration,
      ...(this.starts === 0 ? ['--create'] : []),
    ]
    const log = openSync(this.logFile, 'a')
    const { PATH, HOME } = process.env
    const child = spawn(process.execPath, argv, {
      cwd: this.options.folder,
      env: { PATH, HOME },
      stdio: ['ignore', 'pipe', log],
    })
    closeSync(log)
    this.child = child
    this.isMeantToRun = true
    this.isPaused = false
    this.starts += 1
    this.startedAt = performance.now()
    this.exited = new Promise((resolve) => child.once('close', (code) => resolve(code)))
    let said = ''
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      if (said.length < 10_000) said += text
    })
    const deadline = performance.now() + readyMs
    while (performance.now() < deadline) {
      const ready = /^davit ready (http:\S+) version=\d+$/m.exec(said)
      if (ready !== null) {
        this.url = ready[1] ?? ''
        return
      }
      // Killed on purpose while it came up.
      if (!this.isMeantToRun) return
      if (!this.isRunning)
        throw new Error(`${this.name} ended with ${child.exitCode} before it was ready; see ${this.logFile}`)
      await sleep(lookMs)
    }
    throw new Error(`${this.name} was not ready after ${readyMs / 1000} s; see ${this.logFile}`)
  }

  async kill(): Promise<void> {
    this.isMeantToRun = false
    this.child?.kill('SIGKILL')
    await this.exited
  }

  /** SIGTERM; false when it has to be killed in the end. */
  async stop(): Promise<boolean> {
    this.isMeantToRun = false
    this.child?.kill('SIGTERM')
    const over = new AbortController()
    const isOver = await Promise.race([
      this.exited.then(() => true),
      sleep(stopMs, false, { signal: over.signal }).catch(() => false),
    ])
    over.abort()
    if (!isOver) await this.kill()
    return isOver
  }

  pause(): void {
    this.isPaused = true
    this.child?.kill('SIGSTOP')
  }

  resume(): void {
    this.isPaused = false
    this.child?.kill('SIGCONT')
  }

  /** Rejects when it cannot be asked, or does not answer in time. */
  async call<T>(
    method: string,
    path: string,
    json?: unknown,
    { timeoutMs = 15_000, ifMatch }: { readonly timeoutMs?: number; readonly ifMatch?: string } = {},
  ): Promise<ApiAnswer<T>> {
    const token = readFileSync(join(this.workspace, '.davit', 'token'), 'utf8').trim()
    const response = await fetch(`${this.url}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(json === undefined ? {} : { 'content-type': 'application/json' }),
        ...(ifMatch === undefined ? {} : { 'if-match': `"${ifMatch}"` }),
      },
      signal: AbortSignal.timeout(timeoutMs),
      ...(json === undefined ? {} : { body: JSON.stringify(json) }),
    })
    const isJson = /[/+]json/.test(response.headers.get('content-type') ?? '')
    const body = isJson ? await response.json() : Buffer.from(await response.arrayBuffer())
    return { status: response.status, body: body as T }
  }

  async status(): Promise<InstanceStatus> {
    return (await this.call<InstanceStatus>('GET', '/sync/status')).body
  }

  /** What it uses of the machine; `null` while it does not run. */
  async usage(): Promise<Usage | null> {
    const { pid } = this
    if (pid === null || !this.isRunning) return null
    const state = join(this.workspace, '.davit')
    const bytesOf = async (file: string) => (await stat(file).catch(() => null))?.size ?? 0
    const told = await readFile(`/proc/${pid}/status`, 'utf8')
    const figure = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(told)?.[1] ?? 0)
    return {
      rssBytes: figure('VmRSS') * 1024,
      threads: figure('Threads'),
      handles: (await readdir(`/proc/${pid}/fd`)).length,
      databaseBytes: await bytesOf(join(state, 'metadata.db')),
      walBytes: await bytesOf(join(state, 'metadata.db-wal')),
      trashBytes: (await sizeOf(join(state, 'trash'))).bytes,
      leftovers: (await sizeOf(join(state, 'tmp'))).files,
      upMs: performance.now() - this.startedAt,
    }
  }
}
