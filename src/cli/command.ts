/** What a command is given, and how it gets at its instance. */
import type { CliConfiguration, Engine } from './engine.ts'
import type { Io } from './io.ts'
import { findRunning } from './running-instance.ts'
import { localSession, type Session } from './session.ts'

export interface CommandContext {
  readonly io: Io
  readonly engine: Engine
  readonly json: boolean
  readonly settings: Settings
}

/** The common options that were given, by their names in camel case. */
export interface Settings {
  readonly config?: string
  readonly workspace?: string
  readonly state?: string
  readonly remote?: string
  readonly username?: string
  readonly password?: string
  readonly instance?: string
  readonly port?: string
  readonly host?: string
  readonly token?: string
  readonly mode?: string
  readonly poll?: string
  readonly conflicts?: string
  readonly logLevel?: string
}

export function loadConfiguration(
  context: CommandContext,
  settings: Settings = context.settings,
): CliConfiguration | Promise<CliConfiguration> {
  const { environment, cwd } = context.io
  return context.engine.loadConfiguration({ options: { ...settings }, environment, cwd })
}

export function log(context: CommandContext): (line: string) => void {
  return (line) => void context.io.stderr.write(`${line}\n`)
}

/** Runs on the instance of the workspace that is running, or on one that is opened for the moment. */
export async function withSession<T>(
  context: CommandContext,
  options: { readonly create?: boolean },
  use: (session: Session, configuration: CliConfiguration) => Promise<T>,
): Promise<T> {
  const configuration = await loadConfiguration(context)
  const session = await openSession(context, configuration, options)
  const unsubscribe = context.io.onSignal(endOnSignals(context, () => session.close()))
  try {
    return await use(session, configuration)
  } finally {
    unsubscribe()
    await session.close()
  }
}

async function openSession(
  context: CommandContext,
  configuration: CliConfiguration,
  options: { readonly create?: boolean },
): Promise<Session> {
  const running = findRunning(configuration.state)
  if (running !== null) {
    const { connect } = await import('./client.ts')
    return connect(running)
  }
  return localSession(
    await context.engine.openInstance(configuration, {
      ...(options.create === true ? { create: true } : {}),
      background: false,
      log: log(context),
    }),
  )
}

/** The first signal closes in good order and ends the process; the second ends it at once. */
function endOnSignals(context: CommandContext, close: () => Promise<void>): () => void {
  let isEnding = false
  return () => {
    if (isEnding) return context.io.exit(130)
    isEnding = true
    close().then(
      () => context.io.exit(130),
      () => context.io.exit(130),
    )
  }
}
