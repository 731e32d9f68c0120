/** Real WebDAV servers for tests: each on a free loopback port, over an empty folder, gone when it is stopped. */
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { chmod, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { startWebdavServer } from '../../src/webdav-server/webdav-server.ts'
import { basic } from './dav.ts'
import { findProgram, type SetUp, setUps } from './server-set-ups.ts'

export type ServerKind = 'embedded' | keyof typeof setUps

export const serverKinds: readonly ServerKind[] = [
  'embedded',
  'apache',
  'nginx',
  'lighttpd',
  'rclone',
  'xnet',
  'sabre',
  'phodav',
]

export interface ServerOptions {
  readonly username?: string
  readonly password?: string
  /** An existing folder for its files, which stay when it is stopped. Default: a temporary one. */
  readonly folder?: string
}

export interface RunningServer {
  readonly kind: ServerKind
  /** Without a slash at the end. */
  readonly url: string
  /** What it serves, for a look at the plain files. */
  readonly dataFolder: string
  /** The group of its processes as it is now; `null` when it has none of its own. */
  readonly group: () => number | null
  /** Ends it as a power cut does, and waits for that; its data stays. */
  kill(): Promise<void>
  /** After `kill`: starts it again on the same data and the same port, and resolves when it answers. */
  restart(): Promise<void>
  /** Ends it, waits for that and removes its files. Repeating it does nothing. */
  stop(): Promise<void>
}

/** A server that was started, as its kind is handled. */
interface Handle {
  readonly url: string
  group(): number | null
  end(): Promise<void>
  kill(): Promise<void>
  restart(): Promise<void>
}

/** Looks until it answers. */
const readyPolls = 200
const pollMs = 50
/** How often a port that somebody else took in between is replaced by another one. */
const startAttempts = 5
/** From SIGTERM to SIGKILL. */
const stopGraceMs = 5_000

function setUpOf(kind: ServerKind): SetUp | undefined {
  return kind === 'embedded' ? undefined : setUps[kind]
}

/** Whether everything that the server needs is on this machine. */
export function isInstalled(kind: ServerKind): boolean {
  const setUp = setUpOf(kind)
  if (setUp === undefined) return true
  return setUp.programs.every((name) => findProgram(name) !== undefined) && setUp.files.every(existsSync)
}

/** Whether the server can be asked to want a user and a password. */
export function takesPassword(kind: ServerKind): boolean {
  return setUpOf(kind)?.password ?? true
}

/** Starts a server over an empty folder and resolves when it answers. */
export async function startServer(kind: ServerKind, options: ServerOptions = {}): Promise<RunningServer> {
  const folder = options.folder ?? (await mkdtemp(join(tmpdir(), `davit-${kind}-`)))
  const dataFolder = join(folder, 'data')
  const remove = async () => {
    if (options.folder === undefined) await rm(folder, { recursive: true, force: true })
  }
  try {
    // The server may work as another user.
    await chmod(folder, 0o755)
    await mkdir(dataFolder)
    const setUp = setUpOf(kind)
    const { url, group, end, kill, restart } =
      setUp === undefined
        ? await startEmbedded(dataFolder, options)
        : await startProcess(setUp, folder, dataFolder, options)
    let stopped: Promise<void> | undefined
    const stop = () => {
      stopped ??= end().finally(remove)
      return stopped
    }
    return { kind, url, dataFolder, group, kill, restart, stop }
  } catch (error) {
    await remove()
    throw error
  }
}

/**
 * Declares one suite per kind. A server that is not installed is left out with a note in the suite's name;
 * `DAVIT_REQUIRE_SERVERS=1` makes it a failing test instead.
 */
export function describeServers(
  kinds: readonly ServerKind[],
  suite: (kind: ServerKind, start: (options?: ServerOptions) => Promise<RunningServer>) => void,
): void {
  const { DAVIT_REQUIRE_SERVERS: required } = process.env
  for (const kind of kinds) {
    if (isInstalled(kind)) {
      describe(`on ${kind}`, () => suite(kind, (options) => startServer(kind, options)))
    } else if (required === '1') {
      it(`${kind} is installed (scripts/install-test-servers.sh installs it)`, () => {
        expect(isInstalled(kind)).toBe(true)
      })
    } else {
      describe.skip(`on ${kind}, which is not installed`, () =>
        suite(kind, (options) => startServer(kind, options)))
    }
  }
}

async function startEmbedded(root: string, { folder: _, ...options }: ServerOptions): Promise<Handle> {
  let server = await startWebdavServer({ root, port: 0, ...options })
  const { url } = server
  return {
    url,
    group: () => null,
    end: () => server.close(),
    kill: () => server.close(),
    async restart() {
      server = await startWebdavServer({ root, port: Number(new URL(url).port), ...options })
    },
  }
}

async function startProcess(
  setUp: SetUp,
  folder: string,
  data: string,
  options: ServerOptions,
): Promise<Handle> {
  if (options.username !== undefined && !setUp.password)
    throw new Error('this server is set up without passwords')
  let attempts = 0
  let [running, port] = await untilStarted(freePort)
  return {
    url: `http://127.0.0.1:${port}`,
    group: () => running.child.pid ?? null,
    end: () => running.end('SIGTERM'),
    kill: () => running.end('SIGKILL'),
    async restart() {
      ;[running] = await untilStarted(async () => port)
    },
  }

  async function untilStarted(choosePort: () => Promise<number>): Promise<[ServerProcess, number]> {
    for (let attempt = 1; ; attempt++) {
      const port = await choosePort()
      const own = join(folder, `attempt-${++attempts}`)
      await mkdir(own)
      await chmod(own, 0o755)
      const { username, password } = options
      const prepared = await setUp.prepare({ folder: own, data, port, username, password })
      const started = new ServerProcess(prepared, own)
      if (await becomesReady(`http://127.0.0.1:${port}`, options, started.child)) return [started, port]
      await started.end('SIGTERM')
      if (attempt === startAttempts)
        throw new Error(`${prepared.command} did not start: ${started.output()}${await ownLog(own)}`)
    }
  }
}

/** One process of a server, with those that it starts itself. */
class ServerProcess {
  readonly child: ChildProcess
  private readonly log: Buffer[] = []
  private readonly exited: Promise<void>

  constructor({ command, args, env }: Awaited<ReturnType<SetUp['prepare']>>, cwd: string) {
    this.child = spawn(findProgram(command) ?? command, args, {
      cwd,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      // A group of its own: PHP's workers do not end with their parent.
      detached: true,
    })
    for (const stream of [this.child.stdout, this.child.stderr])
      stream?.on('data', (chunk: Buffer) => this.log.length < 200 && this.log.push(chunk))
    this.exited = new Promise<void>((resolve) => {
      this.child.once('exit', () => resolve())
      this.child.once('error', (error) => {
        this.log.push(Buffer.from(String(error)))
        resolve()
      })
    })
  }

  output(): string {
    return Buffer.concat(this.log).toString()
  }

  async end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    signalGroup(this.child, signal)
    const kill = setTimeout(() => signalGroup(this.child, 'SIGKILL'), stopGraceMs)
    await this.exited
    clearTimeout(kill)
    // What is left of the group: workers whose parent is gone.
    signalGroup(this.child, 'SIGKILL')
    this.child.stdout?.destroy()
    this.child.stderr?.destroy()
  }
}

async function ownLog(folder: string): Promise<string> {
  const names = ['apache.log', 'nginx.log', 'log/lighttpd.log'].map((name) => join(folder, name))
  return (await Promise.all(names.filter(existsSync).map((name) => readFile(name, 'utf8')))).join('')
}

/** A port that was free a moment ago. */
function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer()
    probe.once('error', reject)
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address()
      const port = typeof address === 'object' && address !== null ? address.port : 0
      probe.close(() => resolve(port))
    })
  })
}

/** Whether it lists its root before the polls are used up; false at once when the process ends. */
async function becomesReady(url: string, options: ServerOptions, child: ChildProcess): Promise<boolean> {
  const { username, password } = options
  const authorization: Record<string, string> =
    username === undefined ? {} : { authorization: basic(username, password ?? '') }
  for (let poll = 0; poll < readyPolls; poll++) {
    if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return false
    const headers = { ...authorization, depth: '0' }
    const signal = AbortSignal.timeout(2_000)
    const status = await fetch(`${url}/`, { method: 'PROPFIND', headers, signal }).then(
      async (response) => {
        await response.arrayBuffer()
        return response.status
      },
      () => 0,
    )
    if (status === 207) return true
    await sleep(pollMs)
  }
  return false
}

function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return
  try {
    process.kill(-child.pid, signal)
  } catch (error) {
    // ESRCH: nobody is left in it.
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error
  }
}
