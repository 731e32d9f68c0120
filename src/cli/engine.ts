/**
 * What the commands need from below, in one place: they are written against this interface, `load-engine.ts` ties it
 * to the real thing.
 */
import type { DoctorOptions, DoctorReport } from '../instance/doctor.ts'
import type { Instance } from '../instance/instance.ts'
import type { Clock } from '../model/clock.ts'

/** The configuration as far as the command line looks into it. Paths are absolute. */
export interface CliConfiguration {
  readonly instance: string
  readonly workspace: string
  readonly state: string
  /** The file that was read; `null` when everything came from options and environment. */
  readonly file: string | null
  /** The URL is without credentials. */
  readonly remote: { readonly url: string; readonly username?: string; readonly password?: string }
  readonly http: { readonly host: string; readonly port: number; readonly allowRemote: boolean }
  readonly logLevel: LogLevel
}

export type LogLevel = 'error' | 'info' | 'debug'

/** What goes into a configuration: the options as they were given (strings), the environment, the place. */
export interface ConfigurationInput {
  readonly options: Readonly<Record<string, unknown>>
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly cwd: string
}

/** An instance in this process. */
export interface OpenedInstance extends Instance {
  /** The API's bearer token; made at the first start. */
  readonly token: string
}

export interface OpenOptions {
  /** Sets up what is missing: the state of the workspace, and the store. */
  readonly create?: boolean
  /** Watches, polls and runs by itself. Without it only what is asked for happens. */
  readonly background: boolean
  /** Gets the lines of the log. */
  readonly log: (line: string, level?: LogLevel) => void
}

export interface Engine<Configuration extends CliConfiguration = CliConfiguration> {
  readonly clock: Clock
  /** @throws DavitError `configuration-invalid`, `workspace-missing`. */
  loadConfiguration(input: ConfigurationInput): Configuration | Promise<Configuration>
  /**
   * Resolves when the first scan is done; the first run may still be going.
   *
   * @throws DavitError `state-missing`, `state-locked`, `workspace-missing` and those of the ports.
   */
  openInstance(configuration: Configuration, options: OpenOptions): Promise<OpenedInstance>
  /** Measures the server and looks at this machine; needs no state and disturbs no instance that runs. */
  examine(
    configuration: Configuration,
    options: Pick<DoctorOptions, 'signal' | 'onProgress'>,
  ): Promise<DoctorReport>
  startWebdavServer(options: {
    readonly root: string
    readonly host?: string
    readonly port: number
    readonly username?: string
    readonly password?: string
    readonly log?: (message: string) => void
  }): Promise<{ readonly url: string; close(): Promise<void> }>
}
