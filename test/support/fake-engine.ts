/** A process and an engine for commands: everything they print, open and close is noted. */
import { Hono } from 'hono'
import type {
  CliConfiguration,
  ConfigurationInput,
  Engine,
  OpenedInstance,
  OpenOptions,
} from '../../src/cli/engine.ts'
import type { Io } from '../../src/cli/io.ts'
import { runProgram } from '../../src/cli/program.ts'
import type { DoctorReport } from '../../src/instance/doctor.ts'
import type { EventType } from '../../src/model/event.ts'
import { FakeInstance } from './fake-instance.ts'
import { systemLikeClock } from './timers.ts'

export const token = 'a-secret-token'

export class FakeOpenedInstance extends FakeInstance implements OpenedInstance {
  readonly token = token
  readonly routes = new Hono()
  closed = 0
  on(type: EventType | '*', listener: Parameters<OpenedInstance['on']>[1]) {
    return this.events.subscribe((event) => {
      if (type === '*' || type === event.type) listener(event)
    })
  }
  async close() {
    this.closed += 1
  }
}

export class FakeEngine implements Engine {
  readonly clock = systemLikeClock
  readonly inputs: ConfigurationInput[] = []
  readonly opened: [CliConfiguration, Omit<OpenOptions, 'log'>][] = []
  readonly webdavServers: object[] = []
  webdavClosed = 0
  instance = new FakeOpenedInstance()
  /** Thrown when the configuration is loaded, when an instance is opened. */
  configurationFailure: unknown = null
  openFailure: unknown = null
  readonly #folder: string
  constructor(folder: string) {
    this.#folder = folder
  }

  loadConfiguration(input: ConfigurationInput): CliConfiguration {
    this.inputs.push(input)
    if (this.configurationFailure !== null) throw this.configurationFailure
    const { workspace: given, instance, host, port, remote, username, password } = input.options
    const workspace = String(given ?? this.#folder)
    return {
      instance: String(instance ?? 'archive-1'),
      workspace,
      state: `${workspace}/.davit`,
      file: null,
      remote: {
        url: String(remote ?? 'https://dav.example.org/team'),
        ...(username === undefined ? {} : { username: String(username) }),
        ...(password === undefined ? {} : { password: String(password) }),
      },
      http: { host: String(host ?? '127.0.0.1'), port: Number(port ?? 0), allowRemote: false },
      logLevel: 'info' as const,
    }
  }

  async openInstance(configuration: CliConfiguration, { log: _log, ...options }: OpenOptions) {
    this.opened.push([configuration, options])
    if (this.openFailure !== null) throw this.openFailure
    return this.instance
  }

  /** What `examine` resolves with; with `null` it waits for its signal. */
  report: DoctorReport | null = null
  examine(_: CliConfiguration, { signal }: Parameters<Engine['examine']>[1]): Promise<DoctorReport> {
    const { report } = this
    return new Promise((resolve, reject) => {
      if (report !== null) return resolve(report)
      signal?.addEventListener('abort', () => reject(signal.reason))
    })
  }

  async startWebdavServer({ log: _log, ...options }: Parameters<Engine['startWebdavServer']>[0]) {
    this.webdavServers.push(options)
    return {
      url: 'http://127.0.0.1:7400',
      close: async () => {
        this.webdavClosed += 1
      },
    }
  }
}

/** A process in a folder. `run` gives the exit code; `signal` is Ctrl-C. */
export function aProcess(folder: string, change: Partial<Io> = {}) {
  const out: string[] = []
  const err: string[] = []
  const exits: number[] = []
  const listeners = new Set<() => void>()
  const engine = new FakeEngine(folder)
  let printed = () => {}
  const io: Io = {
    stdout: {
      write: (text) => {
        out.push(typeof text === 'string' ? text : Buffer.from(text).toString('utf8'))
        printed()
      },
    },
    stderr: { write: (text) => err.push(String(text)) },
    isTerminal: false,
    columns: 80,
    environment: {},
    cwd: folder,
    onSignal: (listener) => {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    exit: (code) => void exits.push(code),
    ...change,
  }
  return {
    engine,
    exits,
    listeners,
    run: (...argv: string[]) => runProgram(argv, io, async () => engine),
    stdout: () => out.join(''),
    stderr: () => err.join(''),
    /** Resolves when something is printed on standard output. */
    somethingPrinted: () =>
      new Promise<void>((resolve) => {
        printed = resolve
        if (out.length > 0) resolve()
      }),
    signal: () => {
      for (const listener of [...listeners]) listener()
    },
  }
}
