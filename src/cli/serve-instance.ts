/** An instance with its API on a port, announced in its state folder. */
import { type CommandContext, log } from './command.ts'
import type { CliConfiguration, OpenedInstance } from './engine.ts'
import { announce, withdraw } from './running-instance.ts'
import { keepConfiguration } from './write-configuration.ts'

export interface ServedInstance {
  readonly instance: OpenedInstance
  readonly url: string
  /** Stops the API, finishes the step in hand, gives back the lock. Safe to call twice. */
  close(): Promise<void>
}

export interface ServeInstanceOptions {
  readonly create?: boolean
  readonly exposed?: boolean
  /** Tried first; the configured port where it is taken. */
  readonly preferredPort?: number
}

/** Opens and serves. Whatever fails on the way, nothing stays open. */
export async function serveInstance(
  context: CommandContext,
  configuration: CliConfiguration,
  options: ServeInstanceOptions,
): Promise<ServedInstance> {
  const { engine } = context
  const { createApp } = await import('../http/app.ts')
  const { checkExposure, serve } = await import('../http/server.ts')
  const { host, port } = configuration.http
  const exposed = options.exposed === true || configuration.http.allowRemote
  checkExposure(host, exposed)
  const report = (error: unknown) =>
    log(context)(`error: ${error instanceof Error ? error.stack : String(error)}`)
  const instance = await engine.openInstance(configuration, {
    ...(options.create === true ? { create: true } : {}),
    background: true,
    log: log(context),
  })
  try {
    const app = createApp({
      instance: () => instance,
      token: instance.token,
      allowedHosts: [host],
      clock: engine.clock,
      report,
    })
    const listen = (wanted: number) => serve(app, { host, port: wanted, clock: engine.clock, exposed })
    const server = await (options.preferredPort === undefined
      ? listen(port)
      : listen(options.preferredPort).catch(() => listen(port)))
    if (options.create === true) await keepConfiguration(context, configuration)
    announce(configuration.state, server.url)
    return {
      instance,
      url: server.url,
      async close() {
        try {
          await server.close()
        } finally {
          await instance.close()
          withdraw(configuration.state, server.url)
        }
      },
    }
  } catch (error) {
    await instance.close()
    throw error
  }
}
