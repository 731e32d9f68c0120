/** Ties the commands to the instance and to the embedded server. Loaded by the first command that needs them. */
import type { CliConfiguration, Engine, OpenedInstance } from './engine.ts'

export async function loadEngine(): Promise<Engine> {
  // @ts-expect-error: comes with the instance
  const { loadConfiguration } = await import('../instance/configuration.ts')
  // @ts-expect-error: comes with the instance
  const { openInstance } = await import('../instance/open-instance.ts')
  // @ts-expect-error: comes with the instance
  const { systemClock } = await import('../instance/system-clock.ts')
  return {
    clock: systemClock,
    loadConfiguration: (input): CliConfiguration => loadConfiguration(input),
    openInstance: (configuration, options): Promise<OpenedInstance> => openInstance(configuration, options),
    async startWebdavServer(options) {
      // @ts-expect-error: comes with the embedded server
      const { startWebdavServer } = await import('../webdav-server/webdav-server.ts')
      return startWebdavServer(options)
    },
  }
}
