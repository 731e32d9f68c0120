/** The built `davit` command as a process of its own, and what tests of it need: folders, waiting, the API. */
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { InstanceStatus } from '../../src/instance/instance.ts'
import type { RunSummary } from '../../src/model/run.ts'

export const executable = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url))

/** Gives up here: a bound for what never comes, far above what anything takes. */
const patienceMs = 20_000
const lookMs = 20

export interface Finished {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
  /** The one JSON document on standard output. Throws when there is more, or less. */
  json<T = Record<string, unknown>>(): T
}

export interface ProcessOptions {
  readonly cwd?: string
  readonly environment?: Readonly<Record<string, string>>
  readonly stdin?: string
}

export interface Running {
  readonly pid: number
  readonly stdout: () => string
  readonly stderr: () => string
  /** The first line of standard output that matches. Rejects when the process ends without one. */
  line(pattern: RegExp): Promise<RegExpMatchArray>
  signal(name: NodeJS.Signals): void
  readonly ended: Promise<Finished>
  /** SIGTERM, and waits for the end. */
  stop(): Promise<Finished>
}

function environmentOf(options: ProcessOptions): NodeJS.ProcessEnv {
  const { PATH, HOME } = process.env
  return { PATH, HOME, ...options.environment }
}

/** Starts any command of Node; `davit` and `run` are for ours. */
export function startNode(argv: readonly string[], options: ProcessOptions = {}): Running {
  if (!existsSync(executable)) throw new Error(`${executable} is not built: npm run build`)
  const child: ChildProcess = spawn(process.execPath, [...argv], {
    cwd: options.cwd ?? tmpdir(),
    env: environmentOf(options),
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let stdout = ''
  let stderr = ''
  let isOver = false
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
  })
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  const ended = new Promise<Finished>((resolve) => {
    child.once('close', (code) => {
      isOver = true
      resolve({ code, stdout, stderr, json: () => JSON.parse(stdout) })
    })
  })
  const running: Running = {
    pid: child.pid ?? 0,
    stdout: () => stdout,
    stderr: () => stderr,
    ended,
    async line(pattern) {
      const lines = () => stdout.split('\n').slice(0, -1)
      await until(() => isOver || lines().some((line) => pattern.test(line)), `a line like ${pattern}`)
      const match = lines()
        .map((line) => line.match(pattern))
        .find((each) => each !== null)
      if (match !== undefined && match !== null) return match
      throw new Error(`ended without a line like ${pattern}\n${stdout}\n${stderr}`)
    },
    signal: (name) => void child.kill(name),
    async stop() {
      if (!isOver) child.kill('SIGTERM')
      return ended
    },
  }
  return running
}

/** Starts `davit` with these arguments. */
export function davit(argv: readonly string[], options: ProcessOptions = {}): Running {
  return startNode([executable, ...argv], options)
}

/** Runs `davit` to its end. */
export function run(argv: readonly string[], options: ProcessOptions = {}): Promise<Finished> {
  return davit(argv, options).ended
}

/** Waits until the condition holds; what it throws counts as no. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  what = 'the condition',
): Promise<void> {
  const deadline = performance.now() + patienceMs
  let last: unknown = null
  while (performance.now() < deadline) {
    try {
      if (await condition()) return
    } catch (error) {
      last = error
    }
    await sleep(lookMs)
  }
  throw new Error(`waited in vain for ${what}`, { cause: last })
}

/** A temporary folder, and what was started in it; everything ends and goes with `clear`. */
export class Bench {
  readonly folder: string
  private readonly started: Running[] = []

  private constructor(folder: string) {
    this.folder = folder
  }

  static async make(): Promise<Bench> {
    return new Bench(await mkdtemp(join(tmpdir(), 'davit-e2e-')))
  }

  path(...parts: string[]): string {
    return join(this.folder, ...parts)
  }

  async write(path: string, text: string | Uint8Array): Promise<void> {
    await mkdir(dirname(this.path(path)), { recursive: true })
    await writeFile(this.path(path), text)
  }

  read(path: string): Promise<string> {
    return readFile(this.path(path), 'utf8')
  }

  has(path: string): boolean {
    return existsSync(this.path(path))
  }

  start(argv: readonly string[], options: ProcessOptions = {}): Running {
    return this.keep(davit(argv, { cwd: this.folder, ...options }))
  }

  keep(running: Running): Running {
    this.started.push(running)
    return running
  }

  run(argv: readonly string[], options: ProcessOptions = {}): Promise<Finished> {
    return this.start(argv, options).ended
  }

  /** Serves a workspace of this folder; resolves when it is ready. */
  async serve(workspace: string, ...argv: string[]): Promise<Served> {
    const process = this.start(['serve', '--workspace', workspace, '--port', '0', ...argv])
    const [, url = '', version = ''] = await process.line(/^davit ready (http:\S+) version=(\d+)$/)
    const token = (await this.read(join(workspace, '.davit', 'token'))).trim()
    return { ...apiOf(url, token), process, version: Number(version) }
  }

  async clear(): Promise<void> {
    for (const each of this.started) each.signal('SIGKILL')
    await Promise.all(this.started.map((each) => each.ended))
    await rm(this.folder, { recursive: true, force: true })
  }
}

/** Every file below a folder with its text, but for the state folder. */
export async function filesOf(folder: string): Promise<Record<string, string>> {
  const found: Record<string, string> = {}
  for (const entry of await readdir(folder, { withFileTypes: true, recursive: true })) {
    const path = join(entry.parentPath, entry.name)
    const name = path.slice(folder.length + 1)
    if (!entry.isFile() || name.split('/')[0] === '.davit') continue
    found[name] = await readFile(path, 'latin1')
  }
  return found
}

export interface Answer<T> {
  readonly status: number
  readonly headers: Headers
  readonly body: T
  readonly text: string
}

export interface ApiCall {
  readonly json?: unknown
  readonly body?: string | Uint8Array
  readonly headers?: Record<string, string>
}

export interface Api {
  readonly url: string
  readonly token: string
  call<T = Record<string, unknown>>(method: string, path: string, call?: ApiCall): Promise<Answer<T>>
  /** A run, waited for: its summary. */
  sync(body?: object): Promise<RunSummary>
  status(): Promise<InstanceStatus>
}

/** The API of a running instance, as a program outside uses it. */
export function apiOf(url: string, token: string): Api {
  async function call<T>(method: string, path: string, options: ApiCall = {}): Promise<Answer<T>> {
    const headers = new Headers({ authorization: `Bearer ${token}` })
    if (options.json !== undefined) headers.set('content-type', 'application/json')
    for (const [name, value] of Object.entries(options.headers ?? {})) {
      if (value === '') headers.delete(name)
      else headers.set(name, value)
    }
    const body = options.json === undefined ? options.body : JSON.stringify(options.json)
    const response = await fetch(`${url}${path}`, {
      method,
      headers,
      ...(body === undefined ? {} : { body: body as string }),
    })
    const text = await response.text()
    const isJson = /[/+]json/.test(response.headers.get('content-type') ?? '')
    return {
      status: response.status,
      headers: response.headers,
      text,
      body: (isJson ? JSON.parse(text) : null) as T,
    }
  }
  return {
    url,
    token,
    call,
    sync: async (body = {}) =>
      (await call<RunSummary>('POST', '/sync', { json: { ...body, wait: true } })).body,
    status: async () => (await call<InstanceStatus>('GET', '/sync/status')).body,
  }
}

export interface StreamedEvent {
  readonly id: number
  readonly event: string
  readonly data: { readonly [name: string]: unknown } & { readonly data: Record<string, unknown> }
}

export interface Served extends Api {
  readonly process: Running
  /** As the ready line says it. */
  readonly version: number
}

export interface EventReader {
  readonly events: readonly StreamedEvent[]
  /** Everything that came, as it came. */
  readonly raw: () => string
  close(): Promise<void>
}

/** Reads `/sse` as `curl -N` does. Resolves when the answer's head is there. */
export async function readEvents(api: Api, after?: number, query = ''): Promise<EventReader> {
  const over = new AbortController()
  const response = await fetch(`${api.url}/sse${query}`, {
    signal: over.signal,
    headers: {
      authorization: `Bearer ${api.token}`,
      ...(after === undefined ? {} : { 'last-event-id': String(after) }),
    },
  })
  if (response.status !== 200 || response.body === null) throw new Error(`/sse answered ${response.status}`)
  const events: StreamedEvent[] = []
  let raw = ''
  let rest = ''
  const reading = (async () => {
    const decoder = new TextDecoder()
    for await (const piece of response.body as unknown as AsyncIterable<Uint8Array>) {
      const text = decoder.decode(piece, { stream: true })
      raw += text
      rest += text
      const blocks = rest.split('\n\n')
      rest = blocks.pop() ?? ''
      for (const block of blocks) {
        const fields = new Map(block.split('\n').map((line) => [line.slice(0, line.indexOf(': ')), line]))
        const value = (name: string) => fields.get(name)?.slice(name.length + 2)
        const data = value('data')
        if (data === undefined) continue
        events.push({ id: Number(value('id')), event: value('event') ?? '', data: JSON.parse(data) })
      }
    }
  })().catch(() => undefined)
  return {
    events,
    raw: () => raw,
    async close() {
      over.abort()
      await reading
    },
  }
}
